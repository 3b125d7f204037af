"""Latency in blocks: in each, every cell runs once, as a process of its own, in shuffled order."""

import functools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from edgebench.core import MeasureProtocol, Process, Progress, Reason, Recorded, Times
from edgebench.device.halt import pause
from edgebench.device.patience import patiently
from edgebench.errors import JobFailed
from edgebench.measure.cell import Task, ended, finished, is_finished
from edgebench.measure.protocol import block_order
from edgebench.measure.session import Bench, Turn, measure_latency
from edgebench.measure.state.battery import wait_for_battery
from edgebench.measure.state.gate import wait_for_calm
from edgebench.measure.stopping import is_wide, may_decide, may_narrow, sampling_s

# By how much less is waited after a wait that did not help.
RESTLESS: Final = 10
# Without a second process there is no interval, whatever the budget is.
BLOCKS_LEAST: Final = 2


def measure_blocks(
    benches: Mapping[str, Bench],
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    progress: Progress,
    *,
    until_s: float = math.inf,
) -> Iterator[Recorded]:
    """Run blocks until every cell has enough, and yield each cell as it changes.

    What `cells` holds of earlier blocks is not measured again.

    Args:
        until_s: When the device's budget ends, on `time.monotonic`. No block is begun that likely
            ends later, but for the first two: one process alone has no interval.
    """
    by_key = {task.job.key: task for task in tasks}
    started = begun = time.monotonic()
    patient = protocol
    is_spent = False
    done = 0
    for block in range(protocol.blocks_max):
        if block >= protocol.blocks_min:
            yield from _finish_enough(benches, by_key, protocol, cells)
        if not by_key:
            return
        order = block_order(tuple(by_key), block=block, seed=protocol.seed)
        left = [(n, key) for n, key in enumerate(order) if block not in cells[key].samples]
        if not left:
            continue
        last_s, begun = time.monotonic() - begun, time.monotonic()
        is_spent = block >= BLOCKS_LEAST and begun + last_s > until_s
        if is_spent:
            progress(f"the budget of {protocol.budget_s:g} s ends before block {block + 1}")
            break
        progress(_where(block, protocol, len(left), (begun - started, done)))
        done += 1
        wait_for_battery(next(iter(benches.values())).device, protocol)
        for position, key in left:
            task = by_key[key]
            cells[key] = _one_process(
                benches[task.job.runtime], task, patient, cells[key], (block, position)
            )
            patient = replace(protocol, gate_wait_s=next_wait_s(protocol, cells[key]))
            yield cells[key]
            if is_finished(cells[key].measurement):
                del by_key[key]
    yield from _finish_rest(by_key, protocol, cells, is_spent=is_spent)


def next_wait_s(protocol: MeasureProtocol, recorded: Recorded) -> float:
    """How long to wait for calm: a device that a whole wait did not calm is as it is."""
    last = recorded.measurement.processes[-1:]
    restless = any(process.state.get("gate_unrest") for process in last)
    return protocol.gate_wait_s / RESTLESS if restless else protocol.gate_wait_s


def _where(block: int, protocol: MeasureProtocol, cells: int, measured: tuple[float, int]) -> str:
    """Which block this is, and how long those take that are left, by the pace of those before."""
    elapsed_s, done = measured
    total = f"{protocol.blocks_min}" if block < protocol.blocks_min else f"{protocol.blocks_max}"
    text = f"block {block + 1} of {total}: {cells} cells"
    if done and block < protocol.blocks_min:
        left_s = elapsed_s / done * (protocol.blocks_min - block)
        text += f", about {left_s:.0f} s left"
    return text


def _one_process(
    bench: Bench,
    task: Task,
    protocol: MeasureProtocol,
    recorded: Recorded,
    place: tuple[int, int],
) -> Recorded:
    processes = recorded.measurement.processes
    least_s = sampling_s(recorded, protocol)
    longer = least_s if least_s > protocol.sample_min_s else None
    turn = Turn(block=place[0], position=place[1], group=processes[-1].group if processes else None)
    asked = replace(protocol, sample_min_s=least_s)
    try:
        process, samples = _calm_process(bench, task, asked, turn)
    except JobFailed as error:
        return ended(recorded, Reason(error.reason), error.in_full())
    processes = (*processes, replace(process, sample_min_s=longer))
    return replace(
        recorded,
        measurement=replace(recorded.measurement, processes=processes),
        samples={**recorded.samples, process.block: samples},
    )


def _calm_process(
    bench: Bench, task: Task, protocol: MeasureProtocol, turn: Turn
) -> tuple[Process, Times]:
    """One process, once the device is calm; again, after a pause, where its samples were spoilt.

    The last one counts, spoilt or not: what spoils every process is how the device is.
    """
    repeats = 0
    calm = functools.partial(
        wait_for_calm, bench.device.transport, bench.rest, wait_s=protocol.gate_wait_s
    )
    while True:
        waited_s, unrest = patiently(calm)
        process, samples = measure_latency(bench, task.job, protocol, inputs=task.sample, turn=turn)
        if not process.invalid or repeats >= protocol.repeats_max:
            state = {**process.state, "gate_waited_s": round(waited_s, 1), "gate_unrest": unrest}
            return replace(process, state=state, repeats=repeats), samples
        repeats += 1
        pause(protocol.cooldown_s)


def _finish_enough(
    benches: Mapping[str, Bench],
    by_key: dict[str, Task],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
) -> Iterator[Recorded]:
    """End the cells that have enough blocks, and with the last of them the references."""
    going = {
        key
        for key, task in by_key.items()
        if _goes_on(benches[task.job.runtime], task, protocol, cells)
    }
    for key, task in list(by_key.items()):
        if key in going or (going and task.is_reference):
            continue
        cells[key] = finished(cells[key])
        yield cells[key]
        del by_key[key]


def _finish_rest(
    keys: Iterable[str],
    protocol: MeasureProtocol,
    cells: dict[str, Recorded],
    *,
    is_spent: bool,
) -> Iterator[Recorded]:
    """End the cells for which there is no further block, or no time."""
    for key in keys:
        is_short = is_spent and is_wide(cells[key], protocol)
        cells[key] = finished(cells[key], *([Reason.BUDGET_EXHAUSTED] if is_short else []))
        yield cells[key]


def _goes_on(
    bench: Bench, task: Task, protocol: MeasureProtocol, cells: Mapping[str, Recorded]
) -> bool:
    """Whether more blocks may bring the width that is asked, or a verdict."""
    recorded, reference = cells[task.job.key], cells.get(task.compared_with or "")
    if may_narrow(recorded, protocol):
        return True
    if reference is None or reference is recorded or not reference.samples:
        return False
    floor = bench.device.facts.get("noise_floor_ratio")
    floor_ratio = floor if isinstance(floor, float) else 0.0
    return may_decide(recorded, reference, protocol, floor_ratio=floor_ratio)
