"""One number from several runs: the processes are the unit, as they are of latency."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import numpy as np

from edgebench.core import Reason, Status
from edgebench.measure.energy.estimate import CI_REFUSED, CI_SUSPECT
from edgebench.measure.energy.joules import Energy, Joules, refused
from edgebench.measure.stats import mean_interval_of

RUNS_MIN: Final = 3


def combine(runs: Sequence[Energy]) -> Energy:
    """The energy over at least three runs of the same work, read by the same meter.

    A run that was refused is left out, and its reasons make the rest suspect; a doubt counts where
    half of the runs have it.

    Raises:
        ValueError: There are no runs.
    """
    if not runs:
        msg = "There are no runs to combine."
        raise ValueError(msg)
    if len({(run.scope, run.kind) for run in runs}) > 1:
        gross = dynamic = refused(Reason.INCOMPARABLE)
    elif len({run.rails for run in runs}) > 1:
        gross = dynamic = refused(Reason.RAIL_SET_CHANGED)
    else:
        gross = combined([run.gross_j for run in runs])
        dynamic = combined([run.dynamic_j for run in runs])
    return replace(
        runs[0],
        gross_j=gross,
        dynamic_j=dynamic,
        active_w=_middle(runs, lambda run: run.active_w),
        idle_w=(
            _middle(runs, lambda run: run.idle_w[0]),
            _middle(runs, lambda run: run.idle_w[1]),
        ),
        samples=min(run.samples for run in runs),
        n_eff=min(run.n_eff for run in runs),
        drift_ratio=_middle(runs, lambda run: run.drift_ratio),
        trapezoid_ratio=_middle(runs, lambda run: run.trapezoid_ratio),
        delay_s=_middle(runs, lambda run: run.delay_s),
        inferences=sum(run.inferences for run in runs),
        runs=len(runs),
    )


def combined(numbers: Sequence[Joules]) -> Joules:
    """Median, with the wider of the intervals between the runs and within one of them."""
    kept = [n for n in numbers if n.value is not None and n.value > 0 and n.ci95 is not None]
    lost = Counter(reason for n in numbers if n.value is None for reason in n.reasons)
    if len(kept) < RUNS_MIN:
        known = [reason for reason, _ in lost.most_common()]
        return refused(*(known or [Reason.TOO_FEW_SAMPLES]))
    logs = np.log([n.value for n in kept if n.value is not None])
    between = mean_interval_of(logs)
    value = math.exp(float(np.median(logs)))
    low, high = math.exp(between.low), math.exp(between.high)
    within = median(ratio for n in kept if (ratio := n.half_width_ratio) is not None)
    # The interval is that of the mean of the logs; where they are skewed the median may lie aside.
    low, high = min(low, value * (1 - within)), max(high, value * (1 + within))
    return _judged(value, (low, high), _doubts(kept, lost))


def _doubts(kept: Sequence[Joules], lost: Counter[Reason]) -> tuple[Reason, ...]:
    # How wide a single run's interval is, is no doubt once there are several.
    found = Counter(r for n in kept for r in n.reasons if r is not Reason.CI_NOT_MET)
    shared = [reason for reason, count in found.items() if 2 * count >= len(kept)]
    return tuple(dict.fromkeys((*shared, *lost)))


def _judged(value: float, ci95: tuple[float, float], doubts: tuple[Reason, ...]) -> Joules:
    ratio = (ci95[1] - ci95[0]) / 2 / value
    if ratio > CI_REFUSED:
        return refused(Reason.CI_NOT_MET)
    if ratio > CI_SUSPECT:
        doubts = tuple(dict.fromkeys((*doubts, Reason.CI_NOT_MET)))
    status = Status.SUSPECT if doubts else Status.OK
    return Joules(value=value, ci95=ci95, status=status, reasons=doubts)


def _middle(runs: Sequence[Energy], pick: Callable[[Energy], float | None]) -> float | None:
    found = [value for run in runs if (value := pick(run)) is not None]
    return median(found) if found else None
