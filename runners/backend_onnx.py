"""Models in ONNX files, run by onnxruntime on the CPU."""

import functools
import importlib
import os

from failure import Failed

DTYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bool": "bool",
    **{kind + bits: kind + bits for kind in ("int", "uint") for bits in ("8", "16", "32", "64")},
}


def load(runtime):
    """Import the runtime; what `open_model` takes, and the name of its package."""
    # The wheels for Linux write a database and start an uploader from 1.29 on, unless told before.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return importlib.import_module(runtime), runtime


def open_model(runtime, path, threads):
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    # Warnings of every load would fill the log of the job.
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    return OnnxModel(runtime.InferenceSession(path, options, providers=providers))


def _dtype(kind):
    """The element type as numpy calls it, or the runtime's word for what is no such tensor."""
    inner = kind[len("tensor(") : -1] if kind.startswith("tensor(") else None
    return "string" if inner == "string" else DTYPES.get(inner, kind)


def _spec(argument):
    return {
        "name": argument.name,
        "axes": list(argument.shape),
        "dtype": _dtype(argument.type),
        "quantization": None,
    }


class OnnxModel:
    """A model that is open: its inputs and outputs, and how to run it."""

    def __init__(self, session):
        self._session = session
        self.aliases = {}
        self.inputs = [_spec(argument) for argument in session.get_inputs()]
        self.outputs = [_spec(argument) for argument in session.get_outputs()]
        kept = set(DTYPES.values())
        self._kept = [spec["name"] for spec in self.outputs if spec["dtype"] in kept]

    def prepare(self, shapes):
        """Nothing: a session takes shapes as they come."""

    def bind(self, fed):
        """What runs the model on these inputs."""
        return functools.partial(self._session.run, None, fed)

    def compute(self, fed):
        """The outputs of these inputs; those that are no tensors of numbers are left out."""
        if not self._kept:
            kinds = ", ".join("%(name)s: %(dtype)s" % spec for spec in self.outputs)
            raise Failed("No output is a tensor of numbers: %s." % kinds, reason="runtime_error")
        found = dict(zip(self._kept, self._session.run(self._kept, fed)))
        for name, value in found.items():
            if not hasattr(value, "dtype"):
                kind = type(value).__name__
                raise Failed("Output %r is a %s, no tensor." % (name, kind), reason="runtime_error")
        return found
