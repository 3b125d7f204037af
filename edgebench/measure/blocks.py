"""Latency in blocks: in each, every cell runs once, as a process of its own, in shuffled order."""

import functools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import MeasureProtocol, Process, Progress, Reason, Recorded
from edgebench.device.patience import patiently
from edgebench.errors import JobFailed
from edgebench.measure.cell import Task, ended, finished, is_finished
from edgebench.measure.protocol import block_order
from edgebench.measure.session import Bench, measure_latency
from edgebench.measure.state.gate import wait_for_calm
from edgebench.measure.stats import summarize

# By how much less is waited after a wait that did not help.
RESTLESS: Final = 10


def measure_blocks(
    benches: Mapping[str, Bench],
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    progress: Progress,
) -> Iterator[Recorded]:
    """Run blocks until every interval is narrow enough, and yield each cell as it changes.

    What `cells` holds of earlier blocks is not measured again.
    """
    by_key = {task.job.key: task for task in tasks}
    started = time.monotonic()
    patient = protocol
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
                benches[task.job.runtime], task, patient, cells[key], (block, position)
            )
            patient = replace(protocol, gate_wait_s=next_wait_s(protocol, cells[key]))
            yield cells[key]
            if is_finished(cells[key].measurement):
                del by_key[key]
    for key in by_key:
        cells[key] = finished(cells[key])
        yield cells[key]


def next_wait_s(protocol: MeasureProtocol, recorded: Recorded) -> float:
    """How long to wait for calm: a device that a whole wait did not calm is as it is."""
    last = recorded.measurement.processes[-1:]
    restless = any(process.state.get("gate_unrest") for process in last)
    return protocol.gate_wait_s / RESTLESS if restless else protocol.gate_wait_s


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
    try:
        process, samples = _calm_process(bench, task, protocol, place)
    except JobFailed as error:
        return ended(recorded, Reason(error.reason), error.in_full())
    processes = (*recorded.measurement.processes, process)
    return replace(
        recorded,
        measurement=replace(recorded.measurement, processes=processes),
        samples={**recorded.samples, process.block: samples},
    )


def _calm_process(
    bench: Bench, task: Task, protocol: MeasureProtocol, place: tuple[int, int]
) -> tuple[Process, NDArray[np.int64]]:
    """One process, once the device is calm; again, after a pause, where its samples were spoilt.

    The last one counts, spoilt or not: what spoils every process is how the device is.
    """
    block, position = place
    repeats = 0
    calm = functools.partial(
        wait_for_calm, bench.device.transport, bench.rest, wait_s=protocol.gate_wait_s
    )
    while True:
        waited_s, unrest = patiently(calm)
        process, samples = measure_latency(
            bench, task.job, protocol, inputs=task.sample, block=block, position=position
        )
        if not process.invalid or repeats >= protocol.repeats_max:
            state = {**process.state, "gate_waited_s": round(waited_s, 1), "gate_unrest": unrest}
            return replace(process, state=state, repeats=repeats), samples
        repeats += 1
        time.sleep(protocol.cooldown_s)


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
