"""Joules of an inference from one run: the plateau's power, times the time, over the count.

Not the integral over the run: a meter that lags by half a second, or a clock that is off by as
much, takes 3 % from the integral over 10 s at any rate of sampling, and nothing from the plateau.
"""

import math
from typing import Final

from edgebench.core import Reason, Status
from edgebench.measure.energy import rules
from edgebench.measure.energy.joules import Energy, Joules, Run, refused
from edgebench.measure.energy.lengths import LAG_S
from edgebench.measure.energy.seen import Seen, apart_w, delay_s, see, trapezoid_ratio
from edgebench.measure.energy.trace import Trace

CI_REFUSED: Final = 0.10
CI_SUSPECT: Final = 0.05


def estimate(
    trace: Trace, run: Run, *, lag_s: float = LAG_S, clock_uncertainty_s: float = 0.0
) -> Energy:
    """The energy of one inference, gross and above idle.

    Args:
        lag_s: By how much the meter's answer trails a step of the power; where it was measured,
            what was measured.
        clock_uncertainty_s: Of the offset between the clocks of the meter and of the device.
    """
    seen = see(trace, run, lag_s=lag_s, clock_uncertainty_s=clock_uncertainty_s)
    refusals = rules.reasons(rules.REFUSALS, seen)
    if refusals:
        return _record(seen, refused(*refusals), refused(*refusals))
    doubts = rules.reasons(rules.DOUBTS, seen)
    gross = _gross(seen, doubts)
    idle_refusals = rules.reasons(rules.IDLE_REFUSALS, seen)
    if idle_refusals:
        return _record(seen, gross, refused(*idle_refusals))
    idle_doubts = rules.reasons((*rules.DOUBTS, *rules.IDLE_DOUBTS), seen)
    return _record(seen, gross, _dynamic(seen, idle_doubts))


def _gross(seen: Seen, doubts: tuple[Reason, ...]) -> Joules:
    work = seen.work
    if work is None:
        return refused(Reason.TOO_FEW_SAMPLES)
    scale = seen.run.active_s / seen.run.inferences
    reach_w = math.hypot(work.reach_w, apart_w(seen))
    return judged(work.mean_w * scale, reach_w * scale, doubts)


def _dynamic(seen: Seen, doubts: tuple[Reason, ...]) -> Joules:
    work, idle = seen.work, seen.idle
    if work is None or idle is None:
        return refused(Reason.TOO_FEW_SAMPLES)
    scale = seen.run.active_s / seen.run.inferences
    reach_w = math.hypot(work.reach_w, idle.reach_w, apart_w(seen))
    return judged((work.mean_w - idle.mean_w) * scale, reach_w * scale, doubts)


def judged(value: float, reach: float, doubts: tuple[Reason, ...]) -> Joules:
    """A number with half of its interval's width: ok, suspect, or too wide to be one."""
    if reach > CI_REFUSED * abs(value):
        return refused(Reason.CI_NOT_MET)
    if reach > CI_SUSPECT * abs(value):
        doubts = (*doubts, Reason.CI_NOT_MET)
    return Joules(
        value=value,
        ci95=(value - reach, value + reach),
        status=Status.SUSPECT if doubts else Status.OK,
        reasons=doubts,
    )


def _record(seen: Seen, gross: Joules, dynamic: Joules) -> Energy:
    work = seen.work
    before, after = seen.rests
    return Energy(
        gross_j=gross,
        dynamic_j=dynamic,
        scope=seen.trace.scope,
        kind=seen.trace.kind,
        rails=seen.trace.rails,
        rate_hz=1 / seen.period_s if seen.period_s else None,
        resolution=seen.trace.resolution,
        active_w=work.mean_w if work else None,
        idle_w=(before.mean_w if before else None, after.mean_w if after else None),
        window_s=max(seen.active.seconds, 0.0),
        guard_s=seen.guard_s,
        samples=work.samples if work else 0,
        n_eff=work.n_eff if work else 0.0,
        drift_ratio=work.drift_w / work.mean_w if work and work.mean_w else None,
        trapezoid_ratio=trapezoid_ratio(seen),
        delay_s=delay_s(seen),
        inferences=seen.run.inferences,
    )
