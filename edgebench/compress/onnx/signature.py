"""What an `.onnx` file says of its inputs and outputs, by onnxruntime."""

import mmap
import os
import re
from pathlib import Path
from typing import Any, Final

from edgebench.core import TensorSpec
from edgebench.errors import ConfigError
from edgebench.runner import ENVIRONMENT

# onnxruntime's words for element types, where they are not numpy's.
DTYPES: Final = {"float": "float32", "double": "float64"}
# In the words of onnxruntime 1.32, and of 1.27.
NO_GRAPH: Final = ("No graph was found", "does not have a graph")
FATAL_ONLY: Final = 4
# A tensor's entry `location`, as protobuf writes it: key, its length, the value's tag.
EXTERNAL_DATA: Final = b"\x0a\x08location\x12"


def read_onnx_signature(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of an `.onnx` file; none where it is whole but onnxruntime refuses it.

    Raises:
        ConfigError: The file is no ONNX model, or is cut off.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    refusals = (
        *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented),
        *(state.NoSuchFile, state.RuntimeException),
    )
    _check_whole(path)
    options = ort.SessionOptions()
    # To read a signature nothing is optimized, and what onnxruntime thinks of it is not printed.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = FATAL_ONLY
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except state.InvalidProtobuf as error:
        raise _no_model(path) from error
    except refusals as error:
        if any(words in str(error) for words in NO_GRAPH):
            raise _no_model(path) from error
        return (), ()
    return _specs(session.get_inputs()), _specs(session.get_outputs())


def _check_whole(path: Path) -> None:
    """Refuse a model whose weights lie in a second file: a variant is one file everywhere here."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view.find(EXTERNAL_DATA) >= 0:
            msg = f"{str(path)!r} keeps its weights in another file beside it."
            hint = "Write it as one file: onnx.save(onnx.load('x.onnx'), 'whole.onnx')."
            raise ConfigError(msg, hint=hint)


def _no_model(path: Path) -> ConfigError:
    with path.open("rb") as stream:
        head = stream.read(16)
    msg = f"{str(path)!r} is no whole ONNX model: it begins with {head!r}."
    return ConfigError(msg, hint="Was its download cut off, or is it a text file?")


def _specs(values: list[Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name=value.name, shape=_shape(value.shape), dtype=_dtype(value.type))
        for value in values
    )


def _shape(axes: list[Any] | None) -> tuple[int | None, ...] | None:
    if axes is None:
        return None
    return tuple(axis if isinstance(axis, int) and axis >= 0 else None for axis in axes)


def _dtype(said: str) -> str:
    """Numpy's name of `tensor(float)`; other words, of sequences and maps, stay as they are.

    >>> [_dtype(said) for said in ("tensor(float)", "tensor(int64)", "seq(map(int64,float))")]
    ['float32', 'int64', 'seq(map(int64,float))']
    """
    tensor = re.fullmatch(r"tensor\((\w+)\)", said)
    return DTYPES.get(tensor[1], tensor[1]) if tensor else said
