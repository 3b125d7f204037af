"""What the raw samples say: a statistic a process, and an interval over processes.

The process and not the inference is the unit: inferences of one process share its memory layout
and its neighbours, so that an interval over them would call two launches of one file different.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Process, Reason
from edgebench.measure.changepoints import is_multimodal, last_change, settled
from edgebench.measure.comparison import Comparison, Samples, Verdict, compare
from edgebench.measure.intervals import Interval, mean_interval, mean_interval_of
from edgebench.measure.outliers import outliers
from edgebench.measure.percentiles import PERCENTILE_SAMPLES, median_over, percentiles_over

__all__ = [
    "PERCENTILE_SAMPLES",
    "Comparison",
    "Interval",
    "LatencySummary",
    "Samples",
    "Verdict",
    "compare",
    "mean_interval",
    "mean_interval_of",
    "summarize",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The latency of a cell, in nanoseconds.

    Attributes:
        p50: Geometric mean of the medians of the processes, its interval by t on their logs. Like
            the other percentiles it is of the samples after the last change of level, where most
            of a process came after it.
        p90: None where there are too few samples for it; likewise `p95`, `p99` and `p99_9`.
        mean: Of all samples; one interrupted inference moves it, hence not the headline.
        min: Of all samples.
        n: Samples of all processes.
        cv_between: Spread of the processes' medians over their mean; None with one process.
        load_ns: Median over the processes; likewise `first_ns`.
        outliers: Samples after the last change that are far from the median of their process; they
            count in every number all the same.
        before_change: Samples before the last change of level, which no percentile is of.
        reasons: Why the latency deserves doubt.
        missing: Why a percentile is None.
    """

    p50: Interval
    p90: Interval | None
    p95: Interval | None
    p99: Interval | None
    p99_9: Interval | None
    mean: float
    min: float
    n: int
    processes: int
    cv_between: float | None
    load_ns: float
    first_ns: float
    outliers: int
    before_change: int
    reasons: tuple[Reason, ...] = ()
    missing: Mapping[str, Reason] = field(default_factory=dict)

    @property
    def outliers_share(self) -> float:
        """Which share of the samples after the last change are outliers."""
        return self.outliers / (self.n - self.before_change)


def summarize(
    samples: Samples, processes: Sequence[Process], *, ci_ratio: float | None = None
) -> LatencySummary | None:
    """The latency of a cell from the samples of its processes, by block; None without samples.

    Args:
        ci_ratio: Half-width over value that the interval of `p50` should have; where it is wider,
            `ci_not_met` is among the reasons.
    """
    kept = [block for _, block in sorted(samples.items()) if block.size]
    if not kept:
        return None
    pooled = np.concatenate(kept)
    changes = [last_change(block) for block in kept]
    steady = [settled(block, change) for block, change in zip(kept, changes, strict=True)]
    p50 = median_over(steady)
    percentiles = percentiles_over(steady)
    doubts = _doubts(p50, processes, len(kept), ci_ratio)
    return LatencySummary(
        p50=p50,
        p90=percentiles["p90"],
        p95=percentiles["p95"],
        p99=percentiles["p99"],
        p99_9=percentiles["p99_9"],
        mean=float(pooled.mean()),
        min=float(pooled.min()),
        n=int(pooled.size),
        processes=len(kept),
        cv_between=_cv_between(steady),
        load_ns=_median(processes, lambda process: process.load_ns),
        first_ns=_median(processes, lambda process: process.first_ns),
        outliers=sum(outliers(block) for block in steady),
        before_change=int(pooled.size) - sum(block.size for block in steady),
        reasons=(*doubts, *_changed(kept, changes)),
        missing={name: Reason.PERCENTILE_N for name, p in percentiles.items() if p is None},
    )


def _median(processes: Sequence[Process], pick: Callable[[Process], int]) -> float:
    return float(np.median([pick(process) for process in processes])) if processes else math.nan


def _cv_between(steady: Sequence[NDArray[np.int64]]) -> float | None:
    medians = np.array([np.median(block) for block in steady])
    return float(medians.std(ddof=1) / medians.mean()) if medians.size > 1 else None


def _doubts(
    p50: Interval, processes: Sequence[Process], count: int, ci_ratio: float | None
) -> list[Reason]:
    doubts = []
    if count < 2:
        doubts.append(Reason.TOO_FEW_SAMPLES)
    # One process in five that had not settled is the neighbours; half of them is the model.
    if 2 * sum(not process.is_steady for process in processes) > len(processes):
        doubts.append(Reason.NO_STEADY_STATE)
    if ci_ratio is not None and p50.half_width_ratio > ci_ratio:
        doubts.append(Reason.CI_NOT_MET)
    return doubts


def _changed(kept: Sequence[NDArray[np.int64]], changes: Sequence[int]) -> list[Reason]:
    """Whether most processes had no level that they stayed at, for the same reason as above."""
    restless = sum(is_multimodal(b.size, c) for b, c in zip(kept, changes, strict=True))
    return [Reason.MULTIMODAL] if 2 * restless > len(kept) else []
