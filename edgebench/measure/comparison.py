"""One cell against another: the ratio of their times, and what may be said of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Measurement, Recorded, Times
from edgebench.measure.changepoints import settled
from edgebench.measure.intervals import Interval, exponential, mean_interval_of
from edgebench.measure.percentiles import median_over
from edgebench.student_t import t_share_below

SIGNIFICANCE: Final = 0.05
# Of the distances of cells from themselves, how many a device's own floor holds.
FLOOR_SHARE: Final = 0.95

Samples = Mapping[int, Times]
Verdict = Literal[
    "faster", "slower", "different_but_small", "equivalent", "inconclusive", "incomparable"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One cell against another.

    Attributes:
        ratio: Time of the cell over time of the reference, paired by block.
        blocks: How many blocks hold both.
        margin_ratio: The smallest difference that was called one.
        p: Of the t test that the ratio is 1; None without two blocks.
        p_holm: The same among all comparisons that were adjusted together; None before that.
        differs: What makes the two incomparable, by name.
    """

    ratio: Interval
    verdict: Verdict
    blocks: int
    margin_ratio: float = 0.0
    p: float | None = None
    p_holm: float | None = None
    differs: tuple[str, ...] = ()


def compare(
    samples: Samples, reference: Samples, *, margin_ratio: float, floor_ratio: float = 0.0
) -> Comparison:
    """A cell against a reference, by the log ratios of the medians within each block.

    What drifts from block to block meets both and cancels: a randomised complete block design.
    Without two common blocks there is no interval between processes: the ratio is then given with
    that within them, and no verdict.

    Args:
        margin_ratio: Smallest difference that the user wants to be told.
        floor_ratio: Largest difference that the device shows between a cell and itself; where it is
            above the margin it takes its place.

    Raises:
        ValueError: One of the two has no samples.
    """
    margin = max(margin_ratio, floor_ratio)
    common = sorted(
        block
        for block in samples.keys() & reference.keys()
        if samples[block].size and reference[block].size
    )
    if len(common) < 2:
        return _unpaired(samples, reference, len(common), margin)
    logs = np.array(
        [math.log(middle_of(samples[block]) / middle_of(reference[block])) for block in common]
    )
    on_logs = mean_interval_of(logs)
    return Comparison(
        ratio=exponential(on_logs),
        verdict=verdict_of(on_logs, math.log1p(margin)),
        blocks=len(common),
        margin_ratio=margin,
        p=_p_of(logs),
    )


def compare_recorded(
    ours: Recorded, theirs: Recorded, *, margin_ratio: float, floor_ratio: float = 0.0
) -> Comparison:
    """`compare`, and no verdict where the two were not measured under the same conditions."""
    found = compare(
        ours.samples, theirs.samples, margin_ratio=margin_ratio, floor_ratio=floor_ratio
    )
    differs = differences(ours.measurement, theirs.measurement)
    return replace(found, verdict="incomparable", differs=differs) if differs else found


def differences(ours: Measurement, theirs: Measurement) -> tuple[str, ...]:
    """What of two measurements must be equal to compare them, and is not, by name.

    Fingerprints of hardware, software and state, the runtime with its version and wheel, the
    delegate's library, the threads, the scenario, the governor. What one of the two did not record
    is a difference in the first three, for only equal ones are compared; a version, a wheel, a
    library or a governor that nobody read is none.
    """
    return tuple(_differences(ours, theirs))


def _differences(ours: Measurement, theirs: Measurement) -> Iterator[str]:
    for part in ("hw", "sw", "state"):
        if ours.fingerprint.get(part) != theirs.fingerprint.get(part):
            yield part
    versions = {ours.runtime_version, theirs.runtime_version} - {None}
    if ours.runtime != theirs.runtime or len(versions) > 1 or _are_two("runtime", ours, theirs):
        yield "runtime"
    if _are_two("delegate", ours, theirs):
        yield "delegate"
    if ours.threads != theirs.threads:
        yield "threads"
    if ours.scenario != theirs.scenario:
        yield "scenario"
    governors = (_governors(ours), _governors(theirs))
    if all(governors) and governors[0] != governors[1]:
        yield "governor"


def _are_two(part: str, *measurements: Measurement) -> bool:
    """Whether both know that part of their fingerprint, and it is not the same."""
    return len({one.fingerprint.get(part) for one in measurements} - {None}) > 1


def _governors(measurement: Measurement) -> set[str]:
    """Every governor that the processes ran under, of those that said so."""
    named = (process.state.get("governor") for process in measurement.processes)
    return {str(name) for name in named if name is not None}


def adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """All comparisons of one device, with what survives that they are many.

    By Holm's step-down method on their p, which holds whatever their dependence. A cell is
    `faster` or `slower` only where it survives, else `inconclusive`; a small difference that does
    not survive leaves `equivalent`, for its interval lies within the margin all the same.
    """
    known = [c.p for c in comparisons if c.p is not None and c.verdict != "incomparable"]
    ranked = iter(holm(known))
    return tuple(
        _survivor(c, next(ranked)) if c.p is not None and c.verdict != "incomparable" else c
        for c in comparisons
    )


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p of each of several tests, in their order (Holm 1979, step-down Bonferroni).

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = sorted(range(len(p)), key=lambda index: p[index])
    found = [0.0] * len(p)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min((len(p) - rank) * p[index], 1.0))
        found[index] = largest
    return tuple(found)


def _survivor(comparison: Comparison, p_holm: float) -> Comparison:
    verdict = comparison.verdict
    if p_holm >= SIGNIFICANCE:
        if verdict in {"faster", "slower"}:
            verdict = "inconclusive"
        elif verdict == "different_but_small":
            verdict = "equivalent"
    return replace(comparison, verdict=verdict, p_holm=p_holm)


def noise_floor(comparisons: Sequence[Comparison]) -> float:
    """The difference that a device shows between a cell and itself: `floor_ratio` of `compare`.

    Args:
        comparisons: Of cells with themselves; 95 % of their ratios lie within the floor, of fewer
            than 20 all of them.

    >>> noise_floor([])
    0.0
    """
    if not comparisons:
        return 0.0
    distances = [abs(math.log(comparison.ratio.value)) for comparison in comparisons]
    return math.expm1(float(np.quantile(distances, FLOOR_SHARE, method="higher")))


def middle_of(block: Times) -> float:
    """Median of a process after its last change of level, in nanoseconds; at least one."""
    return max(float(np.median(settled(block))), 1.0)


def _p_of(logs: NDArray[np.float64]) -> float:
    mean, error = float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(logs.size)
    if error == 0:
        return float(mean == 0)
    return 2 * t_share_below(-abs(mean) / error, logs.size - 1)


def verdict_of(on_logs: Interval, margin: float) -> Verdict:
    """Which side of the margin the whole interval lies on, if it lies on one."""
    low, high = on_logs.low, on_logs.high
    if high < -margin:
        return "faster"
    if low > margin:
        return "slower"
    if low < -margin or high > margin:
        return "inconclusive"
    return "different_but_small" if low > 0 or high < 0 else "equivalent"


def _unpaired(samples: Samples, reference: Samples, blocks: int, margin: float) -> Comparison:
    sides = [[settled(b) for b in side.values() if b.size] for side in (samples, reference)]
    if not all(sides):
        msg = "A comparison needs samples on both sides."
        raise ValueError(msg)
    ours, theirs = (median_over(side) for side in sides)
    return Comparison(
        ratio=Interval(
            value=ours.value / theirs.value,
            low=ours.low / theirs.high,
            high=ours.high / theirs.low,
        ),
        verdict="inconclusive" if blocks else "incomparable",
        blocks=blocks,
        margin_ratio=margin,
    )
