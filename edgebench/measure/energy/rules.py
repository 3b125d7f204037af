"""When a trace says nothing of joules, and when it deserves doubt.

Each rule yields the reasons that it finds. `REFUSALS` leave no number at all, `IDLE_REFUSALS` none
above idle, and `DOUBTS` leave numbers that are suspect.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Reason
from edgebench.measure.energy.lengths import PLATEAU_MIN_S, SAMPLES_MIN
from edgebench.measure.energy.seen import Seen, trapezoid_ratio
from edgebench.measure.energy.trace import Window

N_EFF_MIN: Final = 8.0
# With fewer the correlation itself is so badly known that the interval held the truth in 91 %.
N_EFF_SUSPECT: Final = 20.0
GAP_PERIODS: Final = 3.0
LOST_SHARE: Final = 0.02
COUNTS_MIN: Final = 1000
FROZEN_MIN: Final = 5
FROZEN_SHARE: Final = 0.2
TIME_MISMATCH: Final = 0.01
IDLE_DRIFT_REFUSED: Final = 0.03
IDLE_DRIFT_SUSPECT: Final = 0.015
# Of the interval of the idle's change at 95 %: chance alone passes this in 0.3 %.
IDLE_DRIFT_ERRORS: Final = 1.5
# Of the meter's smallest step, what the work must take above idle: more behind a supply's losses.
STEPS_MIN: Final = 5
WALL_STEPS_MIN: Final = 10
# Of the power above idle: what half of the idle's change may be, for it may all have come at once.
IDLE_SHARE_REFUSED: Final = 0.05
IDLE_SHARE_SUSPECT: Final = 0.01
SLOPE_SUSPECT: Final = 0.01
# A slow meter that levels off over 120 s rises by less than 1 % in 10 s, and is off by more.
RISE_SUSPECT: Final = 0.02
TRAPEZOID_SUSPECT: Final = 0.01
TRAPEZOID_BLIND: Final = 0.03
TRAPEZOID_LONG_S: Final = 30.0
INFERENCES_MIN: Final = 10

Rule = Callable[[Seen], Iterator[Reason]]


def spoiled(seen: Seen) -> Iterator[Reason]:
    """The meter or the device said itself that the run is worth nothing."""
    if seen.trace.refusal is not None:
        yield seen.trace.refusal
    yield from seen.run.events


def backwards(seen: Seen) -> Iterator[Reason]:
    """A counter fell, and its range is not known or does not explain it."""
    whole = Window(begin_ns=seen.run.idle_before.begin_ns, end_ns=seen.run.idle_after.end_ns)
    if seen.trace.kind == "counter" and (np.diff(seen.trace.within(whole).values) < 0).any():
        yield Reason.COUNTER_BACKWARDS


def short(seen: Seen) -> Iterator[Reason]:
    """The plateau is too short, in seconds, readings or counts."""
    if seen.active.seconds < PLATEAU_MIN_S or _counts(seen) < COUNTS_MIN:
        yield Reason.WINDOW_TOO_SHORT
    if seen.work is None or seen.work.samples < SAMPLES_MIN:
        yield Reason.TOO_FEW_SAMPLES
    elif seen.work.n_eff < N_EFF_MIN:
        yield Reason.N_EFF_LOW


def _counts(seen: Seen) -> float:
    if seen.trace.kind == "power" or not seen.trace.resolution or seen.work is None:
        return float("inf")
    return seen.work.mean_w * seen.work.covered_s / seen.trace.resolution


def unread(seen: Seen) -> Iterator[Reason]:
    """The meter was asked and did not answer: that is why there are few readings."""
    total = seen.trace.unreadable + seen.trace.time_ns.size
    if seen.trace.unreadable > LOST_SHARE * total:
        yield Reason.SENSOR_GAP


def gap(seen: Seen) -> Iterator[Reason]:
    """Readings are missing, one long stretch or many short ones."""
    if _has_gap(seen, seen.active):
        yield Reason.SENSOR_GAP


def _has_gap(seen: Seen, window: Window) -> bool:
    times = seen.trace.within(window).time_ns
    if not times.size or seen.period_s <= 0:
        return True
    edges = np.concatenate(([window.begin_ns], times, [window.end_ns]))
    periods = np.diff(edges) / 1e9 / seen.period_s
    lost = np.maximum(np.round(np.diff(times) / 1e9 / seen.period_s) - 1, 0).sum()
    return bool(periods.max() > GAP_PERIODS or lost > LOST_SHARE * (times.size + lost))


def frozen(seen: Seen) -> Iterator[Reason]:
    """The same value again and again: nothing is measured."""
    if _is_frozen(seen.trace.within(seen.active).values):
        yield Reason.SENSOR_FROZEN


def _is_frozen(values: NDArray[np.float64]) -> bool:
    ends = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1, [values.size]))
    return bool(np.diff(ends).max() >= max(FROZEN_MIN, FROZEN_SHARE * values.size))


def nonsense(seen: Seen) -> Iterator[Reason]:
    """A mean that no device has, or a time that is not that of the window."""
    if seen.work is not None and seen.work.mean_w <= 0:
        yield Reason.UNIT_AMBIGUOUS
    if abs(seen.run.active_s / seen.run.active.seconds - 1) > TIME_MISMATCH:
        yield Reason.ENERGY_INCONSISTENT


def drifted(seen: Seen) -> Iterator[Reason]:
    """The idle power changed over the run by more than chance and 3 %."""
    if (idle := seen.idle) is not None:
        allowed = max(IDLE_DRIFT_REFUSED * abs(idle.mean_w), IDLE_DRIFT_ERRORS * idle.drift_error_w)
        if abs(seen.idle_gap_w) > allowed:
            yield Reason.IDLE_DRIFT


def idle_unknown(seen: Seen) -> Iterator[Reason]:
    """The idle windows are too short, or the meter did not read well in them.

    The same value again and again is no fault there where the meter's steps are known: a quiet
    board is within one, and idle windows that differ from one another are refused.
    """
    idle = seen.idle
    if sum(window.seconds for window in seen.idles) < PLATEAU_MIN_S:
        yield Reason.WINDOW_TOO_SHORT
    if idle is None or idle.samples < SAMPLES_MIN:
        yield Reason.TOO_FEW_SAMPLES
    elif idle.n_eff < N_EFF_MIN:
        yield Reason.N_EFF_LOW
    if any(_has_gap(seen, window) for window in seen.idles):
        yield Reason.SENSOR_GAP
        return
    is_quiet = seen.trace.resolution is not None and seen.trace.kind == "power"
    if not is_quiet and any(_is_frozen(seen.trace.within(w).values) for w in seen.idles):
        yield Reason.SENSOR_FROZEN


def too_small(seen: Seen) -> Iterator[Reason]:
    """The work is not seen above the noise, the meter's steps, or the idle's own change."""
    if seen.work is None or (idle := seen.idle) is None:
        return
    delta = seen.work.mean_w - idle.mean_w
    steps = seen.trace.resolution or 0.0
    if seen.trace.kind == "counter":
        steps /= seen.work.covered_s
    least = WALL_STEPS_MIN if seen.trace.scope == "wall_ac" else STEPS_MIN
    if delta < max(3 * float(np.hypot(seen.work.random_w, idle.random_w)), least * steps):
        yield Reason.DELTA_BELOW_NOISE
    elif abs(seen.idle_gap_w) / 2 > max(IDLE_SHARE_REFUSED * delta, idle.drift_error_w):
        yield Reason.IDLE_DRIFT


def unsteady(seen: Seen) -> Iterator[Reason]:
    """The plateau rises or falls: the device warms up, or the meter had not caught up."""
    if seen.work is not None and abs(seen.work.drift_w) > seen.work.drift_error_w:
        rise = abs(seen.work.drift_w) / seen.work.mean_w
        slope = rise / seen.work.covered_s * 10
        if slope > SLOPE_SUSPECT or rise > RISE_SUSPECT:
            yield Reason.NO_STEADY_STATE


def inconsistent(seen: Seen) -> Iterator[Reason]:
    """The whole active time and its plateau tell different powers."""
    ratio = trapezoid_ratio(seen)
    if ratio is None or abs(ratio - 1) > _trapezoid_allowed(seen):
        yield Reason.ENERGY_INCONSISTENT


def _trapezoid_allowed(seen: Seen) -> float:
    seconds = seen.run.active.seconds
    if seen.work is None or (idle := seen.idle) is None:
        # The lag alone takes this much.
        return TRAPEZOID_BLIND if seconds >= TRAPEZOID_LONG_S else 2 * TRAPEZOID_BLIND
    work_w = seen.work.mean_w
    # Where in its period a reading fell as the power rose is not known, nor is it as it fell.
    edges = abs(work_w - idle.mean_w) / work_w * seen.period_s / seconds
    chance = (seen.work.random_w + idle.random_w) / work_w / 2
    return TRAPEZOID_SUSPECT + edges + chance


def few(seen: Seen) -> Iterator[Reason]:
    """So few inferences that the one cut off at the end counts, or few independent readings."""
    if seen.run.inferences < INFERENCES_MIN:
        yield Reason.TOO_FEW_SAMPLES
    if seen.work is not None and seen.work.n_eff < N_EFF_SUSPECT:
        yield Reason.N_EFF_LOW


def drifting(seen: Seen) -> Iterator[Reason]:
    """The idle power changed, by less than what is refused."""
    if (idle := seen.idle) is not None:
        ignored = max(IDLE_DRIFT_SUSPECT * abs(idle.mean_w), idle.drift_error_w)
        if abs(seen.idle_gap_w) > ignored:
            yield Reason.IDLE_DRIFT


def doubted(seen: Seen) -> Iterator[Reason]:
    """The meter has doubts of its own."""
    yield from seen.trace.doubts


def idle_moved(seen: Seen) -> Iterator[Reason]:
    """The idle's change is not small beside the power above it."""
    if seen.work is not None and (idle := seen.idle) is not None:
        delta = seen.work.mean_w - idle.mean_w
        if abs(seen.idle_gap_w) / 2 > max(IDLE_SHARE_SUSPECT * delta, idle.drift_error_w / 2):
            yield Reason.IDLE_DRIFT


REFUSALS: Final[tuple[Rule, ...]] = (
    *(spoiled, backwards, unread, short, gap, frozen, nonsense, drifted),
)
IDLE_REFUSALS: Final[tuple[Rule, ...]] = (idle_unknown, too_small)
DOUBTS: Final[tuple[Rule, ...]] = (doubted, unsteady, inconsistent, few, drifting)
IDLE_DOUBTS: Final[tuple[Rule, ...]] = (idle_moved,)


def reasons(rules: tuple[Rule, ...], seen: Seen) -> tuple[Reason, ...]:
    """What rules find, each reason once, in their order."""
    return tuple(dict.fromkeys(reason for rule in rules for reason in rule(seen)))
