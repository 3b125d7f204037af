"""What each layer of Keras does to the channels of what it reads: the last axis of its tensors.

A rule says of one call which channels come out. What has no rule is not followed: the channels that
reach it stay, and so do those that it makes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgebench.compress.keras.slices import is_depthwise, knows_weights
from edgebench.compress.keras.ties import Channels, Ties


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Use:
    """One call of a layer or an operation.

    Attributes:
        inputs: The channels of each tensor that goes in.
        shapes: Of these tensors; an axis may be None.
        shape: Of the tensor that comes out; None where several do.
        constants: What else an operation is called with.
        is_shared: Whether the model calls the layer more than once.
    """

    layer: Any
    inputs: tuple[Channels, ...]
    shapes: tuple[tuple[int | None, ...], ...]
    shape: tuple[int | None, ...] | None
    constants: tuple[Any, ...]
    is_shared: bool

    @property
    def title(self) -> str:
        """The layer's name, as it begins a reason."""
        return repr(self.layer.name)


# The channels that come out; or why they cannot be said, as the rest of a sentence.
Rule = Callable[[Use, Ties], Channels | str]

ELEMENTWISE: Final = frozenset(
    (
        *("linear", "relu", "relu6", "leaky_relu", "threshold", "elu", "selu", "celu", "gelu"),
        *("silu", "mish", "hard_silu", "sigmoid", "hard_sigmoid", "log_sigmoid", "tanh"),
        *("hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink", "softplus", "sparse_plus"),
        *("squareplus", "softsign", "exponential"),
    )
)
ACTIVATION_LAYERS: Final = frozenset({"ReLU", "LeakyReLU", "ELU"})


def channels_out(use: Use, ties: Ties) -> Channels | str:
    """The channels that a call makes, what it ties noted; or why it is not followed."""
    rule = _rule_of(use.layer)
    if rule is None or use.shape is None or use.shape[-1] is None:
        return f"{use.title} ({type(use.layer).__name__}) is not followed"
    weights = getattr(use.layer, "weights", [])
    if use.is_shared and (weights or rule is _reshape):
        return f"{use.title} is called more than once"
    if weights and not use.layer.trainable:
        return f"{use.title} is not trainable"
    if getattr(use.layer, "data_format", None) == "channels_first":
        return f"{use.title} has its channels first"
    if weights and not knows_weights(use.layer):
        return f"{use.title} holds weights that are not known"
    found = rule(use, ties)
    return f"{use.title} {found}" if isinstance(found, str) else found


def _rule_of(layer: Any) -> Rule | None:  # noqa: ANN401 - Keras' own
    # A class of the user's may do anything, whatever its name.
    module, name = type(layer).__module__, type(layer).__name__
    if module.startswith("keras.src.layers."):
        return LAYERS.get(name)
    return OPERATIONS.get(name) if module.startswith("keras.src.ops.") else None


def _same(use: Use, _: Ties) -> Channels | str:
    return use.inputs[0] if len(use.inputs) == 1 else "reads more than one tensor"


def _activation(use: Use, ties: Ties) -> Channels | str:
    return (
        _same(use, ties)
        if _is_elementwise(use.layer.activation)
        else "has an activation over all of its channels"
    )


def _rescaling(use: Use, ties: Ties) -> Channels | str:
    plain = np.ndim(use.layer.scale) == 0 and np.ndim(use.layer.offset) == 0
    return _same(use, ties) if plain else "has a scale for each channel"


def _dropout(use: Use, ties: Ties) -> Channels | str:
    # Blocks of EfficientNet are dropped whole: (None, 1, 1, 1).
    shape = getattr(use.layer, "noise_shape", None)
    is_plain = shape is None or shape[-1] in (None, 1)
    return _same(use, ties) if is_plain else "has noise for each channel"


def _normalization(use: Use, ties: Ties) -> Channels | str:
    is_last = use.layer.axis in (-1, len(use.shapes[0]) - 1)
    return _same(use, ties) if is_last else "normalizes another axis than the last"


def _reshape(use: Use, ties: Ties) -> Channels | str:
    """Rows of channels in a row, or a row of channels in rows: the rest moves the channels."""
    assert use.shape is not None
    before, after = use.inputs[0], use.shape[-1]
    assert after is not None
    if use.shapes[0][-1] is None:
        return "reads tensors of any width"
    if after % before.size == 0:
        return np.asarray(np.tile(before, after // before.size), np.int64)
    if before.size % after == 0:
        return _alike(before.reshape(-1, after), ties)
    return "moves channels to other axes"


def _alike(rows: Channels, ties: Ties) -> Channels:
    """Tie rows `(rows, channels)` to the first, which is given back."""
    first = np.asarray(rows[0], np.int64)
    ties.tie(rows[1:], np.broadcast_to(first, rows[1:].shape))
    return first


def _permute(use: Use, ties: Ties) -> Channels | str:
    is_last = bool(use.layer.dims[-1] == len(use.layer.dims))
    return _same(use, ties) if is_last else "moves channels to another axis"


def _depthwise(use: Use, _: Ties) -> Channels | str:
    if not _is_elementwise(use.layer.activation):
        return "has an activation over all of its channels"
    multiplier: int = use.layer.depth_multiplier
    return np.repeat(use.inputs[0], multiplier)


def _made(use: Use, ties: Ties) -> Channels:
    """What a layer makes of all that it reads."""
    assert use.shape is not None
    assert use.shape[-1] is not None
    made = ties.number(use.shape[-1], use.layer)
    if not _is_elementwise(use.layer.activation):
        ties.hold(made, f"{use.title} has an activation over all of its channels")
    return made


def _convolution(use: Use, ties: Ties) -> Channels | str:
    groups: int = use.layer.groups
    read = use.inputs[0]
    if is_depthwise(use.layer, read.size):
        if not _is_elementwise(use.layer.activation):
            return "has an activation over all of its channels"
        return np.repeat(read, use.layer.filters // groups)
    made = _made(use, ties)
    for channels in (read, made):
        # Every group must lose the same of its channels, for all have as many.
        _alike(channels.reshape(groups, -1), ties)
    return made


def _merge(use: Use, ties: Ties) -> Channels | str:
    """Element by element: channels meet at the same place; one alone meets all of the others."""
    if any(np.ndim(constant) for constant in use.constants):
        return "holds a constant for each channel"
    if len({len(shape) for shape in use.shapes}) > 1:
        return "reads tensors of different ranks"
    widest = max(use.inputs, key=lambda channels: channels.size)
    for channels in use.inputs:
        if channels.size == widest.size:
            ties.tie(channels, widest)
        else:
            ties.hold(channels, f"{use.title} spreads it over all channels")
    return widest


def _concatenate(use: Use, ties: Ties) -> Channels | str:
    rank = len(use.shapes[0])
    if use.layer.axis in (-1, rank - 1):
        return np.concatenate(use.inputs)
    for channels in use.inputs[1:]:
        ties.tie(channels, use.inputs[0])
    return use.inputs[0]


def _is_elementwise(activation: Any) -> bool:  # noqa: ANN401 - Keras' own
    if getattr(activation, "__module__", "") == "keras.src.activations.activations":
        return getattr(activation, "__name__", "") in ELEMENTWISE
    kind = type(activation)
    return kind.__module__.startswith("keras.src.layers.") and kind.__name__ in ACTIVATION_LAYERS


def _in_dimensions(*names: str) -> list[str]:
    return [f"{name}{rank}D" for name in names for rank in (1, 2, 3)]


LAYERS: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(
        (
            *("ReLU", "LeakyReLU", "ELU", "PReLU", "Identity", "Masking", "RepeatVector"),
            *("ActivityRegularization", "GaussianNoise", "Resizing"),
            *_in_dimensions("MaxPooling", "AveragePooling"),
            *_in_dimensions("AdaptiveMaxPooling", "AdaptiveAveragePooling"),
            *_in_dimensions("GlobalMaxPooling", "GlobalAveragePooling"),
            *_in_dimensions("ZeroPadding", "Cropping", "UpSampling", "SpatialDropout"),
        ),
        _same,
    ),
    **dict.fromkeys(("Dropout", "AlphaDropout", "GaussianDropout"), _dropout),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _merge),
    **dict.fromkeys(_in_dimensions("Conv"), _convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(
        (
            *("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
            *("SeparableConv1D", "SeparableConv2D", "Dense"),
        ),
        _made,
    ),
    "Activation": _activation,
    "BatchNormalization": _normalization,
    "Concatenate": _concatenate,
    "Flatten": _reshape,
    "Permute": _permute,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
}

OPERATIONS: Final[Mapping[str, Rule]] = dict.fromkeys(
    (
        *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Sigmoid", "Tanh"),
        *("HardSigmoid", "HardSilu", "HardTanh", "Softplus", "Softsign", "LogSigmoid"),
        *("Absolute", "Abs", "Negative", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Erf"),
        *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power"),
    ),
    _merge,
)
