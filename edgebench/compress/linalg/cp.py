"""Three factors for one convolution, by a canonical polyadic decomposition."""

from typing import Final

import numpy as np

from edgebench.compress.linalg.arrays import Float32s, Float64s, Floats, check_finite
from edgebench.compress.linalg.svd import svd_dense
from edgebench.compress.linalg.unfold import check_method

# A best CP need not exist: two terms may grow without end and cancel (de Silva and Lim 2008,
# https://arxiv.org/abs/math/0607647). A price on size prevents it; begun high and lowered from
# round to round it also leads past poor ends. For a kernel of norm 1, and by rank ** (-2 / 3): what
# the squares of two of the three columns come to where each of the terms has its part of the norm.
RIDGES: Final = (1e-2, 1e-6)
# Up to so many products for each iteration all starts take about a second. Beyond that one must do.
CHEAP: Final = 10_000_000
STARTS: Final = 6
# Rounds of least squares before a leap along their direction can be of use.
SETTLED: Final = 5

Columns = list[Float64s]


def cp(
    kernel: Floats, rank: int, *, seed: int, iterations: int = 50
) -> tuple[Float32s, Float32s, Float32s]:
    """Factors `(1, 1, in, rank)`, `(height, width, rank, 1)`, `(1, 1, rank, out)`.

    Lebedev et al. 2015, https://arxiv.org/abs/1412.6553, with the two spatial axes taken as one:
    a pointwise convolution, a depthwise one and a pointwise one. A depthwise kernel holds any
    `height * width` numbers for each term, and a term of two spatial factors is one of those, so
    that the best of three axes is at least as near as the best of four.

    By alternating least squares with Bro's leaps (1998), as tensorly's `parafac` does it; that one
    holds `in * out * rank` numbers at a time, 1.4 GB for 512 channels and rank 685. Where it ends
    depends on where it begins: for small kernels the nearest of six ends is taken. A 1x1 kernel is
    a matrix, whose best factors are known.

    Args:
        kernel: `(height, width, in, out)`.
        rank: How many terms.
        seed: For where it begins.
        iterations: From each start.

    Raises:
        ValueError: The rank is below 1, a weight is NaN or infinite, or no start ended in numbers.
    """
    check_method(kernel.shape, "cp")
    check_finite(kernel)
    if rank < 1:
        msg = f"Rank {rank} is below 1."
        raise ValueError(msg)
    height, width, inputs, outputs = kernel.shape
    if height * width == 1 and rank <= min(inputs, outputs):
        left, right = svd_dense(kernel[0, 0], rank)
        return left[np.newaxis, np.newaxis], np.ones((1, 1, rank, 1), np.float32), right[None, None]
    tensor = kernel.astype(np.float64).reshape(height * width, inputs, outputs)
    norm = float(np.linalg.norm(tensor))
    tensor /= norm or 1.0
    area, first, last = _balanced(_nearest(tensor, rank, seed, iterations), norm)
    return (
        first[np.newaxis, np.newaxis].astype(np.float32, order="C"),
        area.reshape(height, width, rank, 1).astype(np.float32, order="C"),
        last.T[np.newaxis, np.newaxis].astype(np.float32, order="C"),
    )


def _nearest(tensor: Float64s, rank: int, seed: int, iterations: int) -> Columns:
    rng = np.random.default_rng(seed)
    ends = []
    for _ in range(STARTS):
        start = [rng.standard_normal((side, rank)) / np.sqrt(side) for side in tensor.shape]
        ends.append(_solved(tensor, start, iterations))
        if tensor.size * rank > CHEAP and np.isfinite(ends[-1][0]):
            break
    error, nearest = min(ends, key=lambda end: end[0])
    if not np.isfinite(error):
        msg = f"CP of rank {rank} on {tensor.shape} ended in no numbers from {STARTS} starts."
        raise ValueError(msg)
    return nearest


def _solved(tensor: Float64s, factors: Columns, iterations: int) -> tuple[float, Columns]:
    """The error and the factors where the iterations end; infinite where those are no numbers."""
    error = float("inf")
    ridges = np.geomspace(*RIDGES, iterations) * factors[0].shape[1] ** (-2 / 3)
    with np.errstate(all="ignore"):
        for index, ridge in enumerate(ridges):
            try:
                after, found = _round(tensor, factors, float(ridge))
            except np.linalg.LinAlgError:
                break
            if index > SETTLED and index % 2 == 0:
                leap = _leap(factors, after, np.sqrt(index))
                at_leap = _error(leap, _onto(tensor, leap, 2))
                if at_leap < found:
                    after, found = leap, at_leap
            if not np.isfinite(found):
                break
            error, factors = found, after
    return error, factors


def _round(tensor: Float64s, factors: Columns, ridge: float) -> tuple[Columns, float]:
    """Solve for one factor after the other, with the two others as they are then."""
    factors = list(factors)
    sight: Float64s = np.empty(0)
    for axis in range(3):
        grams = [factor.T @ factor for place, factor in enumerate(factors) if place != axis]
        sight = _onto(tensor, factors, axis)
        normal = grams[0] * grams[1] + ridge * np.eye(len(grams[0]))
        factors[axis] = np.linalg.solve(normal, sight.T).T.astype(np.float64, copy=False)
    return factors, _error(factors, sight)


def _leap(before: Columns, after: Columns, length: float) -> Columns:
    return [old + (new - old) * length for old, new in zip(before, after, strict=True)]


def _onto(tensor: Float64s, factors: Columns, axis: int) -> Float64s:
    """The tensor times each term without its column on this axis: `(side, rank)`.

    Plane by plane, so that nothing larger than a factor is held.
    """
    area, first, last = factors
    if axis == 0:
        return np.stack([np.sum((plane @ last) * first, axis=0) for plane in tensor])
    terms = zip(tensor, area, strict=True)
    if axis == 1:
        return sum(((plane @ last) * row for plane, row in terms), np.zeros(first.shape))
    return sum((plane.T @ (first * row) for plane, row in terms), np.zeros(last.shape))


def _error(factors: Columns, sight: Float64s) -> float:
    """Distance from the tensor, which has norm 1; `sight` is `_onto` the last axis."""
    grams = [factor.T @ factor for factor in factors]
    squared = 1.0 + float(np.sum(grams[0] * grams[1] * grams[2]) - 2 * np.sum(sight * factors[2]))
    return float(np.sqrt(max(squared, 0.0))) if np.isfinite(squared) else float("inf")


def _balanced(factors: Columns, norm: float) -> Columns:
    """Give the three columns of each term the same norm, so that they train at one pace."""
    norms = [np.linalg.norm(factor, axis=0) for factor in factors]
    each = np.cbrt(np.prod(norms, axis=0) * norm)
    return [
        factor * (each / np.where(own > 0, own, 1))
        for factor, own in zip(factors, norms, strict=True)
    ]
