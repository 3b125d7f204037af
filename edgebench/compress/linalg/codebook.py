"""Weights as a codebook of k values: k-means in one dimension, on all weights of a tensor.

In one dimension a cluster is a range of the sorted values, so that one round of Lloyd's algorithm
is k searches in them and k differences of sums. All weights take part in it, however many they are.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.linalg.arrays import CHUNK, Float32s, Float64s, Floats, check_finite

Init = Literal["kmeans++", "linear", "density"]
Indices = NDArray[np.unsignedinteger[Any]]

ROUNDS: Final = 300
STARTS: Final = 3
SEEDING: Final = 1 << 14
SUMS: Final = 1 << 20
# Of the weights' type: to search them for a Python zero, numpy would copy them all to float64.
ZERO: Final = np.float32(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Codebook:
    """A tensor whose weights take few values.

    Attributes:
        values: In rising order, shape `(k,)`; fewer where the weights had fewer distinct values.
        indices: Which value stands where: the weights' shape, in the smallest unsigned type.
    """

    values: Float32s
    indices: Indices

    def decode(self) -> Float32s:
        """The weights."""
        decoded: Float32s = self.values[self.indices]
        return decoded


def fit_codebook(
    weights: Floats,
    k: int,
    *,
    init: Init = "kmeans++",
    keep_zeros: bool = False,
    seed: int = 0,
) -> Codebook:
    """Find k values for a tensor so that the squared distance of its weights to them is small.

    Weights of k distinct values or fewer stay as they are.

    Args:
        weights: Of any shape; float32 counts, other types are rounded to it.
        k: How many values, zero among them.
        init: Where Lloyd's algorithm begins. Han et al. 2016, "Deep Compression",
            https://arxiv.org/abs/1510.00149, section 3.2: `linear` spaces the values evenly,
            `density` the shares of the weights below them. `kmeans++` (Arthur and Vassilvitskii
            2007) draws them from a sample of 16,384 weights, three times, and the best end counts.
        keep_zeros: What is exactly zero stays so, and no other weight is given that value: zero is
            one of the k, and the others are fitted to what is not zero.
        seed: For `kmeans++`.

    Raises:
        ValueError: A weight is NaN or infinite, or k is too small to hold zero and other values.

    >>> fit_codebook(np.array([0.0, 1.0, 1.2, -3.0]), 3, keep_zeros=True).decode()
    array([ 0. ,  1.1,  1.1, -3. ], dtype=float32)
    """
    if k < 1 or weights.size == 0:
        msg = f"No codebook of {k} values is possible for {weights.size} weights."
        raise ValueError(msg)
    check_finite(weights)
    flat = weights.reshape(-1).astype(np.float32, copy=False)
    ordered = np.sort(flat)
    if np.count_nonzero(ordered[1:] != ordered[:-1]) < k:
        values = np.unique(ordered)
        return _encode(weights.shape, flat, values, values[:-1])
    zeros = slice(*(np.searchsorted(ordered, ZERO, side) for side in ("left", "right")))
    is_zero_kept = keep_zeros and zeros.start < zeros.stop
    if is_zero_kept:
        ordered = np.delete(ordered, zeros)
        k -= 1
    if k == 0:
        msg = "One value cannot be zero and another one: keeping zeros takes a codebook of two."
        raise ValueError(msg)
    values = _cluster(ordered, k, init, seed)
    if is_zero_kept:
        return _with_zero(_encode(weights.shape, flat, values, _limits(values)), flat)
    return _encode(weights.shape, flat, values, _limits(values))


def fit_codebooks(
    weights: Floats,
    k: int,
    axis: int,
    *,
    init: Init = "kmeans++",
    keep_zeros: bool = False,
    seed: int = 0,
) -> Float32s:
    """Give each slice along `axis` a codebook of its own, and decode it: the weights' shape."""
    channels = np.moveaxis(weights, axis, 0)
    decoded = np.empty(weights.shape, np.float32)
    into = np.moveaxis(decoded, axis, 0)
    for index, channel in enumerate(channels):
        fitted = fit_codebook(channel, k, init=init, keep_zeros=keep_zeros, seed=seed)
        into[index] = fitted.decode()
    return decoded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sorted:
    """Sorted values and what is needed to sum a range of them, in a small part of their memory.

    Attributes:
        every: A running sum is kept at each `every`-th value; what lies between is added up.
    """

    values: Float32s
    every: int
    sums: Float64s

    def below(self, ends: NDArray[np.intp]) -> Float64s:
        """The sum of the first so many values, for each of the ends."""
        if self.every == 1:
            exact: Float64s = self.sums[ends]
            return exact
        whole = ends // self.every
        places = whole[:, np.newaxis] * self.every + np.arange(self.every - 1)
        taken = self.values[np.minimum(places, self.values.size - 1)].astype(np.float64)
        rest = np.where(places < ends[:, np.newaxis], taken, 0)
        total: Float64s = self.sums[whole] + rest.sum(axis=1)
        return total


def _sorted(values: Float32s) -> _Sorted:
    every = -(-values.size // SUMS)
    whole = values[: values.size // every * every].reshape(-1, every)
    sums = np.concatenate([[0.0], np.cumsum(whole.sum(axis=1, dtype=np.float64))])
    return _Sorted(values=values, every=every, sums=sums)


def _cluster(ordered: Float32s, k: int, init: Init, seed: int) -> Float32s:
    table = _sorted(ordered)
    if init == "linear":
        starts = [np.linspace(ordered[0], ordered[-1], k, dtype=np.float64)]
    elif init == "density":
        places = ((np.arange(k) + 0.5) / k * ordered.size).astype(np.intp)
        starts = [ordered[places].astype(np.float64)]
    else:
        rng = np.random.default_rng(seed)
        starts = [_spread(ordered, k, rng) for _ in range(STARTS)]
    ends = [_lloyd(table, start) for start in starts]
    return max(ends, key=lambda end: end[1])[0].astype(np.float32)


def _spread(ordered: Float32s, k: int, rng: np.random.Generator) -> Float64s:
    """Draw k values, each with a chance that grows with its squared distance to those drawn."""
    places = np.sort(rng.integers(ordered.size, size=SEEDING))
    pool = ordered.astype(np.float64) if ordered.size <= SEEDING else ordered[places].astype(float)
    drawn = np.full(k, pool[rng.integers(pool.size)])
    apart = np.square(pool - drawn[0])
    for index in range(1, k):
        chances = np.cumsum(apart)
        place = np.searchsorted(chances, rng.random() * chances[-1], side="right")
        drawn[index] = pool[min(int(place), pool.size - 1)]
        np.minimum(apart, np.square(pool - drawn[index]), out=apart)
    return np.sort(drawn)


def _lloyd(table: _Sorted, centers: Float64s) -> tuple[Float64s, float]:
    """Improve the centers until no weight changes its own.

    Returns:
        The centers, and the part of the sum of squares that they explain: what is left of it is
        the squared distance, so that more is better.
    """
    size, before, explained = table.values.size, None, 0.0
    for _ in range(ROUNDS):
        inner = np.searchsorted(table.values, _limits(centers), side="right")
        ends = np.concatenate([[0], inner, [size]])
        counts, sums = np.diff(ends), np.diff(table.below(ends))
        is_used = counts > 0
        centers = np.where(is_used, sums / np.maximum(counts, 1), centers)
        explained = float(np.sum(np.where(is_used, sums * centers, 0)))
        if not is_used.all():
            centers = _moved(table.values, ends, centers)
        elif before is not None and np.array_equal(before, ends):
            break
        before = ends
    return np.sort(centers), explained


def _moved(ordered: Float32s, ends: NDArray[np.intp], centers: Float64s) -> Float64s:
    """Put centers that no weight is nearest to where weights are farthest from their own."""
    used, empty = np.flatnonzero(np.diff(ends)), np.flatnonzero(np.diff(ends) == 0)
    low, high = ordered[ends[used]].astype(float), ordered[ends[used + 1] - 1].astype(float)
    below, above = centers[used] - low, high - centers[used]
    farthest = np.argsort(-np.maximum(below, above), kind="stable")[: empty.size]
    moved = centers.copy()
    moved[empty[: farthest.size]] = np.where(above > below, high, low)[farthest]
    return np.sort(moved)


def _limits(centers: Float32s | Float64s) -> Float32s:
    """Between neighbours; in float32, for numpy would copy all weights to compare with float64."""
    wide = centers.astype(np.float64)
    return ((wide[1:] + wide[:-1]) / 2).astype(np.float32)


def _encode(shape: tuple[int, ...], flat: Float32s, values: Float32s, limits: Float32s) -> Codebook:
    """Give each weight the value whose upper limit is the first that it does not exceed."""
    indices = np.empty(flat.size, np.min_scalar_type(limits.size))
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        indices[start : start + part.size] = np.searchsorted(limits, part)
    # Adding zero makes one zero of the two that floating point has.
    return Codebook(values=values + ZERO, indices=indices.reshape(shape))


def _with_zero(book: Codebook, flat: Float32s) -> Codebook:
    """Insert the value zero, for the weights that are zero."""
    place = int(np.searchsorted(book.values, ZERO))
    values = np.insert(book.values, place, ZERO)
    indices = np.empty(flat.size, np.min_scalar_type(values.size - 1))
    old = book.indices.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        part = slice(start, start + CHUNK)
        shifted = old[part].astype(indices.dtype)
        shifted += shifted >= place
        shifted[flat[part] == 0] = place
        indices[part] = shifted
    return Codebook(values=values, indices=indices.reshape(book.indices.shape))
