"""DS-CNN: depthwise-separable convolutions, the smallest classifier here."""

from typing import TYPE_CHECKING, Final

from edgebench.zoo.layers import (
    close_classifier,
    convolve,
    convolve_depthwise,
    halvings,
    open_image,
    rectify,
    scale_channels,
)

if TYPE_CHECKING:
    import keras

CHANNELS: Final = 64
BLOCKS: Final = 4


def build_ds_cnn(shape: tuple[int, ...], classes: int, *, width: float = 1.0) -> "keras.Model":
    """Build a DS-CNN of 64 channels (Zhang et al. 2017, https://arxiv.org/abs/1711.07128).

    A convolution and four depthwise-separable blocks, as the keyword spotter of MLPerf Tiny has
    them; a block is that of MobileNet (https://arxiv.org/abs/1704.04861). The paper's stem is for
    spectrograms, 10x4 with stride 2; for images it is 3x3, and `halvings` says what has a stride.
    """
    image = open_image(shape)
    filters = scale_channels(CHANNELS, width)
    halved = halvings(shape)
    x = convolve(image, filters, 3, strides=2 if 0 in halved else 1, name="stem")
    x = rectify(x, name="stem")
    for index in range(1, BLOCKS + 1):
        strides = 2 if index in halved else 1
        x = convolve_depthwise(x, strides=strides, name=f"block{index}_depthwise")
        x = rectify(x, name=f"block{index}_depthwise")
        x = convolve(x, filters, 1, name=f"block{index}_pointwise")
        x = rectify(x, name=f"block{index}_pointwise")
    return close_classifier(image, x, classes, name="ds-cnn")
