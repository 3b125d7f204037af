"""Say a model in the layers that integer kernels have: more of them, and simpler ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.fold import Floats, kind_of, norm_factors
from edgebench.compress.keras.integer import ACTIVATIONS, CLAMPS, KINDS, Role, activation_of
from edgebench.compress.keras.surgery import graph_of, rebuild, same_layer

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]
# Operations of Keras that may take a number, or one a channel, in place of a tensor.
WITH_NUMBER: Final = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide"})
# Sums of more than two tensors, as layers that take two.
CHAINED: Final = frozenset({"Add", "Multiply", "Maximum", "Minimum"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One of the layers that another one becomes.

    Attributes:
        weights: In Keras' order; None where it has none.
    """

    layer: "keras.Layer"
    weights: Sequence[NDArray[Any]] | None = None


# Given a layer, the shape of its input and the name that the model's output has of it, if it is
# one: the layers that it becomes, one after the other. None where it stays what it is.
Split = Callable[[Any, Shape, "str | None"], "list[Part] | None"]


def plain(model: "keras.Model") -> "keras.Model":
    """A flat model in which no layer does two things at once.

    An activation that is an operation of its own becomes a layer; a separable convolution becomes
    the two that it is; what only scales and shifts, such as a normalization without a layer to fold
    it into, becomes a depthwise convolution of 1x1; sums become sums of two.
    """
    graph = graph_of(model)
    ends = {id(call.layer) for call in graph.calls if not graph.ends.isdisjoint(call.outputs)}
    splits = _Splits(ends=frozenset(ends))
    fresh = rebuild(model, make=lambda _: None, apply=splits.apply)
    for part in splits.parts():
        if part.weights is not None:
            part.layer.set_weights(part.weights)
    return fresh


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Splits:
    """What layers become, as the model is rebuilt.

    Attributes:
        ends: Ids of the layers that make an output of the model.
        made: By the id of a layer, which may be called more than once.
    """

    ends: frozenset[int]
    made: dict[int, list[Part] | None] = field(default_factory=dict)

    def parts(self) -> Iterator[Part]:
        """All that was made."""
        for parts in self.made.values():
            yield from parts or ()

    def apply(self, old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call what the old layer becomes, or the same layer anew."""
        first: Any = args[0] if args else None
        if kind_of(old) in CHAINED and isinstance(first, (list, tuple)) and len(first) > 2:
            return _chain(old, new, first)
        tensors = [arg for arg in args if _is_real(arg)]
        parts = self._split(old, tensors[0], args) if len(tensors) == 1 else None
        if parts is None:
            return new(*args, **kwargs)
        answer = tensors[0]
        for part in parts:
            answer = part.layer(answer)
        return answer

    def _split(self, layer: Any, tensor: Any, args: Any) -> list[Part] | None:  # noqa: ANN401 - Keras' own
        if id(layer) not in self.made:
            kind, shape = kind_of(layer), tensor.shape
            end = layer.name if id(layer) in self.ends else None
            if kind in WITH_NUMBER and len(args) == 2:
                self.made[id(layer)] = _with_number(layer, shape, end, args)
            else:
                split = SPLITS.get(kind)
                self.made[id(layer)] = split(layer, shape, end) if split is not None else None
        return self.made[id(layer)]


def _is_real(tensor: Any) -> bool:  # noqa: ANN401 - a tensor, or what else is an argument
    """Whether it is a tensor of reals: Rescaling takes the bytes of a picture as well."""
    import keras

    return isinstance(tensor, keras.KerasTensor) and str(tensor.dtype).startswith("float")


def _with_number(
    layer: Any,  # noqa: ANN401 - Keras' own
    shape: Shape,
    end: str | None,
    args: Sequence[Any],
) -> list[Part] | None:
    """An operation on a tensor and a number, or one number a channel: `x + 3`."""
    channels = shape[-1]
    number = np.asarray(args[1] if _is_real(args[0]) else args[0])
    if channels is None or number.dtype.kind not in "fiu" or number.shape not in ((), (channels,)):
        return None
    value = np.broadcast_to(number.astype(np.float64), (channels,))
    one, none, is_first = np.ones(channels), np.zeros(channels), _is_real(args[0])
    match kind_of(layer):
        case "Add":
            return _affine(layer, shape, end, (one, value))
        case "Subtract":
            return _affine(layer, shape, end, (one, -value) if is_first else (-one, value))
        case "Multiply":
            return _affine(layer, shape, end, (value, none))
        case _ if is_first:
            return _affine(layer, shape, end, (1 / value, none))
        case _:
            return None


def _chain(old: Any, last: Any, tensors: Sequence[Any]) -> Any:  # noqa: ANN401 - Keras' own
    """The last of the sums is the layer itself, and keeps its name."""
    total, *rest = tensors
    for index, tensor in enumerate(rest[:-1], start=1):
        total = same_layer(old, name=f"{old.name}_{index}")([total, tensor])
    return last([total, rest[-1]])


def _kernel(layer: Any, shape: Shape, end: str | None) -> list[Part] | None:  # noqa: ANN401 - Keras' own
    """Its activation apart, where that is an operation of its own."""
    import keras

    del shape
    name = activation_of(layer)
    if name in CLAMPS or name not in ACTIVATIONS:
        return None
    linear = same_layer(layer, activation=None, name=f"{end}_kernel" if end else layer.name)
    activation = keras.layers.Activation(name, name=end or f"{layer.name}_{name}")
    return [Part(layer=linear, weights=layer.get_weights()), Part(layer=activation)]


def _separable(layer: Any, shape: Shape, end: str | None) -> list[Part]:  # noqa: ANN401 - Keras' own
    import keras

    config = layer.get_config()
    both = {key: config[key] for key in ("padding", "data_format")}
    depthwise = keras.layers.DepthwiseConv2D(
        layer.kernel_size,
        strides=layer.strides,
        dilation_rate=layer.dilation_rate,
        depth_multiplier=layer.depth_multiplier,
        use_bias=False,
        name=f"{layer.name}_depthwise",
        **both,
    )
    pointwise = keras.layers.Conv2D(
        layer.filters,
        1,
        use_bias=layer.use_bias,
        activation=layer.activation,
        name=layer.name,
        data_format=layer.data_format,
    )
    depthwise.trainable = pointwise.trainable = layer.trainable
    first, *rest = layer.get_weights()
    split = _kernel(pointwise, shape, end)
    ends = split or [Part(layer=pointwise)]
    whole = [Part(layer=depthwise, weights=[first]), Part(layer=ends[0].layer, weights=rest)]
    return [*whole, *ends[1:]]


def _normalization(layer: Any, shape: Shape, end: str | None) -> list[Part] | None:  # noqa: ANN401 - Keras' own
    if layer.axis % len(shape) != len(shape) - 1:
        return None
    return _affine(layer, shape, end, norm_factors(layer))


def _rescaling(layer: Any, shape: Shape, end: str | None) -> list[Part] | None:  # noqa: ANN401 - Keras' own
    channels = shape[-1]
    scale, shift = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    if channels is None or max(scale.ndim, shift.ndim) > 1:
        return None
    factors = np.broadcast_to(scale, (channels,)), np.broadcast_to(shift, (channels,))
    return _affine(layer, shape, end, factors)


def _standardization(layer: Any, shape: Shape, end: str | None) -> list[Part] | None:  # noqa: ANN401 - Keras' own
    """Keras' Normalization, whose statistics come of data that it was adapted to."""
    channels = shape[-1]
    mean = np.asarray(layer.mean, np.float64).reshape(-1)
    deviation = np.sqrt(np.asarray(layer.variance, np.float64).reshape(-1))
    if channels is None or layer.invert or mean.size not in (1, channels):
        return None
    scale = np.broadcast_to(1.0 / np.maximum(deviation, 1e-7), (channels,))
    return _affine(layer, shape, end, (scale, -mean * scale))


def _affine(
    layer: Any,  # noqa: ANN401 - Keras' own
    shape: Shape,
    end: str | None,
    factors: tuple[Floats, Floats],
) -> list[Part] | None:
    """A factor and a shift a channel, as a depthwise convolution of 1x1.

    It knows maps only: what is no map is made one of height and width 1, and made what it was.
    """
    import keras

    is_map = len(shape) == 4
    if not is_map and (len(shape) not in (2, 3) or None in shape[1:]):
        return None
    scale, shift = (np.asarray(array, np.float32) for array in factors)
    name = f"{end}_kernel" if end and not is_map else layer.name
    depthwise = keras.layers.DepthwiseConv2D(1, name=name)
    depthwise.trainable = bool(getattr(layer, "trainable_weights", ()))
    main = Part(layer=depthwise, weights=[scale.reshape(1, 1, -1, 1), shift])
    if is_map:
        return [main]
    inner = (*[1] * (4 - len(shape)), *shape[1:])
    return [
        Part(layer=keras.layers.Reshape(inner, name=f"{layer.name}_map")),
        main,
        Part(layer=keras.layers.Reshape(shape[1:], name=end or f"{layer.name}_flat")),
    ]


SPLITS: Final[Mapping[str, Split]] = {
    **{kind: _kernel for kind, role in KINDS.items() if role is Role.KERNEL},
    "SeparableConv2D": _separable,
    "BatchNormalization": _normalization,
    "Rescaling": _rescaling,
    "Normalization": _standardization,
}
