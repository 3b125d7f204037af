"""A device's cells, from the first to the last: outputs, memory, then latency in blocks.

Every step yields the cell as it stands, so that whoever listens can keep it at once: a campaign
that is cut off loses at most the process that was running.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.core import (
    Device,
    Job,
    Measurement,
    MeasureProtocol,
    Progress,
    Reason,
    Recorded,
    Status,
)
from edgebench.data import Metric, accuracy
from edgebench.device.facts import fingerprint
from edgebench.device.provision import provision
from edgebench.errors import DeviceError, DeviceLost, JobFailed
from edgebench.measure.agreement import agreement, is_wrong
from edgebench.measure.protocol import block_order
from edgebench.measure.session import Bench, compute_outputs, measure_latency, measure_memory
from edgebench.measure.stats import summarize

# A cell with one of these is not finished: a resumed run takes it up again.
UNFINISHED = frozenset({Reason.NOT_MEASURED, Reason.DEVICE_LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job with all that its answer needs.

    Attributes:
        sample: A `.npz` with the one sample that latency and memory are measured on.
        inputs: A `.npz` with every sample whose outputs are compared.
        reference: Outputs of the host's float reference for `inputs`; None where there is none.
        twin: Outputs of the same file on the host for `inputs`.
        labels: Of `inputs`, `(sample, ...)`; None without labels.
        is_quantized: Whether its kernels round to steps, so that two builds of a runtime differ.
        is_retrained: Whether a step may have moved the outputs on purpose.
        is_reference: Whether ratios of other cells are to this one, so that it goes on with them.
    """

    job: Job
    sample: Path
    inputs: Path
    reference: Path | None
    twin: Path | None
    labels: NDArray[np.generic] | None = None
    metric: Metric | None = None
    is_quantized: bool = True
    is_retrained: bool = False
    is_reference: bool = False
    inputs_made: Mapping[str, JsonValue] = field(default_factory=dict)


def is_finished(measurement: Measurement) -> bool:
    """Whether nothing is left to measure in this cell."""
    return not UNFINISHED.intersection(measurement.reasons)


def begin(
    job: Job, device: Device, *, seed: int, inputs_made: Mapping[str, JsonValue] | None = None
) -> Recorded:
    """The cell before its first measurement."""
    artifact = job.artifact
    return Recorded(
        measurement=Measurement(
            key=job.key,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=seed,
            variant=job.variant,
            format=artifact.format,
            device=job.device,
            runtime=job.runtime,
            runtime_version=None,
            threads=job.threads,
            accelerator=job.accelerator,
            sha256=artifact.sha256,
            size_bytes=artifact.size_bytes,
            gzip_bytes=artifact.gzip_bytes,
            status=Status.FAILED,
            reasons=(Reason.NOT_MEASURED,),
            inputs=inputs_made or {},
            fingerprint=fingerprint(device.facts),
            missing={"energy": Reason.NOT_MEASURED},
        )
    )


def ended(
    recorded: Recorded, reason: Reason, error: str, *, status: Status = Status.FAILED
) -> Recorded:
    """The cell after something that ended it before its last block."""
    measurement = replace(recorded.measurement, status=status, reasons=(reason,), error=error)
    return replace(recorded, measurement=measurement)


def measure_device(
    device: Device,
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    *,
    kept: Mapping[str, Recorded],
    cache: Path,
    progress: Progress,
) -> Iterator[Recorded]:
    """Measure every task that is not finished, and yield each cell whenever it has changed.

    Args:
        kept: Cells of an earlier, broken run; what they hold is not measured again.
        cache: Where runtimes for boards are kept on the host.

    Raises:
        DeviceLost: The device stayed away for longer than its patience.
    """
    cells = {task.job.key: _first(task, device, protocol, kept) for task in tasks}
    open_tasks = [t for t in tasks if not is_finished(cells[t.job.key].measurement)]
    benches, broken = _provision_all(device, open_tasks, cache, progress)
    alive = []
    for task in open_tasks:
        key = task.job.key
        if task.job.runtime in broken:
            cells[key] = ended(cells[key], Reason.NO_RUNTIME, str(broken[task.job.runtime]))
        else:
            progress(f"{device.name}: {key}: outputs and memory")
            bench = benches[task.job.runtime]
            cells[key] = _checked(bench, task, protocol, cells[key])
        yield cells[key]
        if not is_finished(cells[key].measurement):
            alive.append(task)
    yield from _blocks(benches, alive, protocol, cells, progress)


def _first(
    task: Task, device: Device, protocol: MeasureProtocol, kept: Mapping[str, Recorded]
) -> Recorded:
    recorded = kept.get(task.job.key)
    if recorded is not None:
        return recorded
    return begin(task.job, device, seed=protocol.seed, inputs_made=task.inputs_made)


def _provision_all(
    device: Device, tasks: Sequence[Task], cache: Path, progress: Progress
) -> tuple[dict[str, Bench], dict[str, DeviceError]]:
    benches: dict[str, Bench] = {}
    broken: dict[str, DeviceError] = {}
    for runtime in dict.fromkeys(task.job.runtime for task in tasks):
        try:
            launch = provision(device, runtime, cache=cache, progress=progress)
            benches[runtime] = Bench(device=device, launch=launch)
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
        return ended(recorded, Reason(error.reason), str(error))
    return recorded


def _with_outputs(
    bench: Bench, task: Task, protocol: MeasureProtocol, recorded: Recorded
) -> Recorded:
    path = task.inputs.with_name(f"{task.job.key}.outputs.npz")
    result = compute_outputs(bench, task.job, protocol, inputs=task.inputs, outputs=path)
    outputs = _arrays(path)
    path.unlink()
    fidelity = agreement(outputs, _arrays(task.twin)) if task.twin else None
    with_reference = agreement(outputs, _arrays(task.reference)) if task.reference else None
    missing = dict(recorded.measurement.missing)
    scored, scores = None, None
    if task.metric is not None and task.labels is not None:
        scored = accuracy(task.metric, outputs, task.labels, on="device")
        scores = np.nan_to_num(np.asarray(task.metric.score(outputs, task.labels), np.float64))
    else:
        missing["accuracy"] = Reason.NO_DATA
    if task.reference is None:
        missing["agreement"] = Reason.NO_REFERENCE
    measurement = replace(
        recorded.measurement,
        runtime_version=result.runtime_version,
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
    if wrong:
        measurement = replace(
            measurement, status=Status.INVALID, reasons=(Reason.WRONG_OUTPUT,), error=why
        )
    return replace(recorded, measurement=measurement, scores=scores)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _blocks(
    benches: Mapping[str, Bench],
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    progress: Progress,
) -> Iterator[Recorded]:
    """Latency: in every block each open cell runs once, in an order drawn anew."""
    by_key = {task.job.key: task for task in tasks}
    started = time.monotonic()
    for block in range(protocol.blocks_max):
        if block >= protocol.blocks_min:
            yield from _finish_narrow(by_key, protocol, cells)
        if not by_key:
            return
        progress(_where(block, protocol, len(by_key), time.monotonic() - started))
        order = block_order(tuple(by_key), block=block, seed=protocol.seed)
        for position, key in enumerate(order):
            if block in cells[key].samples:
                continue
            task = by_key[key]
            cells[key] = _one_process(
                benches[task.job.runtime], task, protocol, cells[key], (block, position)
            )
            yield cells[key]
            if is_finished(cells[key].measurement):
                del by_key[key]
    for key in by_key:
        cells[key] = finished(cells[key])
        yield cells[key]


def _where(block: int, protocol: MeasureProtocol, cells: int, elapsed_s: float) -> str:
    total = f"{protocol.blocks_min}" if block < protocol.blocks_min else f"{protocol.blocks_max}"
    text = f"block {block + 1} of {total}: {cells} cells"
    if 0 < block < protocol.blocks_min:
        left_s = elapsed_s / block * (protocol.blocks_min - block)
        text += f", about {left_s:.0f} s left"
    return text


def _one_process(
    bench: Bench,
    task: Task,
    protocol: MeasureProtocol,
    recorded: Recorded,
    place: tuple[int, int],
) -> Recorded:
    block, position = place
    try:
        process, samples = measure_latency(
            bench, task.job, protocol, inputs=task.sample, block=block, position=position
        )
    except JobFailed as error:
        return ended(recorded, Reason(error.reason), str(error))
    processes = (*recorded.measurement.processes, process)
    return replace(
        recorded,
        measurement=replace(recorded.measurement, processes=processes),
        samples={**recorded.samples, block: samples},
    )


def _finish_narrow(
    by_key: dict[str, Task], protocol: MeasureProtocol, cells: dict[str, Recorded]
) -> Iterator[Recorded]:
    """End the cells whose interval is narrow enough, and with the last of them the references."""
    wide = {key for key in by_key if half_width(cells[key]) > protocol.ci_ratio}
    for key, task in list(by_key.items()):
        if key in wide or (wide and task.is_reference):
            continue
        cells[key] = finished(cells[key])
        yield cells[key]
        del by_key[key]


def half_width(recorded: Recorded) -> float:
    """Half of the interval of the median, over the median."""
    latency = summarize(recorded.samples, recorded.measurement.processes)
    return latency.p50.half_width_ratio if latency else math.inf


def finished(recorded: Recorded) -> Recorded:
    """The cell once its last block is in; doubts are read off its samples, each time anew."""
    measurement = replace(recorded.measurement, status=Status.OK, reasons=())
    return replace(recorded, measurement=measurement)
