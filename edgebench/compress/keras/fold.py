"""Fold a batch normalization into the layer before it: the same outputs from one layer less.

In inference a normalization multiplies each channel by one number and adds another. A convolution
that nothing but the normalization reads can do both itself. Jacob et al.,
https://arxiv.org/abs/1712.05877, section 3.2.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.bench import Bench, Change, carry, traits_of
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.surgery import Call, Graph, flat, graph_of, rebuild, same_layer
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format
from edgebench.errors import NoEffect

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]

NORMALIZATION: Final = "BatchNormalization"
# By layer: the weight that makes the output channels, and the axes of it that they are.
CHANNELS_OF: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "Dense": ("kernel", (-1,)),
    "Conv1D": ("kernel", (-1,)),
    "Conv2D": ("kernel", (-1,)),
    "Conv3D": ("kernel", (-1,)),
    # `(..., channels, multiplier)`: the multiplier runs faster in the output.
    "DepthwiseConv1D": ("kernel", (-2, -1)),
    "DepthwiseConv2D": ("kernel", (-2, -1)),
    # `(..., out, in)`.
    "Conv1DTranspose": ("kernel", (-2,)),
    "Conv2DTranspose": ("kernel", (-2,)),
    "Conv3DTranspose": ("kernel", (-2,)),
    "SeparableConv1D": ("pointwise_kernel", (-1,)),
    "SeparableConv2D": ("pointwise_kernel", (-1,)),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """A layer, and the normalization that goes into it.

    Attributes:
        name: Of the layer that comes of both: that of the normalization where the model puts it
            out, for it is the name of the output.
    """

    layer: "keras.Layer"
    norm: "keras.Layer"
    name: str


def fold_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Fold every batch normalization that can be.

    Raises:
        NoEffect: There is none.
        CompressionError: The model is code and no graph.
    """
    return carry(task, progress, _work)


def fold_bn(model: "keras.Model") -> tuple["keras.Model", int]:
    """The model with its batch normalizations folded, and how many they are.

    Zeros stay zeros. Values that all channels share do not: each channel has a factor of its own.

    Args:
        model: As `surgery.flat` makes it. It is returned as it is where there is nothing to fold.
    """
    folds = list(_folds(graph_of(model)))
    if not folds:
        return model, 0
    by_layer = {id(fold.layer): fold for fold in folds}
    gone = {id(fold.norm) for fold in folds}
    fresh: list[tuple[Fold, keras.Layer]] = []

    def make(layer: "keras.Layer") -> "keras.Layer | None":
        if id(layer) in by_layer:
            fold = by_layer[id(layer)]
            fresh.append((fold, same_layer(layer, use_bias=True, name=fold.name)))
            return fresh[-1][1]
        return layer if id(layer) in gone else None

    def apply(old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Keras' own
        return args[0] if id(old) in gone else new(*args, **kwargs)

    folded = rebuild(model, make=make, apply=apply)
    for fold, layer in fresh:
        layer.set_weights(_folded_weights(fold))
    return folded, len(folds)


def norm_factors(norm: "keras.Layer") -> tuple[Floats, Floats]:
    """What a batch normalization multiplies each channel by in inference, and what it adds."""
    mean = np.asarray(norm.moving_mean, np.float64)
    scale = 1.0 / np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma, np.float64)
    shift = -mean * scale
    if norm.center:
        shift = shift + np.asarray(norm.beta, np.float64)
    return scale, shift


def foldable(model: "keras.Model") -> list["keras.Layer"]:
    """The layers of a flat model that a normalization would be folded into."""
    return [fold.layer for fold in _folds(graph_of(model))]


def left_over(model: "keras.Model") -> dict[str, str]:
    """By name: why a batch normalization of a flat model cannot be folded."""
    graph = graph_of(model)
    return {
        call.layer.name: reason
        for call in graph.calls
        if _is_norm(call.layer) and (reason := _obstacle(graph, call))
    }


def _work(bench: Bench) -> Change:
    folded, count = fold_bn(flat(bench.model))
    left = left_over(folded)
    if count == 0:
        listed = "; ".join(f"{name}: {reason}" for name, reason in left.items())
        msg = f"{str(bench.step)!r} found no batch normalization that can be folded."
        raise NoEffect(msg, hint=listed or "The model has none: leave the step out.")
    return Change(
        model=folded,
        changed={"folded": count, "left": dict(left)},
        promises=lambda: Promises(weights=weight_count(folded)),
    )


def _folds(graph: Graph) -> Iterator[Fold]:
    for call in graph.calls:
        if _is_norm(call.layer) and _obstacle(graph, call) is None:
            before = graph.makers[call.inputs[0]].layer
            is_end = not graph.ends.isdisjoint(call.outputs)
            name = call.layer.name if is_end else before.name
            yield Fold(layer=before, norm=call.layer, name=name)


def _obstacle(graph: Graph, call: Call) -> str | None:
    """Why the normalization that is called here cannot be folded; None where it can."""
    maker = graph.makers.get(call.inputs[0])
    before = maker.layer if maker is not None else None
    if maker is None or before is None or kind_of(before) not in CHANNELS_OF:
        return f"it follows {_called(before)}, which has no weights that it could go into"
    tests = {
        "its layer is called more than once": len(graph.calls_of(call.layer)) > 1,
        f"{before.name!r} is called more than once": len(graph.calls_of(before)) > 1,
        f"{before.name!r} has an activation": not _is_linear(before),
        f"others read what {before.name!r} puts out": graph.only_user(maker) is not call,
        "it does not normalize the last axis": not _is_last(call.layer, before),
    }
    return next((reason for reason, holds in tests.items() if holds), None)


def _called(layer: Any) -> str:  # noqa: ANN401 - a layer, an operation or nothing
    kind = type(layer).__name__
    return "the input" if layer is None or kind == "InputLayer" else kind


def kind_of(layer: Any) -> str:  # noqa: ANN401 - Keras' own
    """The name of Keras' own class; empty for anybody else's, who may have called it the same."""
    kind = type(layer)
    return str(kind.__name__) if kind.__module__.split(".")[0] == "keras" else ""


def _is_norm(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    return kind_of(layer) == NORMALIZATION


def _is_linear(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    import keras

    return layer.activation in (None, keras.activations.linear)


def _is_last(norm: Any, before: Any) -> bool:  # noqa: ANN401 - Keras' own
    if getattr(before, "data_format", "channels_last") != "channels_last":
        return False
    rank: int = norm.input_spec.ndim
    return bool(norm.axis % rank == rank - 1)


def _folded_weights(fold: Fold) -> list[NDArray[np.float32]]:
    """The weights of the layer that comes of both, in Keras' order: the bias is the last."""
    name, axes = CHANNELS_OF[kind_of(fold.layer)]
    factor, shift = norm_factors(fold.norm)
    weights = {variable.name: np.asarray(variable, np.float64) for variable in fold.layer.weights}
    bias = weights.pop("bias", np.zeros_like(shift))
    kernel = weights[name]
    shape = [1] * kernel.ndim
    for axis in axes:
        shape[axis] = kernel.shape[axis]
    weights[name] = kernel * factor.reshape(shape)
    return [array.astype(np.float32) for array in (*weights.values(), bias * factor + shift)]


WAY: Final = Way(
    name="fold keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=fold_keras,
    tools=("tensorflow", "keras"),
    traits=traits_of,
    # A Keras model has no constants; the graph that is made of it may have some.
    takes=lambda step: step.value == "bn",
)
