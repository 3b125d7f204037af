"""Models in TFLite files: ai-edge-litert, and tflite-runtime before it was called so."""

import importlib
import os

import interpreter
from failure import Failed

DELEGATE = "delegate:"

MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}


def load(runtime):
    """Import the runtime; what `open_model` takes, and the name of its package."""
    module, package = MODULES[runtime]
    return importlib.import_module(module), package


def open_model(runtime, path, threads, accelerator):
    options = {}
    if accelerator == "none" or accelerator.startswith(DELEGATE):
        options["experimental_op_resolver_type"] = _without_xnnpack(runtime)
    elif accelerator not in ("cpu", "xnnpack"):
        words = "This runtime has no accelerator %r, only xnnpack, none and %sPATH."
        raise Failed(words % (accelerator, DELEGATE), reason="no_runtime")
    if accelerator.startswith(DELEGATE):
        library = accelerator[len(DELEGATE) :]
        options["experimental_delegates"] = [_delegate(runtime, library)]
    interpreter = runtime.Interpreter(model_path=path, num_threads=threads, **options)
    return LitertModel(interpreter, accelerator)


def open_told(runtime, path, threads, accelerator):
    """As `open_model`: an interpreter tells where its nodes are whoever opened it."""
    return open_model(runtime, path, threads, accelerator)


def profile(runtime, task, feed):
    """The time of each operation, by the profiler of the library and in a process of its own."""
    import litert_profile
    import op_profile

    job, path = task.job, task.path("model")
    model = open_model(runtime, path, job["threads"], job["accelerator"])
    fed = feed(model)
    model.prepare({name: array.shape for name, array in fed.items()})
    why = _unprofiled(job, litert_profile.TRIED) or _freed(model, fed)
    if why:
        return op_profile.none(why)
    count = op_profile.affordable(model.bind(fed), job["loop"]["sample_max_s"])
    # Two models at once may be more than a board has room for.
    del model
    answer = os.path.join(task.folder, "profile.json")
    numbers = (str(job["threads"]), str(count))
    program = os.path.abspath(litert_profile.__file__)
    argv = [*interpreter.argv(), "-s", program, path, *numbers, answer]
    argv += _written(task.folder, fed)
    return op_profile.in_a_child(argv, answer)


def _written(folder, fed):
    """Files with the bytes of each input, in the model's order."""
    paths = []
    for number, array in enumerate(fed.values()):
        paths.append(os.path.join(folder, "input-%d.bin" % number))
        array.tofile(paths[-1])
    return paths


def _unprofiled(job, tried):
    """Why this runtime has no profile; None where it has one."""
    from importlib import metadata

    if job["runtime"] != "litert":
        return "%s has no profiler." % job["runtime"]
    if job["accelerator"] not in ("cpu", "xnnpack"):
        return "The profiler knows XNNPACK alone, not %r." % job["accelerator"]
    try:
        version = metadata.version(MODULES[job["runtime"]][1])
    except metadata.PackageNotFoundError:
        version = "unknown"
    if version not in tried:
        words = "The profiler of version %s was not tried; that of %s was."
        return words % (version, ", ".join(tried))
    return None


def _freed(model, fed):
    """Why the profiler, to whom each free axis is 1, cannot run on what the model is fed."""
    for spec in model.inputs:
        sizes = zip(spec["axes"], fed[spec["name"]].shape)
        if any(axis is None and size != 1 for axis, size in sizes):
            return "The profiler cannot give the free axes of input %r a size." % spec["name"]
    return None


def _without_xnnpack(runtime):
    """With it a library's delegate could not be told from XNNPACK, that takes what is left."""
    try:
        return runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    except AttributeError as error:
        words = "This version of the runtime cannot leave XNNPACK out."
        raise Failed(words, reason="no_runtime") from error


def _delegate(runtime, library):
    try:
        return runtime.load_delegate(library)
    except (OSError, ValueError, AttributeError) as error:
        words = "The delegate %r cannot be loaded: %s" % (library, error)
        raise Failed(words, reason="silent_fallback") from error


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

    def __init__(self, interpreter, accelerator):
        self._interpreter = interpreter
        self._accelerator = accelerator
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

    def placement(self):
        """Which nodes a delegate has; asked once they are allocated, for then it has them."""
        import placement

        asked = self._accelerator
        taker = asked if asked.startswith(DELEGATE) else "xnnpack"
        try:
            nodes, delegates = placement.delegated(self._interpreter._get_ops_details())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A method of the wrapper's own, that may be gone or say something else tomorrow.
            words = "This version does not tell its operations: %s: %s"
            return placement.untold(asked, None, words % (type(error).__name__, error))
        return placement.told(asked, taker if delegates else "none", nodes, delegates)

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
