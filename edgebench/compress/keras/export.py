"""Convert a Keras model or a SavedModel to float TFLite or ONNX. Runs in a worker process."""

import tempfile
from collections.abc import Callable
from typing import Final

from edgebench.compress.keras.parity import check_parity
from edgebench.compress.keras.source import Source, check_stateless, open_keras, open_saved_model
from edgebench.compress.technique import Outcome, Task
from edgebench.core import Artifact, Format

# Read by every onnxruntime that is still in use on boards. Later sets add nothing that a float
# model of Keras uses; what quantization needs beyond it comes from onnxruntime's own domain.
OPSET: Final = 17


def export_tflite(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert once to float32 TFLite, with the batch fixed to 1.

    Raises:
        CompressionError: The converter refused, or what it wrote computes something else.
    """
    import tensorflow as tf

    from edgebench.compress.tflite.graph import read_tflite_counts

    source = _open(task, progress)
    progress("converting to TFLite")
    if source.keras is not None:
        converter = tf.lite.TFLiteConverter.from_keras_model(source.keras)
        content = converter.convert()
    else:
        content = _convert_module(source)
    path = task.folder / "model.tflite"
    path.write_bytes(content)
    counts = read_tflite_counts(path)
    settings = check_parity(source, path, Format.TFLITE, seed=task.seed)
    return Outcome(path=path, changed=counts.to_json(), settings={"batch": 1, **settings})


def export_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert to float32 ONNX, with the batch fixed to 1.

    Raises:
        CompressionError: The converter refused, or what it wrote computes something else.
    """
    import tf2onnx

    from edgebench.compress.onnx.graph import read_onnx_counts

    source = _open(task, progress)
    progress("converting to ONNX")
    path = task.folder / "model.onnx"
    tf2onnx.convert.from_function(
        source.function, input_signature=source.specs, opset=OPSET, output_path=str(path)
    )
    counts = read_onnx_counts(path)
    settings = check_parity(source, path, Format.ONNX, seed=task.seed)
    return Outcome(
        path=path, changed=counts.to_json(), settings={"batch": 1, "opset": OPSET, **settings}
    )


def _open(task: Task, progress: Callable[[str], None]) -> Source:
    assert task.source is not None
    artifact: Artifact = task.source
    progress(f"opening {artifact.path.name} in TensorFlow")
    is_keras = artifact.format is Format.KERAS
    source = (open_keras if is_keras else open_saved_model)(artifact.path)
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
