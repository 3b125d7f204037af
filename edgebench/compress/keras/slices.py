"""A layer of Keras with fewer channels: its configuration, and which parts of its weights stay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Mask = NDArray[np.bool_]
# One entry a channel.
Row = NDArray[Any]


class Side(StrEnum):
    """What an axis of a weight runs over."""

    READ = "channels that go in"
    MADE = "channels that come out"
    BLOCK = "channels of one group that go in"
    SPREAD = "channels between the two halves of a separable convolution"


Axes = Mapping[int, Side]

_BIAS: Final[Mapping[str, Axes]] = {"bias": {0: Side.MADE}}
_DENSE: Final[Mapping[str, Axes]] = {"kernel": {-2: Side.READ, -1: Side.MADE}, **_BIAS}
_CONVOLUTION: Final[Mapping[str, Axes]] = {"kernel": {-2: Side.BLOCK, -1: Side.MADE}, **_BIAS}
_TRANSPOSED: Final[Mapping[str, Axes]] = {"kernel": {-1: Side.READ, -2: Side.MADE}, **_BIAS}
_DEPTHWISE: Final[Mapping[str, Axes]] = {"kernel": {-2: Side.READ}, **_BIAS}
_SEPARABLE: Final[Mapping[str, Axes]] = {
    "depthwise_kernel": {-2: Side.READ},
    "pointwise_kernel": {-2: Side.SPREAD, -1: Side.MADE},
    **_BIAS,
}
_NORMALIZATION: Final[Mapping[str, Axes]] = {
    name: {0: Side.MADE} for name in ("gamma", "beta", "moving_mean", "moving_variance")
}

# By the class of a layer, for each of its weights: which of its axes run over channels.
AXES: Final[Mapping[str, Mapping[str, Axes]]] = {
    "Dense": _DENSE,
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Conv3D": _CONVOLUTION,
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv3DTranspose": _TRANSPOSED,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "BatchNormalization": _NORMALIZATION,
    "PReLU": {"alpha": {-1: Side.MADE}},
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """A layer, and which of its channels stay.

    Attributes:
        reads: One truth value for each channel that goes in, `(in,)`.
        makes: One for each that comes out, `(out,)`.
    """

    layer: "keras.Layer"
    reads: Mask
    makes: Mask

    @property
    def is_whole(self) -> bool:
        """Whether nothing goes."""
        return bool(self.reads.all() and self.makes.all())


def knows_weights(layer: "keras.Layer") -> bool:
    """Whether it is known how all weights of the layer are cut, such as none of a quantized one."""
    return {weight.name for weight in layer.weights} <= set(AXES.get(type(layer).__name__, {}))


def kernel_of(layer: "keras.Layer") -> tuple[Any, int]:
    """The variable whose weights make the layer's channels, and the axis that runs over them."""
    axes = AXES[type(layer).__name__]
    for variable in layer.weights:
        for axis, side in axes[variable.name].items():
            if side is Side.MADE and len(variable.shape) >= 2:
                return variable, axis
    raise TypeError(type(layer).__name__)


def is_depthwise(layer: "keras.Layer", channels: int) -> bool:
    """Whether it is a convolution with as many groups as channels go in."""
    return bool(getattr(layer, "groups", 1) == channels > 1)


def changes_of(cut: Cut) -> dict[str, Any]:
    """What is different in the configuration of a cut layer."""
    layer, name, width = cut.layer, type(cut.layer).__name__, int(cut.makes.sum())
    if name == "Dense":
        return {"units": width}
    if name == "Reshape":
        last = layer.target_shape[-1]
        return {"target_shape": (*layer.target_shape[:-1], width if last != -1 else -1)}
    if is_depthwise(layer, cut.reads.size):
        return {"filters": width, "groups": int(cut.reads.sum())}
    return {"filters": width} if "filters" in layer.get_config() else {}


def cut_shapes(cut: Cut) -> list[tuple[int, ...]]:
    """The shapes that the layer's weights will have, by counting."""
    shapes = []
    for variable in cut.layer.weights:
        shape = list(variable.shape)
        for axis, stays in _stays(cut, variable).items():
            shape[axis] = int(stays.sum())
        shapes.append(tuple(shape))
    return shapes


def cut_weights(cut: Cut) -> list[NDArray[Any]]:
    """What stays of the layer's weights, in their order."""
    arrays = []
    for variable in cut.layer.weights:
        array = np.asarray(variable.numpy())
        for axis, stays in _stays(cut, variable).items():
            array = np.compress(stays, array, axis=axis)
        arrays.append(array)
    return arrays


def channel_axes(layer: "keras.Layer", reads: Row, makes: Row) -> Iterator[tuple[Any, int, Row]]:
    """Each axis of the layer's weights that runs over channels: the variable, the axis, its row.

    Args:
        reads: One entry for each channel that goes in, `(in,)`; a row of what is up to the caller.
        makes: The same for those that come out, `(out,)`.
    """
    name = type(layer).__name__
    for variable in layer.weights:
        if name == "PReLU" and variable.shape[-1] == 1:
            continue
        for axis, side in AXES.get(name, {}).get(variable.name, {}).items():
            row = _of_side(layer, side, reads, makes)
            if row is not None:
                yield variable, axis, row


def _stays(cut: Cut, variable: Any) -> dict[int, Mask]:  # noqa: ANN401 - Keras' own
    axes = channel_axes(cut.layer, cut.reads, cut.makes)
    return {axis: mask for one, axis, mask in axes if one is variable}


def _of_side(layer: "keras.Layer", side: Side, reads: Row, makes: Row) -> Row | None:
    if side is Side.MADE:
        return makes
    if side is Side.SPREAD:
        return np.repeat(reads, layer.depth_multiplier)
    if side is Side.READ:
        return reads
    if is_depthwise(layer, reads.size):
        return None
    # All groups lose the same of their channels: they are tied.
    return reads[: reads.size // getattr(layer, "groups", 1)]
