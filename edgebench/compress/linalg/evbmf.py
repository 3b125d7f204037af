"""The rank of a matrix under noise, by variational Bayes: how many singular values are signal."""

import math
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np

from edgebench.compress.linalg.arrays import Float64s, Floats
from edgebench.compress.linalg.spectrum import singular_values

T = TypeVar("T", float, Float64s)

GOLDEN: Final = (math.sqrt(5) - 1) / 2
GRID: Final = 200
# Where the search for the logarithm of the noise variance ends.
PRECISION: Final = 1e-6
# What rounding leaves of a squared singular value that is zero, as a part of the largest.
ROUNDING: Final = 1e-15


def evbmf_rank(matrix: Floats) -> int:
    """The rank that empirical variational Bayesian matrix factorization gives a matrix.

    Nakajima, Sugiyama, Babacan and Tomioka 2013, "Global Analytic Solution of Fully-observed
    Variational Bayesian Matrix Factorization", JMLR 14, 1-37: the solution keeps what singular
    values are above a threshold. In the form of Nakajima, Tomioka, Sugiyama and Babacan 2015,
    "Condition for Perfect Dimensionality Recovery by Variational Bayesian PCA", JMLR 16,
    3757-3811, which bounds the noise variance too; the one between that minimizes the free energy
    is taken.

    Returns:
        0 for a matrix of nothing but noise, whose entries are alike and independent.
    """
    return rank_of(singular_values(matrix), max(matrix.shape))


def rank_of(values: Float64s, columns: int) -> int:
    """The same from all singular values, the largest first, and the longer side of the matrix."""
    squares = np.square(values)
    if squares[0] == 0:
        return 0
    alpha = squares.size / columns
    least = _least(alpha)
    # Squares by the longer side, as a part of the largest: nothing below depends on the scale. No
    # logarithm may meet the zeros of a matrix without noise.
    scaled = np.maximum(squares / squares[0], ROUNDING) / columns
    return int(np.count_nonzero(scaled > _noise(scaled, alpha, least) * least))


def _least(alpha: float) -> float:
    """The smallest square, by the noise variance, that is worth its price.

    The papers take tau = 2.5129 * sqrt(alpha) for the root, which is right for square matrices and
    2 % low for a side ten times the other; here it is solved for.

    >>> round(_least(1.0), 3)
    4.911
    """
    low, high = math.sqrt(alpha), 10 * math.sqrt(alpha)
    while high - low > PRECISION * low:
        tau = (low + high) / 2
        low, high = (tau, high) if _price(tau, alpha) > 0 else (low, tau)
    return (1 + low) * (1 + alpha / low)


def _price(tau: T, alpha: float) -> T:
    """What a component of this size adds to the free energy: it is kept where that is negative."""
    price: T = np.log1p(tau) + alpha * np.log1p(tau / alpha) - tau
    return price


def _noise(scaled: Float64s, alpha: float, least: float) -> float:
    """The noise variance: between its bounds, where the free energy is least."""
    signals = min(math.ceil(scaled.size / (1 + alpha)) - 1, scaled.size - 1)
    low = max(float(scaled[signals]) / least, float(scaled[signals:].mean()))
    high = float(scaled.mean())

    def energy(log_variance: float) -> float:
        x = scaled / math.exp(log_variance)
        beyond = x[x > least] - (1 + alpha)
        tau = (beyond + np.sqrt(np.square(beyond) - 4 * alpha)) / 2
        return float(np.sum(x - np.log(x)) + np.sum(_price(tau, alpha)))

    return math.exp(_minimum(energy, math.log(low), math.log(max(low, high))))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """The best of a grid, refined by golden section: the free energy has more than one valley."""
    grid = np.linspace(low, high, GRID)
    best = int(np.argmin([function(float(point)) for point in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)])
    inner, outer = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_inner, at_outer = function(inner), function(outer)
    while high - low > PRECISION:
        if at_inner < at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - GOLDEN * (high - low)
            at_inner = function(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + GOLDEN * (high - low)
            at_outer = function(outer)
    return (low + high) / 2
