"""Convert a Keras model or a SavedModel to TFLite or ONNX. Runs in a worker process.

What comes out is float, unless the model was trained to be quantized: then it is all integers.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgebench.compress.keras.fake_quant import Ends, ends_of
from edgebench.compress.keras.likeness import check_likeness
from edgebench.compress.keras.parity import check_parity
from edgebench.compress.keras.source import Source, check_stateless, open_keras, open_saved_model
from edgebench.compress.loads import check_loads
from edgebench.compress.technique import Outcome, Task
from edgebench.core import Artifact, Format

if TYPE_CHECKING:
    from pydantic import JsonValue

# Read by every onnxruntime that is still in use on boards. Later sets add nothing that a float
# model of Keras uses; what quantization needs beyond it comes from onnxruntime's own domain.
OPSET: Final = 17


def export_tflite(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert once to TFLite, with the batch fixed to 1.

    Raises:
        CompressionError: The converter refused, or what it wrote computes something else.
    """
    from edgebench.compress.tflite.graph import read_tflite_counts

    source = _open(task, progress)
    progress("converting to TFLite")
    path = task.folder / "model.tflite"
    ends = _ends_of(source)
    path.write_bytes(_to_tflite(source, io=ends.io if ends else None))
    settings: dict[str, JsonValue] = {"batch": 1}
    if ends is not None:
        settings["io"] = ends.io
        check_loads(path, Format.TFLITE)
    check = check_likeness if ends else check_parity
    settings |= check(source, path, Format.TFLITE, seed=task.seed)
    return Outcome(path=path, changed=read_tflite_counts(path).to_json(), settings=settings)


def export_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert to ONNX, with the batch fixed to 1.

    Raises:
        CompressionError: The converter refused, or what it wrote computes something else.
    """
    from edgebench.compress.onnx.graph import read_onnx_counts

    source = _open(task, progress)
    progress("converting to ONNX")
    path = task.folder / "model.onnx"
    ends = _ends_of(source)
    settings: dict[str, JsonValue] = {"batch": 1, "opset": OPSET}
    if ends is None:
        _to_onnx(source, path)
    else:
        settings["scheme"] = ends.scheme
        _to_integer_onnx(source, path, ends)
        check_loads(path, Format.ONNX)
    check = check_likeness if ends else check_parity
    settings |= check(source, path, Format.ONNX, seed=task.seed)
    return Outcome(path=path, changed=read_onnx_counts(path).to_json(), settings=settings)


def _ends_of(source: Source) -> Ends | None:
    """What a step that rounded the model wants of its files; None for a float model."""
    return ends_of(source.keras) if source.keras is not None else None


def _to_tflite(source: Source, *, io: str | None) -> bytes:
    """The bytes of a `.tflite`; `io` is None for a float model."""
    import tensorflow as tf

    if source.keras is None:
        return _convert_module(source)
    converter = tf.lite.TFLiteConverter.from_keras_model(source.keras)
    if io is not None:
        # So the converter makes integers of what is rounded in the graph, and leaves alone what is
        # not; without it the file holds uint8 activations and float weights.
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if io == "int":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _to_onnx(source: Source, path: Path) -> None:
    import tf2onnx

    tf2onnx.convert.from_function(
        source.function, input_signature=source.specs, opset=OPSET, output_path=str(path)
    )


def _to_integer_onnx(source: Source, path: Path, ends: Ends) -> None:
    """By way of TFLite: of a rounded function tf2onnx keeps the weights as float."""
    from edgebench.compress.onnx.integer import convert_integers

    with tempfile.TemporaryDirectory() as folder:
        between = Path(folder) / "model.tflite"
        between.write_bytes(_to_tflite(source, io="float"))
        convert_integers(between, path, opset=OPSET, is_unsigned=ends.scheme == "u8s8")


def _open(task: Task, progress: Callable[[str], None]) -> Source:
    assert task.source is not None
    artifact: Artifact = task.source
    progress(f"opening {artifact.path.name} in TensorFlow")
    if artifact.format is Format.KERAS:
        source = open_keras(artifact.path, task.code)
    else:
        source = open_saved_model(artifact.path)
    check_stateless(source)
    return source


def _convert_module(source: Source) -> bytes:
    """Convert a function by way of a SavedModel of its own.

    from_concrete_functions would do it in one go, but turns the weights into variables that no
    interpreter initializes where it is given their owner.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.owner = source.owner
        module.compute = source.function
        # The signature's argument names are the input names of the .tflite file.
        tf.saved_model.save(module, folder, signatures=source.function.get_concrete_function())
        return bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert())
