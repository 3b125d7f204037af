"""What stands between one process and the next, and when there is no next."""

import math
from dataclasses import replace

import numpy as np
import pytest

from edgebench.core import Reason, Recorded, Status
from edgebench.measure.blocks import measure_blocks, next_wait_s
from edgebench.measure.cell import Task, begin
from edgebench.measure.protocol import PRESETS
from tests.measure.launches import PROCESS


@pytest.mark.parametrize(
    ("unrest", "wait_s"),
    [(None, 60.0), ("cpu is at 61.0 °C, at rest it was at 45.0 °C", 6.0)],
    ids=["calm", "restless"],
)
def test_after_a_wait_that_did_not_help_the_next_is_short(job, device, unrest, wait_s):
    cell = begin(job, device, seed=0)
    process = replace(PROCESS, state={"gate_unrest": unrest})
    recorded = Recorded(measurement=replace(cell.measurement, processes=(process,)))
    assert next_wait_s(PRESETS["standard"], recorded) == wait_s


def test_before_the_first_process_the_wait_is_whole(job, device):
    assert next_wait_s(PRESETS["standard"], begin(job, device, seed=0)) == 60.0


# No interval is as narrow as this asks, and a block takes a second.
SHORT = replace(
    PRESETS["quick"],
    blocks_min=2,
    blocks_max=4,
    ci_ratio=1e-9,
    warmup_min_s=0.02,
    warmup_max_s=0.2,
    sample_min_s=0.02,
    timeout_s=60.0,
    repeats_max=0,
    budget_s=1.0,
)


@pytest.mark.parametrize(
    ("until_s", "ends"),
    [(0.0, (2, (Reason.BUDGET_EXHAUSTED,))), (math.inf, (3, ()))],
    ids=["spent", "endless"],
)
def test_a_budget_that_is_spent_leaves_two_blocks_and_says_so(
    bench, job, device, inputs, until_s, ends
):
    blocks, reasons = ends
    protocol = replace(SHORT, blocks_min=3, blocks_max=3)
    tasks = [Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)]
    cells = {job.key: begin(job, device, seed=0)}
    said: list[str] = []
    benches = {job.runtime: bench}
    *_, last = measure_blocks(benches, tasks, protocol, cells, said.append, until_s=until_s)
    assert len(last.samples) == blocks
    assert (last.measurement.status, last.measurement.reasons) == (Status.OK, reasons)
    assert any("budget" in words for words in said) == bool(reasons)
    groups = {process.group for process in last.measurement.processes}
    assert len(groups) == 1


def test_a_width_that_was_met_is_no_matter_of_the_budget(bench, job, device, inputs):
    tasks = [Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)]
    cells = {job.key: begin(job, device, seed=0)}
    protocol = replace(SHORT, blocks_min=3, ci_ratio=99.0)
    benches = {job.runtime: bench}
    *_, last = measure_blocks(benches, tasks, protocol, cells, print, until_s=0.0)
    assert len(last.samples) == 2
    assert last.measurement.reasons == ()


@pytest.mark.parametrize(
    ("spread", "more"), [(0.5, 0), (0.0, 0), (0.02, 1)], ids=["hopeless", "narrow", "wide"]
)
def test_no_block_is_begun_for_a_cell_that_has_enough(bench, job, device, inputs, spread, more):
    protocol = replace(SHORT, blocks_min=8, blocks_max=9, ci_ratio=0.016)
    away = np.array([-1.5, -1.0, -0.6, -0.2, 0.2, 0.6, 1.0, 1.5])
    samples = {block: np.full(64, 1e5 * np.exp(spread * z)) for block, z in enumerate(away)}
    cell = begin(job, device, seed=0)
    processes = tuple(replace(PROCESS, block=block) for block in samples)
    recorded = Recorded(measurement=replace(cell.measurement, processes=processes), samples=samples)
    tasks = [Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)]
    found = list(measure_blocks({job.runtime: bench}, tasks, protocol, {job.key: recorded}, print))
    assert len(found[-1].samples) == 8 + more
    assert found[-1].measurement.status is Status.OK
