"""What a `.tflite` file says of its inputs and outputs, by ai-edge-litert."""

from pathlib import Path
from typing import Any, Final

from edgebench.core import Quantization, TensorSpec
from edgebench.errors import ConfigError

IDENTIFIER: Final = b"TFL3"


def read_tflite_signature(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a `.tflite` file, by the names of its signature where it has one.

    Nothing is allocated, so that a file with an operation that is unknown here can be read.

    Raises:
        ConfigError: The file is no TFLite model, or is cut off.
    """
    from ai_edge_litert.interpreter import Interpreter

    with path.open("rb") as stream:
        head = stream.read(8)
    if head[4:] != IDENTIFIER:
        msg = f"{str(path)!r} is no TFLite model: it begins with {head!r}."
        raise ConfigError(msg, hint="A .tflite file has 'TFL3' at its fifth byte.")
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
    except (ValueError, RuntimeError) as error:
        msg = f"{str(path)!r} cannot be read as a TFLite model: {str(error).strip()}"
        raise ConfigError(msg, hint="Was its download or export cut off?") from error
    signatures = list(interpreter._get_full_signature_list().values())
    only = signatures[0] if len(signatures) == 1 else {"inputs": {}, "outputs": {}}
    return (
        _specs(interpreter.get_input_details(), only["inputs"]),
        _specs(interpreter.get_output_details(), only["outputs"]),
    )


def _specs(details: list[dict[str, Any]], signature: dict[str, int]) -> tuple[TensorSpec, ...]:
    names = {index: name for name, index in signature.items()}
    if sorted(names) != sorted(detail["index"] for detail in details):
        names = {}
    return tuple(_spec(detail, names.get(detail["index"], detail["name"])) for detail in details)


def _spec(detail: dict[str, Any], name: str) -> TensorSpec:
    axes = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    scale, zero_point = detail["quantization"]
    dtype = detail["dtype"].__name__
    return TensorSpec(
        name=name,
        shape=tuple(int(axis) if axis >= 0 else None for axis in axes),
        dtype="string" if dtype in ("bytes_", "str_") else dtype.rstrip("_"),
        quantization=Quantization(scale=float(scale), zero_point=int(zero_point))
        if scale
        else None,
    )
