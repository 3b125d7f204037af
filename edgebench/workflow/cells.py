"""The cells of a run: which there are, measured device by device, kept as they come."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import JsonValue

from edgebench.core import Device, Format, Job, Reason, Recorded, Status
from edgebench.device.halt import Halt, HaltingTransport
from edgebench.device.lock import locked
from edgebench.device.ways import runtime_for
from edgebench.errors import ConfigError, DeviceError, DeviceLost
from edgebench.measure.cell import Task, begin, ended, is_finished, reopened
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.restarts import measure_through
from edgebench.results.store import (
    CellSpec,
    RunDocument,
    read_recorded,
    write_recorded,
    write_run,
)
from edgebench.runtimes import READS
from edgebench.workflow.order import Desk
from edgebench.workflow.protocol import resolve_protocol
from edgebench.workflow.standing import Followed
from edgebench.workflow.workers import at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A cell whose verdict needs no device: stopped by the gate, or impossible to run."""

    job: Job
    reason: Reason
    error: str
    status: Status = Status.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one device has to do.

    Attributes:
        device: None where it could not be reached; its cells stay open.
        settings: Values of the protocol that the device has of its own.
        meter: That hangs on the host, open.
    """

    name: str
    device: Device | None
    specs: tuple[CellSpec, ...]
    tasks: tuple[Task, ...] = ()
    settled: tuple[Settled, ...] = ()
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    meter: HostMeter | None = None


def bill_of(
    name: str, device: Device | None, specs: Sequence[CellSpec], answers: Sequence[Task | Settled]
) -> Bill:
    """The bill of a device, its cells divided by whether they need it."""
    return Bill(
        name=name,
        device=device,
        specs=tuple(specs),
        tasks=tuple(answer for answer in answers if isinstance(answer, Task)),
        settled=tuple(answer for answer in answers if isinstance(answer, Settled)),
    )


def spec_of(job: Job, *, reference: str | None) -> CellSpec:
    """How `run.json` names the cell of a job."""
    return CellSpec(
        key=job.key,
        variant=job.variant,
        format=job.artifact.format.value,
        device=job.device,
        runtime=job.runtime,
        threads=job.threads,
        accelerator=job.accelerator,
        scenario=job.scenario,
        reference=reference,
    )


def pick_runtime(
    device: Device | None, target: Format, *, asked: str | None = None
) -> str | DeviceError:
    """The runtime of a format on a device, or why there is none.

    Where the device could not be asked, the first of its kind stands for it.
    """
    if asked is not None and asked in READS[target]:
        return asked
    if device is None:
        return READS[target][0]
    try:
        return runtime_for(device, target)
    except DeviceError as error:
        return error


def check_runtime(runtime: str | None, targets: Iterable[Format]) -> None:
    """Raise ConfigError for a runtime that reads none of the formats."""
    if runtime is None or any(runtime in READS[target] for target in targets):
        return
    known = sorted({name for names in READS.values() for name in names})
    msg = f"The runtime {runtime!r} reads none of these files."
    raise ConfigError(msg, hint=f"Runtimes: {', '.join(known)}.")


def carry_out(folder: Path, run: RunDocument, bills: Sequence[Bill], desk: Desk) -> RunDocument:
    """Measure what is open on all devices at once.

    Every cell is on disk as soon as it has changed. `run.json` is written here alone, and the files
    of a cell by the worker of its device alone.
    """
    run = replace(run, cells=_merged(folder, run, bills))
    write_run(folder, run)
    works = {
        bill.name: functools.partial(_measured, folder, run, bill, desk)
        for bill in bills
        if bill.device is not None
    }
    ended_by = at_once(works, desk.progress)
    failed = {name: error.in_full() for name, error in ended_by.items() if error is not None}
    away = {name: why for name, why in run.lost.items() if name not in works}
    lost = {**away, **failed}
    run = replace(run, lost=lost, finished=not lost)
    write_run(folder, run)
    return run


def _merged(folder: Path, run: RunDocument, bills: Sequence[Bill]) -> tuple[CellSpec, ...]:
    """The cells to measure, and those that an earlier part of the run has measured.

    A board that is away now may have been here then, with another runtime than the one that stands
    for it: what the run knows of it is what counts.
    """
    specs: list[CellSpec] = []
    for bill in bills:
        known = [spec for spec in run.cells if spec.device == bill.name]
        specs += known if bill.device is None and known else bill.specs
    keys = {spec.key for spec in specs}
    earlier = [spec for spec in run.cells if spec.key not in keys]
    return (*specs, *(spec for spec in earlier if read_recorded(folder, spec.key)))


def _mark_lost(folder: Path, bill: Bill, error: DeviceError) -> None:
    for task in bill.tasks:
        recorded = read_recorded(folder, task.job.key)
        if recorded is not None and not is_finished(recorded.measurement):
            write_recorded(folder, ended(recorded, Reason.DEVICE_LOST, str(error)))


def _measured(folder: Path, run: RunDocument, bill: Bill, desk: Desk, halt: Halt) -> None:
    """Measure what is open on one device; raises what ended that, after it was kept."""
    try:
        _measure(folder, run, bill, desk, halt)
    except DeviceError as error:
        # What a worker that was told to stop left behind says nothing of the device.
        if not halt.is_asked:
            what = "was lost: " if isinstance(error, DeviceLost) else ""
            desk.progress(f"{bill.name}: {what}{error}")
            _mark_lost(folder, bill, error)
        raise


def _measure(folder: Path, run: RunDocument, bill: Bill, desk: Desk, halt: Halt) -> None:
    if bill.device is None:
        return
    protocol = resolve_protocol({**run.protocol, **bill.settings}, source="run.json")
    keep = functools.partial(write_recorded, folder)
    for settled in bill.settled:
        recorded = begin(settled.job, bill.device, seed=run.seed)
        keep(ended(recorded, settled.reason, settled.error, status=settled.status))
    kept = _kept(folder, bill)
    done = {key for key, recorded in kept.items() if is_finished(recorded.measurement)}
    if done.issuperset(task.job.key for task in bill.tasks):
        return
    cells = {task.job.key: kept.get(task.job.key) for task in bill.tasks}
    followed = Followed(bill.name, protocol, cells, desk.watch)

    def progress(text: str) -> None:
        followed.say(text)
        if desk.watch is None:
            desk.progress(f"{bill.name}: {text}")

    device = replace(bill.device, transport=HaltingTransport(bill.device.transport, halt))
    wait_s = desk.wait_for_lock_s
    with locked(device, run=folder.name, wait_s=wait_s, progress=progress) as held:
        for recorded in measure_through(
            held,
            bill.tasks,
            protocol,
            kept=kept,
            cache=desk.cache,
            progress=progress,
            meter=bill.meter,
        ):
            # What came of a program that Ctrl-C reached too is not of the device.
            halt.sleep(0)
            keep(recorded)
            followed.saw(recorded)


def _kept(folder: Path, bill: Bill) -> dict[str, Recorded]:
    """What an earlier part of the run has measured.

    A variant that was made anew is another one: what was measured is not of this file.
    """
    kept: dict[str, Recorded] = {}
    for task in bill.tasks:
        before = read_recorded(folder, task.job.key)
        if before is not None and before.measurement.sha256 == task.job.artifact.sha256:
            kept[task.job.key] = reopened(before)
    return kept
