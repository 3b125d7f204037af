"""Operations that multiply each channel by a number and add one: what a normalization comes to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.onnx.net import Net

if TYPE_CHECKING:
    import onnx

Float64s = NDArray[np.float64]

# https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
EPSILON: Final = 1e-5
ARITHMETIC: Final = frozenset({"Mul", "Div", "Add", "Sub"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """`scale * x + shift`, both of shape `(channels,)`."""

    scale: Float64s
    shift: Float64s

    def then(self, after: "Affine") -> "Affine":
        """Both in one."""
        return Affine(scale=self.scale * after.scale, shift=self.shift * after.scale + after.shift)


def read_affine(
    net: Net, node: "onnx.NodeProto", value: str, *, channels: int, axis: int, rank: int | None
) -> Affine | None:
    """What a node does to each channel of one of its inputs; None where it does something else.

    Args:
        net: Holds the constants that it does it by.
        node: Any node.
        value: The input that is not constant.
        channels: How many there are.
        axis: Along which they lie; -1 for the last.
        rank: Of the input; None where it is not known.
    """
    if node.op_type == "BatchNormalization" and node.input[0] == value:
        # It takes the channels to lie along axis 1.
        return _normalization(net, node, channels) if axis == 1 or rank == 2 else None
    if node.op_type not in ARITHMETIC or len(set(node.input)) != 2:
        return None
    place = list(node.input).index(value)
    array = net.arrays.get(node.input[1 - place])
    spread = None if array is None else per_channel(array, channels, axis=axis, rank=rank)
    if spread is None or (place == 1 and node.op_type in {"Div", "Sub"}):
        return None
    return _arithmetic(node.op_type, spread)


def per_channel(
    array: NDArray[np.float32], channels: int, *, axis: int, rank: int | None
) -> Float64s | None:
    """A constant as one number a channel; None where it is none, or would add axes.

    >>> per_channel(np.ones((4, 1, 1), np.float32), 4, axis=1, rank=4)
    array([1., 1., 1., 1.])
    >>> per_channel(np.ones((4,), np.float32), 4, axis=1, rank=4) is None
    True
    """
    # One axis is what every product has.
    known = rank if rank is not None else 1
    if array.ndim > known:
        return None
    shape = (1,) * (known - array.ndim) + array.shape
    others = [size for place, size in enumerate(shape) if place != axis % known]
    if any(size != 1 for size in others) or shape[axis] not in {1, channels}:
        return None
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (channels,))


def _normalization(net: Net, node: "onnx.NodeProto", channels: int) -> Affine | None:
    found = [net.arrays[name] for name in node.input[1:] if name in net.arrays]
    # One that still learns puts out its statistics too.
    if any(node.output[1:]) or [array.shape for array in found] != [(channels,)] * 4:
        return None
    gain, offset, mean, variance = (array.astype(np.float64) for array in found)
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), EPSILON)
    scale = gain / np.sqrt(variance + epsilon)
    return Affine(scale=scale, shift=offset - mean * scale)


def _arithmetic(kind: str, numbers: Float64s) -> Affine:
    ones, zeros = np.ones_like(numbers), np.zeros_like(numbers)
    if kind == "Mul":
        return Affine(scale=numbers, shift=zeros)
    if kind == "Div":
        return Affine(scale=1 / numbers, shift=zeros)
    return Affine(scale=ones, shift=numbers if kind == "Add" else -numbers)
