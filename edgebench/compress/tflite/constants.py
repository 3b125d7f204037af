"""The numbers of a constant in a `.tflite` file, out of all the forms that it may be stored in."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

Bytes = NDArray[np.uint8]


def _as(dtype: str) -> Callable[[Bytes, int], NDArray[Any]]:
    return lambda stored, count: stored.view(dtype)[:count]


def _unpack(bits: int, *, is_signed: bool) -> Callable[[Bytes, int], NDArray[Any]]:
    """Several integers a byte, the first in the lowest bits.

    >>> _unpack(4, is_signed=True)(np.array([0xF1], np.uint8), 2).tolist()
    [1, -1]
    """
    shifts = np.arange(0, 8, bits, dtype=np.uint8)

    def unpack(stored: Bytes, count: int) -> NDArray[Any]:
        fields = (stored[:, np.newaxis] >> shifts) & np.uint8(2**bits - 1)
        integers = fields.reshape(-1)[:count].astype(np.int8)
        sign = 2 ** (bits - 1)
        return np.where(integers >= sign, integers - 2 * sign, integers) if is_signed else integers

    return unpack


def _bfloat16(stored: Bytes, count: int) -> NDArray[Any]:
    """The upper half of a float32."""
    return (stored.view("<u2")[:count].astype("<u4") << 16).view("<f4")


# By element type of the schema. What is not here holds no weights: sizes, axes, texts, truths.
READERS: Final[Mapping[str, Callable[[Bytes, int], NDArray[Any]]]] = {
    "FLOAT32": _as("<f4"),
    "FLOAT16": _as("<f2"),
    "FLOAT64": _as("<f8"),
    "BFLOAT16": _bfloat16,
    "INT8": _as("i1"),
    "UINT8": _as("u1"),
    "INT16": _as("<i2"),
    "INT4": _unpack(4, is_signed=True),
    "UINT4": _unpack(4, is_signed=False),
    "INT2": _unpack(2, is_signed=True),
}


def stored_bytes(model: "schema.ModelT", content: bytes, tensor: "schema.TensorT") -> Bytes:
    """What the file holds of a tensor; nothing where it is computed.

    Args:
        model: As `content` describes it.
        content: The whole file: a large buffer lies behind the flatbuffer, which then holds no more
            than its offset and size.
        tensor: One of the model's.
    """
    buffer = model.buffers[tensor.buffer]
    if buffer.size:
        return np.frombuffer(content, np.uint8, int(buffer.size), int(buffer.offset))
    if buffer.data is None:
        return np.zeros(0, np.uint8)
    return np.asarray(buffer.data, np.uint8)


def read_constant(
    model: "schema.ModelT", content: bytes, tensor: "schema.TensorT", kind: str
) -> NDArray[Any] | None:
    """The constant as a dense array; None where the tensor is computed, or holds no weights.

    Args:
        model: As `content` describes it.
        content: The whole file.
        tensor: One of the model's.
        kind: The name of its element type.
    """
    stored = stored_bytes(model, content, tensor)
    if not stored.size or kind not in READERS or tensor.shape is None:
        return None
    shape = tuple(int(length) for length in tensor.shape)
    if tensor.sparsity is not None:
        return densify(READERS[kind](stored, stored.size), tensor.sparsity, shape)
    return READERS[kind](stored, int(np.prod(shape))).reshape(shape)


def densify(
    values: NDArray[Any], sparsity: "schema.SparsityParametersT", shape: tuple[int, ...]
) -> NDArray[Any]:
    """The dense array of which a file holds the values that are not zero.

    Each level of the format is one axis, in the order of traversal: a dense one counts up, a
    compressed one (CSR) lists its indices within segments. Blocks are axes of their own, behind
    those of the tensor. As FormatConverter::SparseToDense of TensorFlow Lite does it,
    https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/internal/utils/sparsity_format_converter.cc

    Args:
        values: In the order of the format; more than it names are padding.
        sparsity: The format.
        shape: Of the dense array.
    """
    order = [int(axis) for axis in sparsity.traversalOrder]
    blocks = [] if sparsity.blockMap is None else [int(axis) for axis in sparsity.blockMap]
    places, count = _places(sparsity)
    steps = dict.fromkeys(range(len(shape)), 1)
    for level, axis in enumerate(order):
        if axis >= len(shape):
            steps[blocks[axis - len(shape)]] = int(sparsity.dimMetadata[level].denseSize)
    indices = np.zeros((len(shape), count), np.int64)
    for place, axis in zip(places, order, strict=True):
        is_block = axis >= len(shape)
        target = blocks[axis - len(shape)] if is_block else axis
        indices[target] += place if is_block else place * steps[axis]
    dense = np.zeros(shape, values.dtype)
    dense[tuple(indices)] = values[:count]
    return dense


def _places(sparsity: "schema.SparsityParametersT") -> tuple[list[NDArray[np.int64]], int]:
    """By level the index of every stored value, and how many values there are."""
    from ai_edge_litert import schema_py_generated as schema

    places: list[NDArray[np.int64]] = []
    count = 1
    for level in sparsity.dimMetadata:
        if level.format == schema.DimensionType.DENSE:
            size = int(level.denseSize)
            repeats = np.full(count, size)
            own = np.tile(np.arange(size), count)
        else:
            segments = np.asarray(level.arraySegments.values, np.int64)
            repeats = segments[1:] - segments[:-1]
            own = np.asarray(level.arrayIndices.values, np.int64)
        places = [np.repeat(place, repeats) for place in places]
        places.append(own)
        count = len(own)
    return places, count
