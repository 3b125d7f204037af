"""A model opened in TensorFlow, with its batch fixed to 1."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgebench.compress.keras.model import open_model
from edgebench.compress.technique import UserCode
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

SIGNATURE: Final = "serving_default"
WRITES: Final = frozenset({"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A model that is ready to be converted.

    Attributes:
        specs: `tf.TensorSpec` of each input, the first axis being 1.
        function: A tf.function that takes tensors in the order of `specs` and gives a dict.
        keras: The Keras model itself; None for a SavedModel.
        owner: Whoever holds the weights: it must outlive the function.
    """

    specs: Sequence[Any]
    function: Any
    keras: Any | None
    owner: Any


def open_keras(path: Path, code: UserCode = UserCode()) -> Source:  # noqa: B008 - frozen
    """Load a `.keras` model and call it on inputs of batch 1.

    A free batch would put SHAPE, STRIDED_SLICE and PACK before every Flatten.

    Raises:
        CompressionError: The model declares no inputs.
    """
    import keras
    import tensorflow as tf

    model = open_model(path, code)
    if not getattr(model, "inputs", None):
        msg = f"{path.name!r} is a subclassed model that was never built: it declares no inputs."
        hint = "Export it as a SavedModel, or build it as keras.Model(inputs, outputs)."
        raise CompressionError(msg, hint=hint)
    if isinstance(model, keras.Sequential):
        # One that was loaded knows its ends, but has no `input` until somebody calls it.
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    inputs = [
        keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype=tensor.dtype, name=_name(tensor))
        for tensor in model.inputs
    ]
    is_sequential = isinstance(model, keras.Sequential)
    packed = inputs[0] if is_sequential else keras.tree.pack_sequence_as(model.input, inputs)
    names = [model.layers[-1].name] if is_sequential else model.output_names
    outputs = dict(zip(names, keras.tree.flatten(model(packed)), strict=True))
    # By name: else the converters would call the outputs after the model, or number them.
    fixed = keras.Model(inputs, outputs, name=model.name)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=_name(tensor)) for tensor in inputs]

    def compute(*tensors: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return dict(fixed(list(tensors), training=False))

    function = tf.function(compute, input_signature=specs)
    return Source(specs=specs, function=function, keras=fixed, owner=model)


def open_saved_model(path: Path) -> Source:
    """Load a SavedModel and bind the batch of its serving signature to 1.

    Raises:
        CompressionError: It has no serving signature.
    """
    import tensorflow as tf

    try:
        owner = tf.saved_model.load(str(path))
        signatures = owner.signatures
    except AttributeError:
        # "'_UserObject' object has no attribute 'add_slot'": the state of an optimizer of Keras 2,
        # which TensorFlow restores with Keras 2 alone. The graph itself loads as ever.
        owner = None
        signatures = _frozen_signatures(path)
    if SIGNATURE in signatures and owner is not None and _holds_tensors(signatures[SIGNATURE]):
        signatures = _frozen_signatures(path)
    if SIGNATURE not in signatures:
        msg = f"The SavedModel {path.name!r} has no signature {SIGNATURE!r}."
        have = ", ".join(signatures) or "none"
        raise CompressionError(msg, hint=f"Save it with signatures=...; it has: {have}.")
    signature = signatures[SIGNATURE]
    taken = signature.structured_input_signature[1]
    specs = [
        tf.TensorSpec(_fix_batch(taken[name].shape), taken[name].dtype, name=name)
        for name in sorted(taken)
    ]
    names = [spec.name for spec in specs]

    def compute(*tensors: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return dict(signature(**dict(zip(names, tensors, strict=True))))

    function = tf.function(compute, input_signature=specs)
    return Source(specs=specs, function=function, keras=None, owner=owner)


def _holds_tensors(signature: Any) -> bool:  # noqa: ANN401 - TensorFlow's own
    """Whether a function holds tensors that are no variables: to ONNX they would be inputs."""
    import tensorflow as tf

    return any(tensor.dtype != tf.resource for tensor in signature.captured_inputs)


def _frozen_signatures(path: Path) -> dict[str, Any]:
    """The serving signature of a SavedModel as a graph whose variables are constants."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.load(session, [v1.saved_model.tag_constants.SERVING], str(path))
        if SIGNATURE not in meta.signature_def:
            return dict.fromkeys(meta.signature_def)
        signature = meta.signature_def[SIGNATURE]
        fetched = [info.name.partition(":")[0] for info in signature.outputs.values()]
        graph = session.graph.as_graph_def()
        frozen = v1.graph_util.convert_variables_to_constants(session, graph, fetched)
    wrapped = v1.wrap_function(lambda: tf.graph_util.import_graph_def(frozen, name=""), [])
    tensor = wrapped.graph.get_tensor_by_name
    names = sorted(signature.inputs)
    feeds = [tensor(signature.inputs[name].name) for name in names]
    fetches = {name: tensor(info.name) for name, info in signature.outputs.items()}
    return {SIGNATURE: _Frozen(wrapped.prune(feeds, fetches), dict(zip(names, feeds, strict=True)))}


class _Frozen:
    """A pruned graph that is called as a signature is: by the names of its inputs."""

    def __init__(self, function: Any, inputs: dict[str, Any]) -> None:  # noqa: ANN401 - Keras' own
        self.function = function
        self.inputs = inputs
        self.structured_input_signature = ((), inputs)

    def __call__(self, **tensors: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        return dict(self.function(*(tensors[name] for name in self.inputs)))


def check_stateless(source: Source) -> None:
    """Raise CompressionError where an inference writes a variable.

    A converter to ONNX would freeze such a variable, and one to TFLite keep it as a resource that
    no quantizer understands.
    """
    graph = source.function.get_concrete_function().graph.as_graph_def()
    written = sum(node.op in WRITES for node in _reached(graph))
    if written:
        msg = f"The model keeps state: an inference writes {written} of its variables."
        raise CompressionError(msg, hint="Make the state an input and an output of the model.")


def _reached(graph: "tf.compat.v1.GraphDef") -> Iterator["tf.compat.v1.NodeDef"]:
    """The nodes of the graph and of the functions it calls; its library holds more."""
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    pending = [graph.node]
    seen: set[str] = set()
    while pending:
        for node in pending.pop():
            yield node
            attributes = node.attr.values()
            called = {node.op, *(attribute.func.name for attribute in attributes)}
            called.update(f.name for attribute in attributes for f in attribute.list.func)
            for name in (called & set(bodies)) - seen:
                seen.add(name)
                pending.append(bodies[name])


def _name(tensor: "keras.KerasTensor") -> str:
    return str(tensor.name).partition(":")[0]


def _fix_batch(shape: "tf.TensorShape") -> "tf.TensorShape | tuple[int, ...]":
    if shape.rank is None or shape.rank == 0:
        return shape
    first, *rest = shape.as_list()
    return (1 if first is None else first, *rest)
