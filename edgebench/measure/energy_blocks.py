"""Energy in blocks: in each, every cell runs once, as a process of its own, in shuffled order."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgebench.core import EnergyRun, Job, MeasureProtocol, Progress, Reason, Recorded
from edgebench.errors import JobFailed
from edgebench.measure.attached import Attached
from edgebench.measure.cell import Task
from edgebench.measure.energy.aligned import Aligned, by_pings
from edgebench.measure.energy.chirp import PULSES, pulse_s
from edgebench.measure.energy.joules import Energy
from edgebench.measure.energy.lengths import (
    ACTIVE_MAX_S,
    LAG_S,
    WALL_LAG_S,
    Length,
    window_length,
)
from edgebench.measure.energy.recorded import estimates, record_of, run_of
from edgebench.measure.energy.trace import Trace
from edgebench.measure.launched import ran
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.protocol import block_order
from edgebench.measure.session import Bench, asked_of, watched_by
from edgebench.measure.state.cores import cores_for
from edgebench.measure.state.monitor import Finding, Seen, Watch
from edgebench.measure.state.monitors import judged, watch_spec
from edgebench.measure.watched import Watched
from edgebench.runner import EnergyResult, RunnerJob, Windows

# What more time at work can mend.
TOO_SHORT: Final = frozenset({Reason.CI_NOT_MET, Reason.N_EFF_LOW, Reason.DELTA_BELOW_NOISE})


def measure_energies(
    benches: Mapping[str, Bench],
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    progress: Progress,
) -> Iterator[Recorded]:
    """Read the meter of a device for every cell, and yield each as it changes.

    A cell whose interval stays wide works twice as long in the next run. One whose runner fails
    has the reason in the place of its energy, and its latency is still to come. What `cells` holds
    of earlier runs is not measured again.
    """
    for key in [task.job.key for task in tasks]:
        meter = benches[cells[key].measurement.runtime].meter
        reason = meter.reason if isinstance(meter, Absent) else Reason.NOT_MEASURED
        if isinstance(meter, Absent) or protocol.energy_runs == 0:
            missing = {**cells[key].measurement.missing, "energy": reason}
            measurement = replace(cells[key].measurement, missing=missing)
            cells[key] = replace(cells[key], measurement=measurement)
    by_key = {task.job.key: task for task in tasks}
    for number in range(protocol.energy_runs):
        for key in block_order(tuple(by_key), block=number, seed=protocol.seed):
            bench = benches[by_key[key].job.runtime]
            if isinstance(bench.meter, Absent) or len(cells[key].power) > number:
                continue
            progress(f"{key}: energy, run {number + 1} of {protocol.energy_runs}")
            cells[key] = _one_run(bench, bench.meter, by_key[key], protocol, cells[key])
            yield cells[key]
            if "energy" in cells[key].measurement.missing:
                del by_key[key]


def _one_run(
    bench: Bench,
    meter: Meter | Attached,
    task: Task,
    protocol: MeasureProtocol,
    recorded: Recorded,
) -> Recorded:
    lags_s = [run.lag_s for run in recorded.measurement.energy or () if run.lag_s is not None]
    length = length_of(meter, protocol, least_lag_s=max(lags_s, default=0.0))
    length = replace(length, active_s=_active_s(length.active_s, estimates(recorded)))
    try:
        run, trace = measure_energy(
            bench, meter, task.job, protocol, inputs=task.sample, length=length
        )
    except JobFailed as error:
        missing = {**recorded.measurement.missing, "energy": Reason(error.reason)}
        return replace(recorded, measurement=replace(recorded.measurement, missing=missing))
    missing = {k: v for k, v in recorded.measurement.missing.items() if k != "energy"}
    runs = (*(recorded.measurement.energy or ()), run)
    return replace(
        recorded,
        measurement=replace(recorded.measurement, energy=runs, missing=missing),
        power=(*recorded.power, (trace.time_ns, trace.values)),
    )


def _active_s(base_s: float, so_far: Sequence[Energy]) -> float:
    """How long to work: as long as the meter needs, and twice as long after a run too short."""
    if not so_far:
        return base_s
    last = so_far[-1]
    reasons = {*last.gross_j.reasons, *last.dynamic_j.reasons}
    worked_s = max(last.window_s + 2 * last.guard_s, base_s)
    return min(2 * worked_s if reasons & TOO_SHORT else worked_s, ACTIVE_MAX_S)


def measure_energy(
    bench: Bench,
    meter: Meter | Attached,
    job: Job,
    protocol: MeasureProtocol,
    *,
    inputs: Path,
    length: Length,
) -> tuple[EnergyRun, Trace]:
    """One process of the energy pass, and what the meter read; raises as `measure_latency` does."""
    asked = _asked(bench, meter, job, protocol, inputs=inputs, length=length)
    launch = functools.partial(_launched, bench, job, protocol, asked)
    if isinstance(meter, Meter):
        found, watched = launch()
        aligned = Aligned(trace=meter.trace(watched.readings))
    else:
        (found, watched), trace, alignment = meter.beside(
            launch, bench.device, python=bench.launch.argv[0]
        )
        aligned = by_pings(trace, alignment, found.chirp_ns)
    events = judged(bench.watches, Seen.of_windows(watched.readings, found)).invalid
    run = run_of(found, events=events)
    name = meter.name if isinstance(meter, Meter) else meter.description.name
    return record_of(aligned, run, meter=name, spins=found.chirp_ns), aligned.trace


def _asked(
    bench: Bench,
    meter: Meter | Attached,
    job: Job,
    protocol: MeasureProtocol,
    *,
    inputs: Path,
    length: Length,
) -> RunnerJob:
    """The job document: a device reads its own meter, and chirps for one that hangs on the host."""
    windows = Windows(idle_s=length.idle_s, active_s=length.active_s)
    watches = bench.watches
    if isinstance(meter, Meter):
        watches = (*watches, Watch(sources=meter.sources, judge=lambda _: Finding()))
    else:
        pulse = pulse_s(meter.description.rate_hz)
        windows = replace(windows, chirps=PULSES, pulse_s=pulse)
    return replace(
        asked_of(bench, job, protocol, kind="energy", inputs=inputs),
        watch=watch_spec(watches, cpus=cores_for(job.threads, bench.clusters).watcher),
        windows=windows,
    )


def _launched(
    bench: Bench, job: Job, protocol: MeasureProtocol, asked: RunnerJob
) -> tuple[EnergyResult, Watched]:
    """The windows of one process, and what was read beside it."""
    windows = asked.windows
    chirp_s = 2 * windows.chirps * windows.pulse_s
    whole_s = protocol.warmup_min_s + chirp_s + 2 * windows.idle_s + windows.active_s
    patient = replace(protocol, timeout_s=protocol.timeout_s + whole_s)
    with ran(
        bench.device,
        bench.launch,
        asked,
        name=f"{job.key}.energy",
        protocol=patient,
        quiet_s=whole_s,
    ) as done:
        found = done.result.energy
        watched = watched_by(done, asked)
    if found is None:
        msg = "The runner answered an energy pass without its windows."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return found, watched


def length_of(
    meter: Meter | Attached, protocol: MeasureProtocol, *, least_lag_s: float = 0.0
) -> Length:
    """How long the device works and rests for a meter, to begin with.

    Args:
        least_lag_s: What is known of the meter's lag.
    """
    if isinstance(meter, Meter):
        period_s = max(source.period_s for source in meter.sources)
        length = window_length(meter.kind, 1 / period_s)
    else:
        about = meter.description
        lag_s = WALL_LAG_S if about.scope == "wall_ac" else LAG_S
        length = window_length(
            about.kind,
            about.rate_hz,
            scope=about.scope,
            resolution_w=about.resolution,
            lag_s=max(lag_s, least_lag_s),
        )
    return Length(
        active_s=protocol.energy_active_s or length.active_s,
        idle_s=protocol.energy_idle_s or length.idle_s,
    )
