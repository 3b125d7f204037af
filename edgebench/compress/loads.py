"""Whether a runtime takes what was made: a converter's success is no proof of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edgebench.core import Format
from edgebench.errors import CompressionError

ERRORS_ONLY: Final = 3


def check_loads(path: Path, form: Format) -> None:
    """Raise CompressionError, with the runtime's words, where it does not take the file.

    Formats that no runtime here executes are not checked.
    """
    if form in _LOADERS:
        _LOADERS[form](path)


def _load_tflite(path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        # At the size of 1 that stands for a free axis a convolution need not fit its input.
        if all(
            (detail["shape_signature"] >= 0).all() for detail in interpreter.get_input_details()
        ):
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise _refused(path, error) from error


def _load_onnx(path: Path) -> None:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    refusals = (
        *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented),
        *(state.InvalidProtobuf, state.RuntimeException),
    )
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except refusals as error:
        raise _refused(path, error) from error


_LOADERS: Final[Mapping[Format, Callable[[Path], None]]] = {
    Format.TFLITE: _load_tflite,
    Format.ONNX: _load_onnx,
}


def _refused(path: Path, error: Exception) -> CompressionError:
    msg = f"The {path.name} that was made cannot be loaded: {str(error).strip()}"
    return CompressionError(msg, hint="Leave the layer that it names out with skip = [...].")
