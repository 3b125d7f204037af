"""A small MobileNetV2: inverted residuals with linear bottlenecks, for 28 to 96 pixels."""

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

STEM: Final = 32
# Expansion, channels, blocks. The paper has three more stages, for a thousand classes.
STAGES: Final = ((1, 16, 1), (6, 24, 2), (6, 32, 2), (6, 64, 2))
HEAD: Final = 256
RELU6: Final = 6.0


def build_mobilenet_v2(
    shape: tuple[int, ...], classes: int, *, width: float = 1.0
) -> "keras.Model":
    """Build the first four stages of MobileNetV2 (Sandler et al., https://arxiv.org/abs/1801.04381).

    Widths are the paper's, blocks at most two a stage, and the last convolution has, as there, four
    times the channels before it, which a `width` below 1 does not make fewer. `halvings` says which
    stages have a stride.
    """
    image = open_image(shape)
    halved = halvings(shape)
    x = convolve(
        image, scale_channels(STEM, width), 3, strides=2 if 0 in halved else 1, name="stem"
    )
    x = rectify(x, limit=RELU6, name="stem")
    for stage, (expansion, channels, blocks) in enumerate(STAGES, start=1):
        for index in range(1, blocks + 1):
            x = _block(
                x,
                expansion * x.shape[-1],
                scale_channels(channels, width),
                strides=2 if index == 1 and stage in halved else 1,
                name=f"block{stage}_{index}",
            )
    x = convolve(x, scale_channels(HEAD, max(1.0, width)), 1, name="head")
    x = rectify(x, limit=RELU6, name="head")
    return close_classifier(image, x, classes, name="mobilenet-v2")


def _block(
    x: "keras.KerasTensor", expanded: int, filters: int, *, strides: int, name: str
) -> "keras.KerasTensor":
    """Expand, filter each channel, project without activation; add where shapes allow it."""
    import keras

    y = x
    if expanded > x.shape[-1]:
        y = convolve(y, expanded, 1, name=f"{name}_expand")
        y = rectify(y, limit=RELU6, name=f"{name}_expand")
    y = convolve_depthwise(y, strides=strides, name=f"{name}_depthwise")
    y = rectify(y, limit=RELU6, name=f"{name}_depthwise")
    y = convolve(y, filters, 1, name=f"{name}_project")
    if strides > 1 or filters != x.shape[-1]:
        return y
    return keras.layers.Add(name=f"{name}_add")([x, y])
