"""From what was recorded of a cell to its joules, and back."""

from collections.abc import Iterator
from dataclasses import replace

from edgebench.core import EnergyRun, Reason, Recorded, Status
from edgebench.measure.energy.aligned import Aligned
from edgebench.measure.energy.chirp import Spins
from edgebench.measure.energy.combine import combine
from edgebench.measure.energy.estimate import estimate
from edgebench.measure.energy.joules import Energy, Joules, Run
from edgebench.measure.energy.lengths import LAG_S
from edgebench.measure.energy.trace import Trace, Window
from edgebench.measure.scenario import read_scenario
from edgebench.runner import EnergyResult


def run_of(windows: EnergyResult, *, events: tuple[Reason, ...]) -> Run:
    """The run that a runner's windows are."""
    active = _window(windows.active_ns)
    return Run(
        idle_before=_window(windows.idle_before_ns),
        active=active,
        idle_after=_window(windows.idle_after_ns),
        inferences=windows.inferences,
        active_s=active.seconds,
        events=events,
    )


def record_of(aligned: Aligned, run: Run, *, meter: str, spins: Spins = ()) -> EnergyRun:
    """What is kept of a run beside the readings themselves."""
    trace = aligned.trace
    return EnergyRun(
        meter=meter,
        scope=trace.scope,
        kind=trace.kind,
        rails=trace.rails,
        resolution=trace.resolution,
        unreadable=trace.unreadable,
        refusal=trace.refusal,
        doubts=trace.doubts,
        idle_before_ns=(run.idle_before.begin_ns, run.idle_before.end_ns),
        active_ns=(run.active.begin_ns, run.active.end_ns),
        idle_after_ns=(run.idle_after.begin_ns, run.idle_after.end_ns),
        inferences=run.inferences,
        events=run.events,
        chirp_ns=tuple(spins),
        lag_s=aligned.lag_s,
        clock_uncertainty_s=aligned.clock_uncertainty_s,
    )


def estimates(recorded: Recorded) -> list[Energy]:
    """The energy that each run of a cell says, in their order."""
    return [
        estimate(
            trace,
            run_of_record(kept),
            lag_s=LAG_S if kept.lag_s is None else kept.lag_s,
            clock_uncertainty_s=kept.clock_uncertainty_s,
        )
        for kept, trace in _runs(recorded)
    ]


def summarize_energy(recorded: Recorded) -> Energy | None:
    """The energy of a cell; None where no meter was read.

    A lone run says what it saw; several, what they have in common.
    """
    runs = estimates(recorded)
    if not runs:
        return None
    found = combine(runs) if len(runs) > 1 else runs[0]
    rate_hz = read_scenario(recorded.measurement.scenario).rate_hz
    return found if rate_hz is None else _at_a_rate(found, rate_hz)


def _at_a_rate(energy: Energy, rate_hz: float) -> Energy:
    """With a doubt where the meter reads less than twice a period of the work.

    Readings of power may then meet the same part of each period: nothing in them shows it. What
    more time at work would not mend is no matter of a single run.
    """
    if energy.kind == "counter" or (energy.rate_hz or 0.0) >= 2 * rate_hz:
        return energy
    return replace(energy, gross_j=_doubted(energy.gross_j), dynamic_j=_doubted(energy.dynamic_j))


def _doubted(joules: Joules) -> Joules:
    if joules.value is None:
        return joules
    reasons = tuple(dict.fromkeys((*joules.reasons, Reason.N_EFF_LOW)))
    return replace(joules, status=Status.SUSPECT, reasons=reasons)


def _runs(recorded: Recorded) -> Iterator[tuple[EnergyRun, Trace]]:
    for kept, (time_ns, values) in zip(
        recorded.measurement.energy or (), recorded.power, strict=True
    ):
        trace = Trace(
            kind=kept.kind,
            scope=kept.scope,  # type: ignore[arg-type]  # written from a Scope
            time_ns=time_ns,
            values=values,
            rails=kept.rails,
            resolution=kept.resolution,
            unreadable=kept.unreadable,
            refusal=kept.refusal,
            doubts=kept.doubts,
        )
        yield kept, trace


def run_of_record(kept: EnergyRun) -> Run:
    """The run that a record is of."""
    active = _window(kept.active_ns)
    return Run(
        idle_before=_window(kept.idle_before_ns),
        active=active,
        idle_after=_window(kept.idle_after_ns),
        inferences=kept.inferences,
        active_s=active.seconds,
        events=kept.events,
    )


def _window(ends: tuple[int, int]) -> Window:
    return Window(begin_ns=ends[0], end_ns=ends[1])
