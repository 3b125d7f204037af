"""Energy in blocks: in each, every cell runs once, as a process of its own, in shuffled order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgebench.core import EnergyRun, Job, MeasureProtocol, Progress, Reason, Recorded
from edgebench.errors import JobFailed
from edgebench.measure.cell import Task
from edgebench.measure.energy.joules import Energy
from edgebench.measure.energy.lengths import ACTIVE_MAX_S, Length, window_length
from edgebench.measure.energy.recorded import estimates, record_of, run_of
from edgebench.measure.energy.trace import Trace
from edgebench.measure.launched import ran
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.protocol import block_order
from edgebench.measure.session import Bench, asked_of, watched_by
from edgebench.measure.state.cores import cores_for
from edgebench.measure.state.monitor import Finding, Seen, Watch
from edgebench.measure.state.monitors import judged, watch_spec
from edgebench.runner import Windows

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
    bench: Bench, meter: Meter, task: Task, protocol: MeasureProtocol, recorded: Recorded
) -> Recorded:
    active_s = _active_s(meter, estimates(recorded))
    try:
        run, trace = measure_energy(
            bench, meter, task.job, protocol, inputs=task.sample, active_s=active_s
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


def _active_s(meter: Meter, so_far: Sequence[Energy]) -> float:
    """How long to work: as long as the meter needs, and twice as long after a run too short."""
    base_s = length_of(meter).active_s
    if not so_far:
        return base_s
    last = so_far[-1]
    reasons = {*last.gross_j.reasons, *last.dynamic_j.reasons}
    worked_s = max(last.window_s + 2 * last.guard_s, base_s)
    return min(2 * worked_s if reasons & TOO_SHORT else worked_s, ACTIVE_MAX_S)


def measure_energy(
    bench: Bench,
    meter: Meter,
    job: Job,
    protocol: MeasureProtocol,
    *,
    inputs: Path,
    active_s: float,
) -> tuple[EnergyRun, Trace]:
    """One process of the energy pass, and what the meter read; raises as `measure_latency` does.

    Args:
        active_s: How long the device infers without a pause, between two rests.
    """
    length = length_of(meter)
    asked = replace(
        asked_of(bench, job, protocol, kind="energy", inputs=inputs),
        watch=watch_spec(
            (*bench.watches, Watch(sources=meter.sources, judge=lambda _: Finding())),
            cpus=cores_for(job.threads, bench.clusters).watcher,
        ),
        windows=Windows(idle_s=length.idle_s, active_s=active_s),
    )
    whole_s = protocol.warmup_min_s + 2 * length.idle_s + active_s
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
    events = judged(bench.watches, Seen.of_windows(watched.readings, found)).invalid
    trace = meter.trace(watched.readings)
    return record_of(trace, run_of(found, events=events), meter=meter.name), trace


def length_of(meter: Meter) -> Length:
    """How long the device works and rests for a meter, to begin with."""
    period_s = max(source.period_s for source in meter.sources)
    return window_length(meter.kind, 1 / period_s)
