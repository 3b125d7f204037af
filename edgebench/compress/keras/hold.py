"""What training must not undo: held in the graph itself, after each step of the optimizer.

A constraint of Keras is a function of a variable that its optimizer applies to what it has just
written. A mask costs one multiplication a step there, a codebook one sum over segments.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.kernels import Kernel, kernels
from edgebench.compress.options import Common

if TYPE_CHECKING:
    import keras

# More different values than this are no codebook that somebody made.
CODEBOOK_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hold:
    """A variable, and what is made of it after each step."""

    variable: Any
    apply: Callable[[Any], Any]


@contextmanager
def held(holds: Sequence[Hold]) -> Iterator[None]:
    """Put the holds on their variables, and take them off; two on one apply in order."""
    before = [(hold.variable, hold.variable.constraint) for hold in holds]
    by_variable: dict[int, list[Hold]] = {}
    for hold in holds:
        by_variable.setdefault(id(hold.variable), []).append(hold)
    for group in by_variable.values():
        group[0].variable.constraint = _chain([hold.apply for hold in group])
    try:
        yield
    finally:
        for variable, constraint in reversed(before):
            variable.constraint = constraint


def hold_mask(kernel: Kernel, mask: Any) -> Hold:  # noqa: ANN401 - Keras' own
    """Keep zeros where the mask is 0. A mask that is a variable may change as training goes."""
    import tensorflow as tf

    factors = mask if isinstance(mask, tf.Variable) else tf.constant(mask, tf.float32)
    return Hold(variable=kernel.variable, apply=lambda value: value * factors)


def hold_codebook(kernel: Kernel, indices: NDArray[Any], size: int, *, zero: int | None) -> Hold:
    """Keep as many values as the codebook has: each moves by the mean of what moved its weights.

    Deep Compression (https://arxiv.org/abs/1510.00149, section 3.3) sums the gradients of the
    weights that share a value. Adam's steps have no size of the gradient's: their mean it is.

    Args:
        kernel: Whose weights are clustered.
        indices: Of each weight its place in the codebook.
        size: How many values the codebook has.
        zero: The place whose value stays exactly 0; None where there is none.
    """
    import tensorflow as tf

    flat = tf.constant(indices.reshape(-1).astype(np.int32))
    shape = kernel.variable.shape
    counts = np.maximum(np.bincount(indices.reshape(-1).astype(np.int64), minlength=size), 1)
    shares = (1.0 / counts).astype(np.float32)
    if zero is not None:
        shares[zero] = 0.0
    weights = tf.constant(shares)

    def project(value: Any) -> Any:  # noqa: ANN401 - Keras' own
        sums = tf.math.unsorted_segment_sum(tf.reshape(value, [-1]), flat, size)
        return tf.reshape(tf.gather(sums * weights, flat), shape)

    return Hold(variable=kernel.variable, apply=project)


def holds_of(model: "keras.Model", keep: Sequence[str]) -> list[Hold]:
    """What earlier steps made and this one must not undo: `zeros`, `clusters`."""
    found: list[Hold] = []
    if not keep:
        return found
    for kernel in kernels(model, Common(only=(".",)), step="keep"):
        if "clusters" in keep and (hold := _clusters_of(kernel)):
            found.append(hold)
        elif "zeros" in keep and (kernel.values == 0).any():
            found.append(hold_mask(kernel, (kernel.values != 0).astype(np.float32)))
    return found


def _clusters_of(kernel: Kernel) -> Hold | None:
    """The codebook of a kernel, or those of its output channels; None where it has none."""
    weights = kernel.values
    values, indices = np.unique(weights, return_inverse=True)
    if len(values) <= CODEBOOK_MAX and len(values) < weights.size:
        zero = int(np.flatnonzero(values == 0)[0]) if (values == 0).any() else None
        return hold_codebook(kernel, indices.reshape(weights.shape), len(values), zero=zero)
    channels = [np.unique(weights[..., i], return_inverse=True) for i in range(weights.shape[-1])]
    rows = weights.size // weights.shape[-1]
    if any(len(own) > min(CODEBOOK_MAX, rows // 2) for own, _ in channels):
        return None
    # One codebook after the other; exact zeros of all channels share a place that does not move.
    offsets = np.cumsum([1, *(len(own) for own, _ in channels)])
    places = np.empty(weights.shape, np.int64)
    for i, (_, inner) in enumerate(channels):
        moved = inner.reshape(weights.shape[:-1]) + offsets[i]
        places[..., i] = np.where(weights[..., i] == 0, 0, moved)
    return hold_codebook(kernel, places, int(offsets[-1]), zero=0)


def _chain(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:  # noqa: ANN401 - Keras' own
        for function in functions:
            value = function(value)
        return value

    return apply
