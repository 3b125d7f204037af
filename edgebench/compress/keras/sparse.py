"""Convert a pruned Keras model to TFLite with its zeros left out. Runs in a worker process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edgebench.compress.keras.parity import check_parity
from edgebench.compress.keras.source import Source, check_stateless, open_keras
from edgebench.compress.technique import Outcome, Task, Way
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.sparsity import Sparsity, check_tail, read_sparsity
from edgebench.compress.tflite.xnnpack import sparse_faults
from edgebench.core import Format
from edgebench.errors import CompressionError, NoEffect

if TYPE_CHECKING:
    from pydantic import JsonValue

FAKE_QUANTIZATION: Final = "FakeQuant"


def encode_sparse(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert once to float32 TFLite that stores what is not zero, with the batch fixed to 1.

    Raises:
        NoEffect: There are too few zeros: the places of the others would take more than they do.
        CompressionError: The model is one of integers, keeps state, or ends in what ARM devices
            refuse; or the converter refused, or what it wrote computes something else.
    """
    import tensorflow as tf

    assert task.source is not None
    progress(f"opening {task.source.path.name} in TensorFlow")
    source = open_keras(task.source.path, task.code)
    check_stateless(source)
    _check_float(source, task.source.path.name)
    progress("converting to sparse TFLite")
    converter = tf.lite.TFLiteConverter.from_keras_model(source.keras)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    path = task.folder / "model.tflite"
    path.write_bytes(converter.convert())
    sparsity = read_sparsity(path)
    _check_effect(sparsity, task.source.path.name)
    check_tail(path)
    settings = check_parity(source, path, Format.TFLITE, seed=task.seed)
    faults: list[JsonValue] = [*sparse_faults(path)]
    changed = {
        **read_tflite_counts(path).to_json(),
        **sparsity.to_json(),
        "xnnpack_sparse_kernels": not faults,
        "xnnpack_sparse_faults": faults,
    }
    return Outcome(path=path, changed=changed, settings={"batch": 1, **settings})


def _check_float(source: Source, name: str) -> None:
    """Integers and sparse weights together fail to load: "failed to delegate CONV_2D"."""
    graph = source.function.get_concrete_function().graph.as_graph_def()
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    if any(node.op.startswith(FAKE_QUANTIZATION) for body in bodies for node in body):
        msg = f"{name} was trained for integers: its weights cannot be stored sparse."
        raise CompressionError(msg, hint="Drop 'quantize' or 'sparse' from this variant.")


def _check_effect(sparsity: Sparsity, name: str) -> None:
    if sparsity.stored_bytes >= sparsity.dense_bytes:
        found = f"{sparsity.zeros_share:.0%} of the weights that it would encode are zero"
        words = found if sparsity.tensors else "no tensor has zeros enough"
        msg = f"'sparse encode' would not make {name} smaller: {words}."
        raise NoEffect(msg, hint="Prune more: at 50 % the encoding begins to pay.")


WAY: Final = Way(
    name="sparse keras",
    source=Format.KERAS,
    target=Format.TFLITE,
    function=encode_sparse,
    tools=("tensorflow", "keras", "ai-edge-litert"),
)
