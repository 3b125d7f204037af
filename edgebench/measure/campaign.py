"""A device's cells, from the first to the last: outputs, memory, energy, then latency in blocks.

Every step yields the cell as it stands, so that whoever listens can keep it at once: a campaign
that is cut off loses at most the process that was running.
"""

import contextlib
import functools
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgebench.core import (
    Accuracy,
    Device,
    MeasureProtocol,
    Profile,
    Progress,
    Reason,
    Recorded,
    Status,
)
from edgebench.data import accuracy
from edgebench.device.connect import refreshed
from edgebench.device.jobs import end_leftovers
from edgebench.device.look import look
from edgebench.device.patience import patiently
from edgebench.device.provision import provision
from edgebench.device.settings import Wanted
from edgebench.device.steady import LEASE_S, steady
from edgebench.errors import ConfigError, DeviceError, DeviceLost, JobFailed
from edgebench.measure.agreement import agreement, is_wrong
from edgebench.measure.attached import Attached, attached
from edgebench.measure.blocks import measure_blocks
from edgebench.measure.cell import Task, begin, ended, is_finished, restated
from edgebench.measure.energy_blocks import measure_energies
from edgebench.measure.fetched import arrays_of
from edgebench.measure.meters import choice
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.placement import fell_back
from edgebench.measure.session import Bench, compute_outputs, measure_memory, measure_profile
from edgebench.measure.state import cores, monitors
from edgebench.measure.state.battery import wait_for_battery
from edgebench.measure.state.gate import look_calm

if TYPE_CHECKING:
    from pydantic import JsonValue


def measure_device(  # noqa: PLR0913 - a keyword for each thing that only some measure with
    device: Device,
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    *,
    kept: Mapping[str, Recorded],
    cache: Path,
    progress: Progress,
    meter: HostMeter | None = None,
) -> Iterator[Recorded]:
    """Measure every task that is not finished, and yield each cell whenever it has changed.

    Args:
        kept: Cells of an earlier, broken run; what they hold is not measured again.
        cache: Where runtimes for boards are kept on the host.
        meter: One that hangs on the host, open; it is read in the place of the device's own.

    Raises:
        DeviceLost: The device stayed away for longer than its patience.
    """
    until_s = time.monotonic() + (math.inf if protocol.budget_s is None else protocol.budget_s)
    cells = {task.job.key: _first(task, device, protocol, kept) for task in tasks}
    for name in end_leftovers(device):
        progress(f"ended {name}, which an earlier run had left at work")
    open_tasks = [t for t in tasks if not is_finished(cells[t.job.key].measurement)]
    wait_for_battery(device, protocol)
    outside = None if meter is None else attached(meter)
    benches, broken = _provision_all(device, open_tasks, cache, progress, outside)
    with _settled(device, benches, protocol, progress) as settled:
        for task in open_tasks:
            if task.job.runtime in settled:
                here = settled[task.job.runtime].device
                cells[task.job.key] = restated(cells[task.job.key], here)
        yield from _checked_all(settled, broken, open_tasks, protocol, cells, progress)
        # Energy before the latency, whose last block is what finishes a cell.
        for measure in (measure_energies, functools.partial(measure_blocks, until_s=until_s)):
            alive = [task for task in tasks if not is_finished(cells[task.job.key].measurement)]
            yield from measure(settled, alive, protocol, cells, progress)


def _checked_all(
    benches: Mapping[str, Bench],
    broken: Mapping[str, DeviceError],
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    progress: Progress,
) -> Iterator[Recorded]:
    """Outputs and memory of all cells that are still open."""
    for task in tasks:
        key = task.job.key
        if task.job.runtime in broken:
            cells[key] = ended(cells[key], Reason.NO_RUNTIME, broken[task.job.runtime].in_full())
        else:
            progress(f"{key}: outputs and memory")
            cells[key] = _checked(benches[task.job.runtime], task, protocol, cells[key])
        yield cells[key]


@contextlib.contextmanager
def _settled(
    device: Device, benches: Mapping[str, Bench], protocol: MeasureProtocol, progress: Progress
) -> Iterator[Mapping[str, Bench]]:
    """The benches, set as the plan asks for; what was before is back afterwards."""
    launches = [bench.launch for bench in benches.values()]
    wanted = Wanted.of(protocol)
    asked = wanted.named()
    found: dict[str, JsonValue] = {"governor": device.facts.get("governor")}
    if not asked or not launches:
        yield {name: replace(bench, stands=found) for name, bench in benches.items()}
        return
    guard = PurePosixPath(launches[0].argv[-1]).with_name("guard.sh")
    # The host is heard of before each process, and waits that long between two of them.
    lease_s = LEASE_S + round(protocol.gate_wait_s + protocol.cooldown_s)
    with steady(device, guard, wanted=wanted, lease_s=lease_s) as held:
        words = ", ".join(f"{name} {value}" for name, value in asked.items())
        for why in held.refused:
            progress(f"not under {words}: {why}")
        stands = {**found, **(dict.fromkeys(asked) if held.refused else asked)}
        there = patiently(lambda: refreshed(device)) if held.reads else device
        yield {
            name: replace(bench, device=there, stands=stands, is_steady=not held.refused)
            for name, bench in benches.items()
        }


def _first(
    task: Task, device: Device, protocol: MeasureProtocol, kept: Mapping[str, Recorded]
) -> Recorded:
    recorded = kept.get(task.job.key)
    if recorded is not None:
        return recorded
    return begin(task.job, device, seed=protocol.seed, inputs_made=task.inputs_made)


def _provision_all(
    device: Device,
    tasks: Sequence[Task],
    cache: Path,
    progress: Progress,
    outside: Attached | None,
) -> tuple[dict[str, Bench], dict[str, DeviceError]]:
    benches: dict[str, Bench] = {}
    broken: dict[str, DeviceError] = {}
    listing = patiently(
        lambda: look(
            device.transport,
            globs=(*monitors.globs(), *choice.globs(), *cores.GLOBS),
            tools=(*monitors.tools(), *choice.tools()),
        )
    )
    watches, meter = monitors.arm(listing, device.profile), outside or choice.choose(listing)
    rest = patiently(lambda: look_calm(device.transport))
    for runtime in dict.fromkeys(task.job.runtime for task in tasks):
        try:
            launch = patiently(
                functools.partial(provision, device, runtime, cache=cache, progress=progress)
            )
            benches[runtime] = Bench(
                device=device,
                launch=launch,
                watches=watches,
                rest=rest,
                meter=meter,
                clusters=cores.clusters(listing),
            )
        except DeviceLost:
            raise
        except DeviceError as error:
            broken[runtime] = error
    return benches, broken


def _checked(bench: Bench, task: Task, protocol: MeasureProtocol, recorded: Recorded) -> Recorded:
    """Outputs and memory of one cell; a wrong output or a failure ends it."""
    try:
        if recorded.measurement.fidelity is None and recorded.measurement.agreement is None:
            recorded = _with_outputs(bench, task, protocol, recorded)
        while (
            not is_finished(recorded.measurement)
            and len(recorded.measurement.memory) < protocol.memory_processes
        ):
            process = measure_memory(bench, task.job, protocol, inputs=task.sample)
            memory = (*recorded.measurement.memory, process)
            recorded = replace(recorded, measurement=replace(recorded.measurement, memory=memory))
    except JobFailed as error:
        return ended(recorded, Reason(error.reason), error.in_full())
    if protocol.profile and not is_finished(recorded.measurement):
        return _with_profile(bench, task, protocol, recorded)
    return recorded


def _with_profile(
    bench: Bench, task: Task, protocol: MeasureProtocol, recorded: Recorded
) -> Recorded:
    """The time of each operation, or why not: nothing else of the cell depends on it."""
    if recorded.measurement.profile is not None:
        return recorded
    missing = {k: v for k, v in recorded.measurement.missing.items() if k != "profile"}
    try:
        profile = measure_profile(bench, task.job, protocol, inputs=task.sample)
    except JobFailed as error:
        profile = Profile(unknown=error.in_full())
        missing["profile"] = Reason(error.reason)
    if profile.unknown is not None:
        missing.setdefault("profile", Reason.NO_RUNTIME)
    measurement = replace(recorded.measurement, profile=profile, missing=missing)
    return replace(recorded, measurement=measurement)


def _with_outputs(
    bench: Bench, task: Task, protocol: MeasureProtocol, recorded: Recorded
) -> Recorded:
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        path = Path(scratch) / "outputs.npz"
        result = compute_outputs(bench, task.job, protocol, inputs=task.inputs, outputs=path)
        outputs = arrays_of(path)
    fidelity = agreement(outputs, arrays_of(task.twin)) if task.twin else None
    with_reference = agreement(outputs, arrays_of(task.reference)) if task.reference else None
    missing = dict(recorded.measurement.missing)
    scored, scores = _scored(task, outputs)
    if scored is None:
        missing["accuracy"] = Reason.NO_DATA
    if task.reference is None:
        missing["agreement"] = Reason.NO_REFERENCE
    measurement = replace(
        recorded.measurement,
        runtime_version=result.runtime_version,
        fingerprint=dict(recorded.measurement.fingerprint) | dict(result.builds),
        accel=result.accel,
        accuracy=scored,
        agreement=with_reference,
        fidelity=fidelity,
        missing=missing,
    )
    wrong, why = is_wrong(
        fidelity,
        with_reference,
        is_quantized=task.is_quantized,
        is_retrained=task.is_retrained,
        outputs=outputs,
    )
    if scored is not None and not math.isfinite(scored.value):
        wrong, why = True, f"its {scored.metric} is {scored.value}: the outputs hold no numbers"
        measurement = replace(measurement, accuracy=None)
    if wrong:
        measurement = replace(
            measurement, status=Status.INVALID, reasons=(Reason.WRONG_OUTPUT,), error=why
        )
    elif result.accel is not None and (fallen := fell_back(result.accel)) is not None:
        measurement = replace(
            measurement, status=Status.INVALID, reasons=(Reason.SILENT_FALLBACK,), error=fallen
        )
    return replace(recorded, measurement=measurement, scores=scores)


def _scored(
    task: Task, outputs: Mapping[str, NDArray[np.generic]]
) -> tuple[Accuracy | None, NDArray[np.float64] | None]:
    """The accuracy, and the score of each sample.

    Raises:
        JobFailed: The metric does not fit the outputs.
    """
    if task.metric is None or task.labels is None:
        return None, None
    try:
        found = accuracy(task.metric, outputs, task.labels, on="device")
        scores = np.asarray(task.metric.score(outputs, task.labels), np.float64)
    except ConfigError as error:
        raise JobFailed(str(error), reason=Reason.NO_DATA, hint=error.hint) from error
    # A NaN is a miss of a share, as `accuracy` has it.
    return found, np.nan_to_num(scores) if task.metric.kind == "share" else scores
