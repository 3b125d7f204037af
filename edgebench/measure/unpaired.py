"""Two cells of different runs: no block of theirs is one, so that nothing cancels."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Recorded
from edgebench.measure.comparison import (
    Comparison,
    Samples,
    compare,
    differences,
    middle_of,
    verdict_of,
)
from edgebench.measure.intervals import Interval, exponential, mean_interval_of
from edgebench.student_t import t_quantile

# To one in 10⁹: no verdict hangs on less, nor is the quantile right to more.
BISECTIONS: Final = 30


def difference_of(ours: Interval, theirs: Interval) -> Interval:
    """The difference of two values that know nothing of each other, from their own intervals.

    The distances from each value to the end of its interval that matters are added in squares. Of
    two t intervals that is Banerjee's solution of the problem of Behrens and Fisher (Sankhya 23,
    1961), which holds the truth in at least 95 % whatever the two spreads and counts are; of
    Wilson's intervals of two shares it is Newcombe's (Statistics in Medicine 17, 1998, method 10).
    Welch's interval is narrower, and of few processes against many it misses too often: see the
    README.

    >>> same = Interval(value=1.0, low=0.7, high=1.3)
    >>> difference_of(same, Interval(value=0.5, low=0.1, high=0.9))
    Interval(value=0.5, low=0.0, high=1.0)
    """
    value = ours.value - theirs.value
    return Interval(
        value=value,
        low=value - math.hypot(ours.value - ours.low, theirs.high - theirs.value),
        high=value + math.hypot(ours.high - ours.value, theirs.value - theirs.low),
    )


def compare_apart(ours: Samples, theirs: Samples, *, margin_ratio: float) -> Comparison:
    """A cell against one of another run, by the logs of the medians of their processes.

    `blocks` is that of the side which has fewer. What changed between the two runs is part of the
    ratio, and of no interval.

    Raises:
        ValueError: One of the two has no samples.
    """
    logs = [
        np.array([math.log(middle_of(block)) for block in side.values() if block.size])
        for side in (ours, theirs)
    ]
    fewest = min(side.size for side in logs)
    if fewest < 2:
        # Nothing is common to two runs: the ratio alone, with the intervals within the processes.
        found = compare(ours, {-1 - b: ns for b, ns in theirs.items()}, margin_ratio=margin_ratio)
        return replace(found, verdict="inconclusive", blocks=fewest)
    on_logs = difference_of(mean_interval_of(logs[0]), mean_interval_of(logs[1]))
    return Comparison(
        ratio=exponential(on_logs),
        verdict=verdict_of(on_logs, math.log1p(margin_ratio)),
        blocks=fewest,
        margin_ratio=margin_ratio,
        p=_p_of(logs[0], logs[1]),
    )


def compare_runs_recorded(ours: Recorded, theirs: Recorded, *, margin_ratio: float) -> Comparison:
    """`compare_apart`, and no verdict where the two were not measured under the same conditions."""
    found = compare_apart(ours.samples, theirs.samples, margin_ratio=margin_ratio)
    differs = differences(ours.measurement, theirs.measurement)
    return replace(found, verdict="incomparable", differs=differs) if differs else found


def _p_of(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """The share of misses at which the interval of the difference would end at no difference."""
    distance = abs(float(ours.mean() - theirs.mean()))
    errors = [float(side.std(ddof=1)) / math.sqrt(side.size) for side in (ours, theirs)]
    if not any(errors):
        return float(distance == 0)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        p = (low + high) / 2
        reaches = (
            t_quantile(1 - p / 2, side.size - 1) * error
            for side, error in zip((ours, theirs), errors, strict=True)
        )
        low, high = (low, p) if math.hypot(*reaches) < distance else (p, high)
    return high
