"""What the raw samples say: a statistic a process, and an interval over processes.

The process and not the inference is the unit: inferences of one process share its memory layout
and its neighbours, so that an interval over them would call two launches of one file different.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Process, Reason
from edgebench.student_t import t_quantile

# Fewest samples, of all processes together, for a percentile with 99 % confidence that no more
# than its share lies above: the rule of MLPerf's early stopping.
PERCENTILE_SAMPLES: Final[Mapping[int, int]] = {90: 64, 99: 662}

Samples = Mapping[int, NDArray[np.int64]]
Verdict = Literal[
    "faster", "slower", "different_but_small", "equivalent", "inconclusive", "incomparable"
]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """The latency of a cell, in nanoseconds.

    Attributes:
        p50: Geometric mean of the medians of the processes, its interval by t on their logs.
        p90: None where all processes together have too few samples for it; likewise `p99`.
        mean: Of all samples; one interrupted inference moves it, hence not the headline.
        min: Of all samples.
        n: Samples of all processes.
        cv_between: Spread of the processes' medians over their mean; None with one process.
        load_ns: Median over the processes; likewise `first_ns`.
        reasons: Why the latency deserves doubt.
        missing: Why a percentile is None.
    """

    p50: Interval
    p90: Interval | None
    p99: Interval | None
    mean: float
    min: float
    n: int
    processes: int
    cv_between: float | None
    load_ns: float
    first_ns: float
    reasons: tuple[Reason, ...] = ()
    missing: Mapping[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One cell against another.

    Attributes:
        ratio: Time of the cell over time of the reference, paired by block.
        blocks: How many blocks hold both.
    """

    ratio: Interval
    verdict: Verdict
    blocks: int


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
    medians = np.array([np.median(block) for block in kept])
    p50 = _over_processes(kept, 50)
    percentiles = {
        name: _over_processes(kept, share) if pooled.size >= least else None
        for share, least in PERCENTILE_SAMPLES.items()
        for name in (f"p{share}",)
    }
    return LatencySummary(
        p50=p50,
        p90=percentiles["p90"],
        p99=percentiles["p99"],
        mean=float(pooled.mean()),
        min=float(pooled.min()),
        n=int(pooled.size),
        processes=len(kept),
        cv_between=float(medians.std(ddof=1) / medians.mean()) if len(kept) > 1 else None,
        load_ns=_median(processes, lambda process: process.load_ns),
        first_ns=_median(processes, lambda process: process.first_ns),
        reasons=tuple(_doubts(p50, processes, len(kept), ci_ratio)),
        missing={name: Reason.PERCENTILE_N for name, p in percentiles.items() if p is None},
    )


def _median(processes: Sequence[Process], pick: Callable[[Process], int]) -> float:
    return float(np.median([pick(process) for process in processes])) if processes else math.nan


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


def _over_processes(kept: Sequence[NDArray[np.int64]], share: int) -> Interval:
    """A percentile with the interval between processes, or within the one that there is.

    That of a single process is too narrow, for it cannot know how launches differ; `summarize`
    says so by `too_few_samples`.
    """
    values = np.array([np.percentile(block, share) for block in kept])
    if len(kept) > 1:
        return _exponential(mean_interval_of(np.log(np.maximum(values, 1.0))))
    low, high = _order_statistics(np.sort(kept[0]), share / 100)
    return Interval(value=float(values[0]), low=low, high=high)


def _order_statistics(ordered: NDArray[np.int64], share: float) -> tuple[float, float]:
    """Interval of a quantile that holds whatever the distribution; the extremes where n is few."""
    n = ordered.size
    spread = 1.96 * math.sqrt(n * share * (1 - share))
    low = max(math.floor(n * share - spread), 0)
    high = min(math.ceil(n * share + spread), n - 1)
    return float(ordered[low]), float(ordered[high])


def _exponential(interval: Interval) -> Interval:
    return Interval(
        value=math.exp(interval.value), low=math.exp(interval.low), high=math.exp(interval.high)
    )


def mean_interval_of(values: NDArray[np.float64]) -> Interval:
    """Mean of at least two values with its 95 % t interval."""
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    reach = t_quantile(0.975, values.size - 1) * error
    return Interval(value=mean, low=mean - reach, high=mean + reach)


def mean_interval(values: NDArray[np.float64]) -> Interval | None:
    """Mean with its 95 % t interval; None where fewer than two values leave no interval.

    >>> mean_interval(np.array([1.0, 2.0, 3.0])).value
    2.0
    """
    return mean_interval_of(np.asarray(values, dtype=np.float64)) if len(values) > 1 else None


def compare(samples: Samples, reference: Samples, *, margin_ratio: float) -> Comparison:
    """A cell against a reference, by the log ratios of the medians within each block.

    What drifts from block to block meets both and cancels. Without two common blocks there is no
    interval between processes: the ratio is then given with that within them, and no verdict.

    Raises:
        ValueError: One of the two has no samples.
    """
    common = sorted(
        block
        for block in samples.keys() & reference.keys()
        if samples[block].size and reference[block].size
    )
    if len(common) < 2:
        return _unpaired(samples, reference, len(common))
    logs = np.array(
        [math.log(_middle(samples[block]) / _middle(reference[block])) for block in common]
    )
    on_logs = mean_interval_of(logs)
    return Comparison(
        ratio=_exponential(on_logs),
        verdict=_verdict(on_logs, math.log1p(margin_ratio)),
        blocks=len(common),
    )


def _middle(block: NDArray[np.int64]) -> float:
    return max(float(np.median(block)), 1.0)


def _verdict(on_logs: Interval, margin: float) -> Verdict:
    """Which side of the margin the whole interval lies on, if it lies on one."""
    low, high = on_logs.low, on_logs.high
    if high < -margin:
        return "faster"
    if low > margin:
        return "slower"
    if low < -margin or high > margin:
        return "inconclusive"
    return "different_but_small" if low > 0 or high < 0 else "equivalent"


def _unpaired(samples: Samples, reference: Samples, blocks: int) -> Comparison:
    sides = [[b for b in side.values() if b.size] for side in (samples, reference)]
    if not all(sides):
        msg = "A comparison needs samples on both sides."
        raise ValueError(msg)
    ours, theirs = (_over_processes(side, 50) for side in sides)
    return Comparison(
        ratio=Interval(
            value=ours.value / theirs.value,
            low=ours.low / theirs.high,
            high=ours.high / theirs.low,
        ),
        verdict="inconclusive" if blocks else "incomparable",
        blocks=blocks,
    )
