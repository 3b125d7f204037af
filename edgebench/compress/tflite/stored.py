"""The weights of a `.tflite` file, one by one, as they are stored."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.stored import Weight, along
from edgebench.compress.tflite.flow import UNPACKS, Flow, read_flow
from edgebench.compress.tflite.graph import WEIGHT_RANK, text_of

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

WEIGHT_INPUT: Final = 1
# The axis of the output channels, by the operation that reads the weights:
# https://www.tensorflow.org/mlir/tfl_ops
CHANNELS: Final[Mapping[str, int]] = {
    "CONV_2D": 0,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 0,
    "TRANSPOSE_CONV": 0,
}


def tflite_weights(path: Path) -> Iterator[Weight]:
    """The constants of rank 2 and more that hold floats or quantized integers.

    Tensors that share a buffer are one weight.
    """
    seen: set[int] = set()
    for flow in read_flow(path):
        for index, tensor in enumerate(flow.graph.tensors):
            if tensor.shape is None or len(tensor.shape) < WEIGHT_RANK or tensor.buffer in seen:
                continue
            values = flow.constant_of(tensor)
            if values is not None:
                seen.add(tensor.buffer)
                yield _weight(tensor, values, _channels(flow, index))


def _weight(tensor: "schema.TensorT", values: NDArray[Any], channels: int | None) -> Weight:
    scale = tensor.quantization.scale if tensor.quantization else None
    point = tensor.quantization.zeroPoint if tensor.quantization else None
    is_channel = scale is not None and len(scale) > 1
    axis = int(tensor.quantization.quantizedDimension) if is_channel else None
    points = np.asarray([0] if point is None or not len(point) else point, np.int64)
    return Weight(
        name=text_of(tensor.name),
        values=values,
        axis=axis,
        zero_point=along(points, axis or 0, values.ndim) if len(points) > 1 else points[0],
        channels=channels,
    )


def _channels(flow: Flow, index: int) -> int | None:
    """The axis of the output channels of the operation that reads it as its weights."""
    for reader in flow.readers.get(index, []):
        kind = flow.kind(reader)
        is_weight = list(reader.inputs).index(index) == WEIGHT_INPUT
        if kind in UNPACKS:
            return _channels(flow, int(reader.outputs[0]))
        if is_weight and kind == "BATCH_MATMUL":
            return len(flow.shape(index)) - (2 if reader.builtinOptions.adjY else 1)
        if is_weight and kind in CHANNELS:
            return CHANNELS[kind]
    return None
