"""A value with its 95 % interval: by Student's t over values, or by order statistics."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.student_t import t_quantile

TAIL: Final = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width_ratio(self) -> float:
        """Half of the interval's width, over the value."""
        return (self.high - self.low) / 2 / abs(self.value) if self.value else math.inf


def exponential(on_logs: Interval) -> Interval:
    """An interval of logs as one of what they are logs of.

    >>> exponential(Interval(value=0.0, low=0.0, high=0.0))
    Interval(value=1.0, low=1.0, high=1.0)
    """
    return Interval(
        value=math.exp(on_logs.value), low=math.exp(on_logs.low), high=math.exp(on_logs.high)
    )


def mean_interval_of(values: NDArray[np.float64]) -> Interval:
    """Mean of at least two values with its 95 % t interval."""
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    reach = t_quantile(1 - TAIL, values.size - 1) * error
    return Interval(value=mean, low=mean - reach, high=mean + reach)


def mean_interval(values: NDArray[np.float64]) -> Interval | None:
    """Mean with its 95 % t interval; None where fewer than two values leave no interval.

    >>> mean_interval(np.array([1.0, 2.0, 3.0])).value
    2.0
    """
    return mean_interval_of(np.asarray(values, dtype=np.float64)) if len(values) > 1 else None


def quantile_ranks(n: int, share: float) -> tuple[int, int] | None:
    """Ranks from 1 of the two order statistics that hold a quantile in 95 % of all draws.

    By the binomial distribution of how many of `n` independent values lie below the quantile, at
    most 2.5 % in each tail, whatever the values' own distribution (Conover, Practical
    Nonparametric Statistics, 3.2). None where even the extremes do not reach so far.

    >>> quantile_ranks(36, 0.9), quantile_ranks(35, 0.9)
    ((29, 36), None)
    """
    spread = 10 * math.sqrt(n * share * (1 - share)) + 10
    first = max(math.floor(n * share - spread), 0)
    last = min(math.ceil(n * share + spread), n)
    counts = np.arange(first, last)
    steps = np.log((n - counts) / (counts + 1) * (share / (1 - share)))
    at_first = (
        math.lgamma(n + 1)
        - math.lgamma(first + 1)
        - math.lgamma(n - first + 1)
        + first * math.log(share)
        + (n - first) * math.log1p(-share)
    )
    chances = np.exp(at_first + np.concatenate([[0.0], np.cumsum(steps)]))
    # P(X < rank) of the lower and P(X >= rank) of the upper are the chances to miss.
    low = first + int(np.searchsorted(np.cumsum(chances), TAIL, side="right"))
    above = int(np.searchsorted(np.cumsum(chances[::-1]), TAIL, side="right"))
    high = last - above + 1
    return (low, high) if low >= 1 and high <= n else None
