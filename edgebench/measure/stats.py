"""What the raw samples say: a statistic a process, and an interval over processes.

The process and not the inference is the unit: inferences of one process share its memory layout
and its neighbours, so that an interval over them would call two launches of one file different.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgebench.core import Process, Reason, Times
from edgebench.measure.changepoints import is_multimodal, last_change, settled
from edgebench.measure.comparison import Comparison, Samples, Verdict, compare
from edgebench.measure.intervals import Interval, mean_interval, mean_interval_of
from edgebench.measure.outliers import outliers
from edgebench.measure.percentiles import (
    PERCENTILE_SAMPLES,
    PERCENTILES,
    median_over,
    percentiles_over,
)
from edgebench.measure.replication import processes_needed
from edgebench.measure.throughput import Deadlines, deadlines_of, throughput_of

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
        throughput_per_s: Inferences a second; None of one process, and of queries at a rate.
        deadlines: Whether queries were done in time; None where they did not come at a rate.
        ceilings: What a percentile is at most, where it cannot be shown because a sample is the
            mean of several: upper end of the same percentile of their sums, none of which is
            shorter than what it holds.
        group: How many queries were timed together, at most.
        batch: How many inputs an invocation took.
        processes_needed: How many more likely bring the interval of `p50` to the width that was
            asked; None where nobody waits for so many, or none was asked.
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
    throughput_per_s: Interval | None = None
    deadlines: Deadlines | None = None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    group: int = 1
    batch: int = 1
    processes_needed: int | None = None
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
    counts = _counts(samples, processes)
    totals = percentiles_over([b * n for b, n in zip(steady, counts, strict=True)])
    percentiles = totals if max(counts) == 1 else dict.fromkeys(PERCENTILES)
    ceilings = totals if max(counts) > 1 else {}
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
        throughput_per_s=throughput_of(kept, processes),
        deadlines=deadlines_of(processes),
        ceilings={name: total.high for name, total in ceilings.items() if total is not None},
        group=max((process.group for process in processes), default=1),
        batch=max((process.batch for process in processes), default=1),
        processes_needed=_needed(p50, len(kept), ci_ratio),
        reasons=(*doubts, *_changed(kept, changes)),
        missing={name: Reason.PERCENTILE_N for name, p in percentiles.items() if p is None},
    )


def _median(processes: Sequence[Process], pick: Callable[[Process], int]) -> float:
    return float(np.median([pick(process) for process in processes])) if processes else math.nan


def _counts(samples: Samples, processes: Sequence[Process]) -> list[int]:
    """Of how many a sample of each process is the mean, in the order of the blocks."""
    known = {process.block: process.mean_of for process in processes}
    return [known.get(block, 1) for block, ns in sorted(samples.items()) if ns.size]


def _needed(p50: Interval, processes: int, ci_ratio: float | None) -> int | None:
    if ci_ratio is None or processes < 2:
        return None
    return processes_needed(p50, processes, half_width_ratio=ci_ratio)


def _cv_between(steady: Sequence[Times]) -> float | None:
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


def _changed(kept: Sequence[Times], changes: Sequence[int]) -> list[Reason]:
    """Whether most processes had no level that they stayed at, for the same reason as above."""
    restless = sum(is_multimodal(b.size, c) for b, c in zip(kept, changes, strict=True))
    return [Reason.MULTIMODAL] if 2 * restless > len(kept) else []
