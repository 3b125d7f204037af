"""What the architectures of the zoo are put together from."""

from typing import TYPE_CHECKING, Final

from edgebench.errors import ConfigError

if TYPE_CHECKING:
    import keras

# Kernels of XNNPACK and oneDNN work on 8 or 16 channels at a time: 193 cost more than 192.
CHANNEL_MULTIPLE: Final = 8
SMALLEST_IMAGE: Final = 8
SMALLEST_MAP: Final = 4
HALVING_ORDER: Final = (1, 3, 0, 2)


def scale_channels(channels: int, width: float) -> int:
    """The number of channels at a width, rounded to a multiple of 8 that is at least 8.

    What would lose more than a tenth of its channels by rounding is rounded up, as in
    https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/mobilenet.py

    >>> [scale_channels(64, width) for width in (1.0, 0.75, 0.5, 0.35, 0.1)]
    [64, 48, 32, 24, 8]
    """
    wanted = channels * width
    nearest = int(wanted / CHANNEL_MULTIPLE + 0.5) * CHANNEL_MULTIPLE
    rounded = max(CHANNEL_MULTIPLE, nearest)
    return rounded + CHANNEL_MULTIPLE if rounded < 0.9 * wanted else rounded


def halvings(shape: tuple[int, ...]) -> frozenset[int]:
    """Which stages take every second pixel only, 0 being the stem, for images of a shape.

    As many as leave a map of at least 4 pixels each way: what suits 96 pixels would leave one of
    28. A small image keeps its whole size through the stem, which reads few channels: that is
    cheap.

    >>> [sorted(halvings((size, size, 3))) for size in (8, 28, 32, 96, 224)]
    [[1], [1, 3], [0, 1, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    """
    side = min(shape[:2])
    affordable = sum(side >> n >= SMALLEST_MAP for n in range(1, len(HALVING_ORDER) + 1))
    return frozenset(HALVING_ORDER[:affordable])


def open_image(shape: tuple[int, ...]) -> "keras.KerasTensor":
    """The input `image` for samples of shape `(height, width, channels)`.

    Raises:
        ConfigError: The samples are no images, or smaller than 8x8.
    """
    if len(shape) != 3 or min(shape[:2]) < SMALLEST_IMAGE:
        msg = f"The models of the zoo take no samples of shape {shape}."
        raise ConfigError(msg, hint="They take images (height, width, channels) from 8x8 upwards.")
    import keras

    return keras.Input(shape, name="image")


def convolve(
    x: "keras.KerasTensor", filters: int, kernel: int, *, strides: int = 1, name: str
) -> "keras.KerasTensor":
    """Convolution and batch normalization, `<name>_conv` and `<name>_norm`, without activation.

    No bias: the normalization's shift takes its place.
    """
    import keras

    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _normalize(x, name)


def convolve_depthwise(
    x: "keras.KerasTensor", *, strides: int = 1, name: str
) -> "keras.KerasTensor":
    """A 3x3 depthwise convolution and its normalization, `<name>_conv` and `<name>_norm`."""
    import keras

    x = keras.layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _normalize(x, name)


def _normalize(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    import keras

    # The default momentum of 0.99 remembers the statistics of hundreds of steps ago: training here
    # is a thousand steps.
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def rectify(
    x: "keras.KerasTensor", *, limit: float | None = None, name: str
) -> "keras.KerasTensor":
    """A ReLU layer of its own, `<name>_relu`, so that the normalization before it can be folded."""
    import keras

    return keras.layers.ReLU(limit, name=f"{name}_relu")(x)


def close_classifier(
    image: "keras.KerasTensor", x: "keras.KerasTensor", classes: int, *, name: str
) -> "keras.Model":
    """Average the map, and end in the output `probabilities`."""
    import keras

    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    probabilities = keras.layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(image, probabilities, name=name)
