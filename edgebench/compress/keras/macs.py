"""Multiplications of one inference: what a model costs, whatever the machine."""

import math
from typing import TYPE_CHECKING, Final

from edgebench.compress.keras.surgery import flat, graph_of

if TYPE_CHECKING:
    import keras

# Every weight of a kernel is used once for each pixel of what comes out.
BY_OUTPUT: Final = frozenset(
    (
        *("Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D"),
        *("SeparableConv1D", "SeparableConv2D"),
    )
)
# Every pixel of what goes in is spread by the whole kernel.
BY_INPUT: Final = frozenset(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"))


def macs_of(model: "keras.Model") -> int | None:
    """Multiply-accumulates of one sample in dense, convolutional and depthwise layers.

    A layer counts as often as it is called. What additions, normalizations, activations and
    recurrent layers cost is left out. None where an axis of the tensors is free.

    Raises:
        CompressionError: The model is code and no graph.
    """
    total = 0
    for call in graph_of(flat(model)).calls:
        name = type(call.layer).__name__
        if name not in BY_OUTPUT | BY_INPUT:
            continue
        tensors = call.node.output_tensors if name in BY_OUTPUT else call.node.input_tensors
        pixels = tensors[0].shape[1:-1]
        if None in pixels:
            return None
        weights = sum(
            math.prod(variable.shape)
            for variable in call.layer.weights
            if variable.name.endswith("kernel")
        )
        total += math.prod(pixels) * weights
    return total
