"""Models in ONNX files, run by onnxruntime on the CPU or on an accelerator of its build."""

import functools
import importlib
import os

from failure import Failed

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cpu": CPU,
    "xnnpack": "XnnpackExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "nnapi": "NnapiExecutionProvider",
    "acl": "ACLExecutionProvider",
}
NO_FALLBACK = "session.disable_cpu_ep_fallback"
TELL = "session.record_ep_graph_assignment_info"

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


def open_model(runtime, path, threads, accelerator):
    return OnnxModel(open_session(runtime, path, settings(runtime, threads), accelerator))


def open_told(runtime, path, threads, accelerator):
    """As `open_model`, and the session remembers who took which node.

    It costs memory, so that the timed passes and the memory pass do without.
    """
    options = settings(runtime, threads)
    options.add_session_config_entry(TELL, "1")
    session = open_session(runtime, path, options, accelerator)
    return ToldModel(session, runtime, path, accelerator)


def profile(runtime, task, feed):
    """The time of each node, in a session of its own; `feed` is what a model is fed."""
    import op_profile

    job = task.job
    options = settings(runtime, job["threads"])
    options.enable_profiling = True
    options.profile_file_prefix = os.path.join(task.folder, "nodes")
    session = open_session(runtime, task.path("model"), options, job["accelerator"])
    model = OnnxModel(session)
    count = op_profile.invoke_all(model.bind(feed(model)), job["loop"]["sample_max_s"])
    return op_profile.of_events(op_profile.read_events(session.end_profiling()), count)


def settings(runtime, threads):
    """Options of every session."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    # Warnings of every load would fill the log of the job.
    options.log_severity_level = 3
    return options


def open_session(runtime, path, options, accelerator):
    """A session on the accelerator; of one that is not there onnxruntime would only warn."""
    if accelerator not in PROVIDERS:
        words = "This runtime has no accelerator %r, only %s." % (accelerator, ", ".join(PROVIDERS))
        raise Failed(words, reason="no_runtime")
    provider, built = PROVIDERS[accelerator], runtime.get_available_providers()
    if provider not in built:
        words = "This build of onnxruntime has no %s; it has %s." % (provider, ", ".join(built))
        raise Failed(words, reason="silent_fallback")
    session = runtime.InferenceSession(path, options, providers=[provider])
    if provider not in session.get_providers():
        # The provider is built in, and its driver or device is not there.
        words = "onnxruntime left %s out and took %s; its build has %s."
        took = ", ".join(session.get_providers())
        raise Failed(words % (provider, took, ", ".join(built)), reason="silent_fallback")
    return session


def is_whole(runtime, path, provider):
    """Whether the provider takes every node, where the session does not tell; None unless proven.

    A session that may not fall back refuses the CPU by name. A build that lets it pass does not
    know the setting, and what it opens proves nothing.
    """
    errors = _errors(runtime)
    options = settings(runtime, 1)
    options.add_session_config_entry(NO_FALLBACK, "1")
    # Refusals are what is asked for here; the log has room for those that are not.
    options.log_severity_level = 4
    try:
        runtime.InferenceSession(path, options, providers=[CPU])
    except errors:
        pass
    else:
        return None
    try:
        runtime.InferenceSession(path, options, providers=[provider])
    except errors:
        return False
    return True


def parts_by_profile(runtime, path, accelerator, fed):
    """Each node of one inference with whose it was: what every version writes into its profile."""
    import tempfile

    import op_profile

    options = settings(runtime, 1)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = os.path.join(folder, "nodes")
        session = open_session(runtime, path, options, accelerator)
        session.run(None, fed)
        events = op_profile.read_events(session.end_profiling())
    rows = op_profile.of_events(events, 1)["rows"]
    return [(row["provider"], [row["op_type"]]) for row in rows]


def _errors(runtime):
    """What a session raises that cannot be opened; each is a child of Exception alone."""
    state = runtime.capi.onnxruntime_pybind11_state
    named = (state.Fail, state.InvalidArgument, state.NotImplemented, state.EPFail)
    return (*named, state.RuntimeException, RuntimeError)


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


class ToldModel(OnnxModel):
    """A model whose session remembers who took which node."""

    def __init__(self, session, runtime, path, accelerator):
        OnnxModel.__init__(self, session)
        self._opened = (runtime, path, accelerator)
        self._fed = {}

    def compute(self, fed):
        """As ever, and what the model was fed is kept for a look at its nodes."""
        self._fed = fed
        return OnnxModel.compute(self, fed)

    def placement(self):
        """Who took which node, as far as this version tells."""
        runtime, _, asked = self._opened
        provider = PROVIDERS[asked]
        try:
            found = [
                (part.ep_name, [node.op_type for node in part.get_nodes()])
                for part in self._session.get_provider_graph_assignment_info()
            ]
        except (AttributeError, *_errors(runtime)) as error:
            return self._untold("This version does not tell its nodes: %s" % error)
        return placed(asked, provider, found)

    def _untold(self, words):
        """What can be found out all the same; of the CPU alone nothing is in doubt."""
        import placement

        runtime, path, asked = self._opened
        if asked == "cpu":
            return placement.untold(asked, asked, words)
        if is_whole(runtime, path, PROVIDERS[asked]):
            return dict(placement.untold(asked, asked, words), cpu_ops={})
        parts = parts_by_profile(runtime, path, asked, self._fed)
        found = placed(asked, PROVIDERS[asked], parts)
        return dict(found, partitions=None, unknown=words)


def placed(asked, provider, parts):
    """The placement of parts of a graph, each `(provider, operations)`."""
    import placement

    nodes = [
        (operation, name == provider != CPU)
        for name, operations in parts
        for operation in operations
    ]
    mine = sum(1 for name, _ in parts if name == provider != CPU)
    return placement.told(asked, asked if mine else "cpu", nodes, mine)
