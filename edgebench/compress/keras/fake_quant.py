"""Layers that compute in training what an integer kernel computes later: rounded, but in float.

Jacob et al., https://arxiv.org/abs/1712.05877. The rounding is `tf.quantization.fake_quant_*`: its
gradient is that of the clipping alone (straight through), and the TFLite converter takes its ranges
for the scales of the integer graph.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import keras

PACKAGE: Final = "edgebench"
BITS: Final = 8
# A tensor that was never anything but 0 has no scale; one that is too small overflows the integer
# multipliers of the kernels.
SMALLEST_RANGE: Final = 1e-6
SMALLEST_WEIGHT: Final = 1e-6

# The converter transposes the weights of these, and loses the axis of several scales.
ONE_SCALE: Final = frozenset({"Dense", "Conv2DTranspose"})

Granularity = Literal["channel", "tensor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What the step that rounds a model wants of the files that are made of it.

    Attributes:
        io: What they take and give: float or int.
        scheme: Of the integers of an ONNX file: u8s8 or s8s8.
    """

    io: str = "float"
    scheme: str = "u8s8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The classes, which exist once Keras is imported.

    Attributes:
        range: Rounds what passes through: `FakeQuant`.
        kernels: By the name of the layer of Keras that it stands for: rounds its own weights.
    """

    range: Any
    kernels: dict[str, Any]


def register() -> None:
    """Make the classes known to Keras, before a file that holds them is opened."""
    layers()


def ranges_of(model: "keras.Model") -> Iterator[Any]:
    """The `FakeQuant` layers of a model, models in it looked into."""
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, layers().range):
            yield layer


def ends_of(model: "keras.Model") -> Ends | None:
    """What is wanted of the files; None for a model that nothing rounds."""
    found = list(ranges_of(model))
    told: dict[str, str] = next((layer.ends for layer in found if layer.ends), {})
    return Ends(**told) if found else None


def watch(layer: Any, *, rounds: bool) -> None:  # noqa: ANN401 - a FakeQuant
    """From now on it notes what passes through, called eagerly; and rounds it, or leaves it."""
    layer.is_watching, layer.rounds = layer.fixed is None, rounds
    layer.seen_low = layer.seen_high = 0.0


def settle(layer: Any, momentum: float) -> None:  # noqa: ANN401 - a FakeQuant
    """Move its range to what it has seen, as far as `momentum` lets it: 0 is all the way."""
    layer.rounds = True
    if not layer.is_watching:
        return
    layer.is_watching = False
    wide = 1 + layer.margin
    low, high = wide * layer.seen_low, wide * layer.seen_high
    if high - low < SMALLEST_RANGE:
        high = low + 1.0
    layer.low.assign(momentum * layer.low + (1 - momentum) * low)
    layer.high.assign(momentum * layer.high + (1 - momentum) * high)


@cache
def layers() -> Layers:
    """The classes of layers, made and registered when they are first asked for."""
    import keras

    of = keras.layers
    return Layers(
        range=_range_class(),
        kernels={
            "Dense": _kernel_class(of.Dense, _dense),
            "Conv1D": _kernel_class(of.Conv1D, _conv1d),
            "Conv2D": _kernel_class(of.Conv2D, _conv),
            "DepthwiseConv2D": _kernel_class(of.DepthwiseConv2D, _depthwise),
            "Conv2DTranspose": _kernel_class(of.Conv2DTranspose, _transposed),
        },
    )


def round_weights(weights: Any, *, granularity: Granularity, axes: int = 1) -> Any:  # noqa: ANN401 - Keras' own
    """Weights as int8 holds them: symmetric, -127 to 127, so that zero stays exactly zero.

    The range reaches to the largest weight: none is clipped, and the gradient passes unchanged.

    Args:
        weights: A tensor `(..., out)`.
        granularity: One scale an output channel, or one for all.
        axes: How many of the last axes are the output channels.
    """
    import tensorflow as tf

    weights = tf.convert_to_tensor(weights)
    shape = weights.shape
    if granularity == "tensor":
        top = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(weights)), SMALLEST_WEIGHT))
        return tf.quantization.fake_quant_with_min_max_vars(
            weights, -top, top, num_bits=BITS, narrow_range=True
        )
    # The operation knows the last axis only, and the converter this reshape.
    if axes > 1:
        weights = tf.reshape(weights, (*shape[:-axes], *[1] * (axes - 1), -1))
    tops = tf.reduce_max(tf.abs(weights), axis=list(range(weights.shape.rank - 1)))
    tops = tf.stop_gradient(tf.maximum(tops, SMALLEST_WEIGHT))
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        weights, -tops, tops, num_bits=BITS, narrow_range=True
    )
    return tf.reshape(rounded, shape)


def _range_class() -> Any:  # noqa: ANN401 - Keras' own
    import keras

    @keras.saving.register_keras_serializable(PACKAGE)
    class FakeQuant(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
        """Rounds what passes through to 256 steps from `low` to `high`, zero being one of them.

        The ranges are no part of what is trained: `watch` and `settle` move them, between two
        batches. So the graph that is trained has one operation more a tensor.

        Attributes:
            fixed: Low and high that no data changes, as the kernels of softmax have them.
            ends: The fields of `Ends`, on the inputs of the model: so they are kept with it.
            margin: By how much of itself the range is wider than what was seen.
        """

        def __init__(
            self,
            *,
            fixed: Sequence[float] | None = None,
            ends: Mapping[str, str] | None = None,
            margin: float = 0.0,
            **kwargs: Any,  # noqa: ANN401 - Keras' own
        ) -> None:
            super().__init__(**kwargs)
            self.fixed, self.ends, self.margin = fixed, ends, margin
            self.is_watching, self.rounds = False, True
            self.seen_low = self.seen_high = 0.0

        def build(self, input_shape: Any) -> None:  # noqa: ANN401, ARG002 - as Keras calls it
            for name, value in zip(("low", "high"), self.fixed or (-1.0, 1.0), strict=True):
                initial = keras.initializers.Constant(value)
                own = self.add_weight(name=name, shape=(), initializer=initial, trainable=False)
                setattr(self, name, own)

        def call(self, inputs: Any) -> Any:  # noqa: ANN401 - tensors
            if self.is_watching:
                _note(self, inputs)
            return _round(self, inputs) if self.rounds else inputs

        def compute_output_shape(self, input_shape: Any) -> Any:  # noqa: ANN401 - as Keras calls it
            return input_shape

        def get_config(self) -> dict[str, Any]:
            fixed = list(self.fixed) if self.fixed else None
            ends = dict(self.ends) if self.ends else None
            own = {"fixed": fixed, "ends": ends, "margin": self.margin}
            return {**super().get_config(), **own}

    return FakeQuant


def _note(layer: Any, inputs: Any) -> None:  # noqa: ANN401 - Keras' own
    import tensorflow as tf

    layer.seen_low = min(layer.seen_low, float(tf.reduce_min(inputs)))
    layer.seen_high = max(layer.seen_high, float(tf.reduce_max(inputs)))


def _round(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    import tensorflow as tf

    low, high = tf.convert_to_tensor(layer.low), tf.convert_to_tensor(layer.high)
    return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=BITS)


def _kernel_class(base: Any, compute: Callable[..., Any]) -> Any:  # noqa: ANN401 - Keras' own
    """A layer that is `base` but for its weights, which are rounded before they are used.

    Its variables, their names and their order are those of `base`.
    """
    import keras

    class Quantized(base):  # type: ignore[misc]  # Keras has no types
        def __init__(self, *, granularity: Granularity = "channel", **kwargs: Any) -> None:  # noqa: ANN401 - Keras' own
            super().__init__(**kwargs)
            self.granularity = granularity

        def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ANN401, ARG002 - as Keras calls it
            outputs = compute(self, inputs)
            if self.bias is not None:
                # A convolution's bias is one a channel, and the channels are the last axis.
                outputs = keras.ops.add(outputs, self.bias)
            return self.activation(outputs)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "granularity": self.granularity}

    Quantized.__name__ = Quantized.__qualname__ = f"Quantized{base.__name__}"
    return keras.saving.register_keras_serializable(PACKAGE)(Quantized)


def _dense(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    import keras

    return keras.ops.matmul(inputs, round_weights(layer.kernel, granularity="tensor"))


def _conv(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    import keras

    return keras.ops.conv(
        inputs,
        round_weights(layer.kernel, granularity=layer.granularity),
        strides=list(layer.strides),
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _conv1d(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    """A convolution of height 1, as which the converter would have to reshape rounded weights.

    It loses their axis where there are as many channels in as out ("tfl.reshape op requires ...").
    """
    import keras

    padding = layer.padding
    if padding == "causal":
        inputs, padding = keras.ops.pad(inputs, layer._compute_causal_padding()), "valid"
    kernel = keras.ops.expand_dims(layer.kernel, 0)
    outputs = keras.ops.conv(
        keras.ops.expand_dims(inputs, 1),
        round_weights(kernel, granularity=layer.granularity),
        strides=[1, *layer.strides],
        padding=padding,
        dilation_rate=[1, *layer.dilation_rate],
    )
    return keras.ops.squeeze(outputs, 1)


def _depthwise(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    import keras

    return keras.ops.depthwise_conv(
        inputs,
        round_weights(layer.kernel, granularity=layer.granularity, axes=2),
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _transposed(layer: Any, inputs: Any) -> Any:  # noqa: ANN401 - Keras' own
    import keras

    return keras.ops.conv_transpose(
        inputs,
        round_weights(layer.kernel, granularity="tensor"),
        strides=list(layer.strides),
        padding=layer.padding,
        output_padding=layer.output_padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )
