"""ResNet-8: three residual blocks, the image classifier of MLPerf Tiny."""

from typing import TYPE_CHECKING, Final

from edgebench.zoo.layers import close_classifier, convolve, open_image, rectify, scale_channels

if TYPE_CHECKING:
    import keras

CHANNELS: Final = (16, 32, 64)


def build_resnet8(shape: tuple[int, ...], classes: int, *, width: float = 1.0) -> "keras.Model":
    """Build the ResNet-8 v1 of MLPerf Tiny (He et al. 2015, https://arxiv.org/abs/1512.03385).

    As in https://github.com/mlcommons/tiny, benchmark/training/image_classification: a block that
    halves the map has a 1x1 convolution with bias and without normalization as its shortcut. Left
    out are biases before a normalization, and the decay of weights. At a width where two blocks
    round to the same channels the shortcut stays, for the map is halved all the same.
    """
    image = open_image(shape)
    x = rectify(convolve(image, scale_channels(CHANNELS[0], width), 3, name="stem"), name="stem")
    for index, channels in enumerate(CHANNELS, start=1):
        strides = 1 if index == 1 else 2
        x = _block(x, scale_channels(channels, width), strides=strides, name=f"block{index}")
    return close_classifier(image, x, classes, name="resnet8")


def _block(x: "keras.KerasTensor", filters: int, *, strides: int, name: str) -> "keras.KerasTensor":
    import keras

    y = rectify(convolve(x, filters, 3, strides=strides, name=f"{name}_1"), name=f"{name}_1")
    y = convolve(y, filters, 3, name=f"{name}_2")
    if strides > 1:
        x = keras.layers.Conv2D(
            filters,
            1,
            strides=strides,
            kernel_initializer="he_normal",
            name=f"{name}_shortcut",
        )(x)
    return rectify(keras.layers.Add(name=f"{name}_add")([x, y]), name=name)
