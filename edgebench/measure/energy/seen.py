"""A run as the meter saw it: three plateaus, and the steps between them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgebench.measure.energy.joules import Run
from edgebench.measure.energy.lengths import guard_s
from edgebench.measure.energy.series import Plateau, plateau
from edgebench.measure.energy.trace import Trace, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that the rules and the estimate look at.

    Attributes:
        active: What is left of the active window without its guards; likewise `idles`, before and
            after.
        work: The plateau of `active`; None where there are too few readings for one.
        rests: The plateaus of `idles`.
    """

    trace: Trace
    run: Run
    period_s: float
    guard_s: float
    active: Window
    idles: tuple[Window, Window]
    work: Plateau | None
    rests: tuple[Plateau | None, Plateau | None]

    @property
    def idle(self) -> Plateau | None:
        """Both idle plateaus in one, each weighted by its time."""
        before, after = self.rests
        return pooled(before, after) if before is not None and after is not None else None

    @property
    def idle_gap_w(self) -> float:
        """By how much the idle power rose over the run; 0 where it is not known."""
        before, after = self.rests
        return after.mean_w - before.mean_w if before is not None and after is not None else 0.0


def see(trace: Trace, run: Run, *, lag_s: float, clock_uncertainty_s: float) -> Seen:
    """Cut the plateaus out of a trace."""
    period = trace.period_s or 0.0
    guard = guard_s(period, lag_s=lag_s, clock_uncertainty_s=clock_uncertainty_s)
    active = run.active.shrunk(guard)
    idles = (run.idle_before.shrunk(guard), run.idle_after.shrunk(guard))
    return Seen(
        trace=trace,
        run=run,
        period_s=period,
        guard_s=guard,
        active=active,
        idles=idles,
        work=plateau(trace, active),
        rests=(plateau(trace, idles[0]), plateau(trace, idles[1])),
    )


def pooled(before: Plateau, after: Plateau) -> Plateau:
    """Two stretches of the same power as one."""
    total_s = before.covered_s + after.covered_s
    share = before.covered_s / total_s
    return Plateau(
        mean_w=share * before.mean_w + (1 - share) * after.mean_w,
        random_w=float(np.hypot(share * before.random_w, (1 - share) * after.random_w)),
        step_w=max(before.step_w, after.step_w),
        drift_w=after.mean_w - before.mean_w,
        drift_error_w=float(np.hypot(before.random_w, after.random_w)),
        n_eff=before.n_eff + after.n_eff,
        samples=before.samples + after.samples,
        covered_s=total_s,
    )


def trapezoid_ratio(seen: Seen) -> float | None:
    """Mean power over the whole active time, by the trapezoid rule, over that of its plateau.

    With the guards on either side, less the idle in them: what a lag or a clock takes from the
    begin it gives back after the end, so that only the power itself can make the two differ. Where
    the idle is not known, over the active time alone.
    """
    if seen.work is None or not seen.work.mean_w:
        return None
    idle = seen.idle
    margin_ns = round(seen.guard_s * 1e9) if idle is not None else 0
    begin, end = seen.run.active.begin_ns - margin_ns, seen.run.active.end_ns + margin_ns
    if seen.trace.time_ns[0] > begin or seen.trace.time_ns[-1] < end:
        return None
    energy_j = _integral(seen.trace, Window(begin_ns=begin, end_ns=end))
    if idle is not None:
        energy_j -= 2 * seen.guard_s * idle.mean_w
    return energy_j / seen.run.active.seconds / seen.work.mean_w


def apart_w(seen: Seen) -> float:
    """By how much the power over the whole active time and that of its plateau differ.

    A device that runs faster and hotter at first is not described by its plateau alone, and the
    inferences of that time were counted.
    """
    ratio = trapezoid_ratio(seen) if seen.idle is not None else None
    return abs(ratio - 1) * seen.work.mean_w if ratio is not None and seen.work is not None else 0.0


def _integral(trace: Trace, window: Window) -> float:
    ends = [window.begin_ns, window.end_ns]
    # Relative to the begin, for a float does not hold the nanoseconds of an uptime.
    at_ends = np.interp([0.0, ends[1] - ends[0]], trace.time_ns - ends[0], trace.values)
    if trace.kind == "counter":
        return float(at_ends[1] - at_ends[0])
    inside = trace.within(window)
    times_s = np.concatenate((ends[:1], inside.time_ns, ends[1:])) - ends[0]
    powers = np.concatenate((at_ends[:1], inside.values, at_ends[1:]))
    return float(np.trapezoid(powers, times_s / 1e9))


def delay_s(seen: Seen) -> float | None:
    """By how much the meter's steps come after the work's, mean of the one up and the one down.

    The area between a step and the answer to it, over the step's height: the mean delay of any
    sensor that is linear, with the error of the clock in it. None where the step is too small.
    """
    work, idle = seen.work, seen.idle
    if work is None or idle is None or seen.trace.kind == "counter":
        return None
    height = work.mean_w - idle.mean_w
    if height < 3 * np.hypot(work.reach_w, idle.reach_w):
        return None
    areas = list(_areas(seen, work.mean_w, idle.mean_w))
    return float(np.mean(areas)) / height if len(areas) == 2 else None


def _areas(seen: Seen, work_w: float, idle_w: float) -> Iterator[float]:
    """Of the step up and of the step down, in joules; positive where the meter is late."""
    reach_ns = round(2 * seen.guard_s * 1e9)
    for edge_ns, sign in ((seen.run.active.begin_ns, 1.0), (seen.run.active.end_ns, -1.0)):
        near = seen.trace.within(Window(begin_ns=edge_ns - reach_ns, end_ns=edge_ns + reach_ns))
        if near.time_ns.size < 4:
            return
        is_after = near.time_ns >= edge_ns
        ideal = np.where(is_after if sign > 0 else ~is_after, work_w, idle_w)
        yield sign * float(np.sum(ideal - near.values)) * seen.period_s
