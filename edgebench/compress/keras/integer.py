"""What an integer graph knows of Keras' layers: where its tensors are rounded, and where not.

The rules are LiteRT's: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from edgebench.compress.keras.fold import kind_of
from edgebench.compress.keras.surgery import Call


class Role(StrEnum):
    """What a layer is to an integer graph.

    `KERNEL` multiplies by weights. `OPERATION` computes, and puts out a range of its own.
    `CLAMP` is part of the operation before it: nothing is rounded between the two. `PASS` moves
    values and computes none. `AVERAGE` computes values between those that it takes, and puts out
    their scale: a range of its own would be forced upon its input. `UNIT` and `SIGNED` put out a
    scale that the kernel prescribes.
    """

    KERNEL = "kernel"
    OPERATION = "operation"
    CLAMP = "clamp"
    PASS = "pass"
    AVERAGE = "average"
    UNIT = "unit"
    SIGNED = "signed"


# Of softmax and sigmoid: 1/256 a step; of tanh: 1/128.
FIXED: Final[Mapping[Role, tuple[float, float]]] = {
    Role.UNIT: (0.0, 255 / 256),
    Role.SIGNED: (-1.0, 127 / 128),
}
# What takes exactly two tensors; of more, a chain is made first.
PAIRS: Final = frozenset({"Add", "Subtract", "Multiply", "Maximum", "Minimum"})
# What a clamp behind it becomes a part of.
CLAMPED: Final = frozenset({"Add", "Subtract", "Multiply"})
# Activations that cost nothing behind a kernel or a sum.
CLAMPS: Final = frozenset({"linear", "relu", "relu6"})
# By the name of an activation, or of an operation of Keras, or of a layer.
ACTIVATIONS: Final[Mapping[str, Role]] = {
    "linear": Role.PASS,
    "relu": Role.CLAMP,
    "relu6": Role.CLAMP,
    "leaky_relu": Role.OPERATION,
    "silu": Role.OPERATION,
    "hard_silu": Role.OPERATION,
    "gelu": Role.OPERATION,
    "sigmoid": Role.UNIT,
    "softmax": Role.UNIT,
    "tanh": Role.SIGNED,
}
KINDS: Final[Mapping[str, Role]] = {
    **dict.fromkeys(("Dense", "Conv1D", "Conv2D", "DepthwiseConv2D"), Role.KERNEL),
    "Conv2DTranspose": Role.KERNEL,
    **dict.fromkeys(PAIRS, Role.OPERATION),
    **dict.fromkeys(("Concatenate", "LeakyReLU", "PReLU"), Role.OPERATION),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), Role.OPERATION),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), Role.AVERAGE),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), Role.PASS),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), Role.PASS),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D"), Role.PASS),
    **dict.fromkeys(("Flatten", "Reshape", "Permute", "RepeatVector", "Identity"), Role.PASS),
    **dict.fromkeys(("Transpose", "Squeeze", "ExpandDims"), Role.PASS),
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D"), Role.PASS),
    **dict.fromkeys(("GaussianNoise", "GaussianDropout", "ActivityRegularization"), Role.PASS),
    **dict.fromkeys(("Relu", "Relu6"), Role.CLAMP),
    **dict.fromkeys(("Silu", "HardSilu"), Role.OPERATION),
    "Sigmoid": Role.UNIT,
    "Tanh": Role.SIGNED,
}


def role_of(call: Call) -> Role | None:
    """What the layer is to an integer graph; None where integer kernels do not know it."""
    kind = kind_of(call.layer)
    if kind in PAIRS and len(call.inputs) != 2:
        return None
    if kind in _BY_SETTINGS:
        return _BY_SETTINGS[kind](call.layer)
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        return None
    if KINDS.get(kind) is Role.KERNEL and activation_of(call.layer) not in CLAMPS:
        return None
    return KINDS.get(kind)


def activation_of(layer: Any) -> str:  # noqa: ANN401 - Keras' own
    """The name of its activation; empty for a function that is not Keras' own."""
    import keras

    own = layer.activation
    if own is None:
        return "linear"
    name = getattr(own, "__name__", "")
    return name if own is getattr(keras.activations, name, None) else ""


def is_affine(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    """Whether it multiplies each channel by one number, and adds one."""
    import keras

    return isinstance(layer, keras.layers.DepthwiseConv2D) and layer.kernel_size == (1, 1)


def _activation(layer: Any) -> Role | None:  # noqa: ANN401 - Keras' own
    return ACTIVATIONS.get(activation_of(layer))


def _relu(layer: Any) -> Role | None:  # noqa: ANN401 - Keras' own
    if layer.threshold or layer.max_value not in (None, 6.0):
        return None
    if not layer.negative_slope:
        return Role.CLAMP
    return Role.OPERATION if layer.max_value is None else None


def _softmax(layer: Any) -> Role | None:  # noqa: ANN401 - Keras' own
    return Role.UNIT if layer.axis == -1 else None


def _enlarge(layer: Any) -> Role | None:  # noqa: ANN401 - Keras' own
    known = {"nearest": Role.PASS, "bilinear": Role.AVERAGE}
    return known.get(layer.interpolation) if layer.data_format == "channels_last" else None


_BY_SETTINGS: Final[Mapping[str, Callable[[Any], Role | None]]] = {
    "Activation": _activation,
    "ReLU": _relu,
    "Softmax": _softmax,
    "UpSampling2D": _enlarge,
}
