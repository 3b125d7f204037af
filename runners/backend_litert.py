"""Models in TFLite files: ai-edge-litert, and tflite-runtime before it was called so."""

import importlib

from failure import Failed

MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}


def load(runtime):
    """Import the runtime; what `open_model` takes, and the name of its package."""
    module, package = MODULES[runtime]
    return importlib.import_module(module), package


def open_model(runtime, path, threads):
    return LitertModel(runtime.Interpreter(model_path=path, num_threads=threads))


def _spec(details, name):
    scale, zero_point = details["quantization"]
    signature = details.get("shape_signature")
    shape = signature if signature is not None and len(signature) else details["shape"]
    dtype = details["dtype"]
    return {
        "name": name,
        "axes": [int(axis) if axis >= 0 else None for axis in shape],
        "dtype": "string" if dtype.__name__ in ("bytes_", "str_") else dtype.__name__.rstrip("_"),
        "quantization": {"scale": float(scale), "zero_point": int(zero_point)} if scale else None,
    }


def _named(details):
    """Tensor index by the name of the tensor; of two alike the later one gets a number."""
    names = {}
    for position, detail in enumerate(details):
        name = (
            detail["name"] if detail["name"] not in names else "%s#%d" % (detail["name"], position)
        )
        names[name] = detail["index"]
    return names


class LitertModel:
    """A model that is open: its inputs and outputs, and how to run it."""

    def __init__(self, interpreter):
        self._interpreter = interpreter
        self._shapes = None
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._in, self._out = _named(inputs), _named(outputs)
        self.aliases = {}
        self._take_signature()
        self.inputs = _specs(inputs, self._in)
        self.outputs = _specs(outputs, self._out)

    def _take_signature(self):
        """Call tensors as the author of the model did, where the file has kept that."""
        signatures = list(self._interpreter._get_full_signature_list().values())
        if len(signatures) != 1:
            return
        for names, kind in ((self._in, "inputs"), (self._out, "outputs")):
            signature = signatures[0][kind]
            if sorted(signature.values()) != sorted(names.values()):
                continue
            by_index = {index: name for name, index in signature.items()}
            if kind == "inputs":
                self.aliases = {name: by_index[index] for name, index in names.items()}
            ordered = [(by_index[index], index) for index in names.values()]
            names.clear()
            names.update(ordered)

    def prepare(self, shapes):
        """Give the inputs these shapes and allocate; nothing happens where they have them."""
        if shapes == self._shapes:
            return
        for detail in self._interpreter.get_input_details():
            name = next(name for name, index in self._in.items() if index == detail["index"])
            if tuple(detail["shape"]) != tuple(shapes[name]):
                self._interpreter.resize_tensor_input(detail["index"], list(shapes[name]))
        self._interpreter.allocate_tensors()
        self._shapes = shapes

    def bind(self, fed):
        """Set the inputs; what runs the model on them."""
        for name, array in fed.items():
            self._interpreter.set_tensor(self._in[name], array)
        return self._interpreter.invoke

    def compute(self, fed):
        """The outputs of these inputs, as the model stores them."""
        self.prepare({name: array.shape for name, array in fed.items()})
        self.bind(fed)()
        kept = [spec["name"] for spec in self.outputs if spec["dtype"] != "string"]
        if not kept:
            words = "No output of this model is a tensor of numbers."
            raise Failed(words, reason="runtime_error")
        return {name: self._interpreter.get_tensor(self._out[name]) for name in kept}


def _specs(details, names):
    by_index = {index: name for name, index in names.items()}
    return [_spec(detail, by_index[detail["index"]]) for detail in details]
