"""When a cell has enough blocks: by simulated processes whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from edgebench.core import Recorded
from edgebench.measure.cell import begin
from edgebench.measure.protocol import PRESETS
from edgebench.measure.stopping import is_wide, may_decide, may_narrow, sampling_s
from tests.measure.launches import PROCESS, launches

PROTOCOL = PRESETS["standard"]


@pytest.fixture
def recorded(job, device):
    """A cell that has these samples, each process with what it cost."""

    def make(samples, *, wall_s=6.0, sampled_s=3.0):
        cell = begin(job, device, seed=0)
        processes = tuple(
            replace(PROCESS, block=block, samples=ns.size, wall_s=wall_s, sampled_s=sampled_s)
            for block, ns in samples.items()
        )
        return Recorded(measurement=replace(cell.measurement, processes=processes), samples=samples)

    return make


@pytest.mark.parametrize(
    ("between", "wide", "may"),
    [(0.002, False, False), (0.015, True, True), (0.2, True, False)],
    ids=["narrow", "wide", "hopeless"],
)
def test_a_cell_goes_on_where_it_is_wide_and_the_blocks_may_do(recorded, between, wide, may):
    random = np.random.default_rng(3)
    cell = recorded(launches(random, 8, between=between))
    assert is_wide(cell, PROTOCOL) is wide
    assert may_narrow(cell, PROTOCOL) is may


def test_few_are_given_up_that_would_have_become_narrow(recorded):
    random = np.random.default_rng(0)
    would, given_up = 0, 0
    for _ in range(150):
        whole = launches(random, 20, n=64, between=0.019)
        at_first = {block: whole[block] for block in range(8)}
        if is_wide(recorded(whole), PROTOCOL):
            continue
        would += 1
        first = recorded(at_first)
        given_up += is_wide(first, PROTOCOL) and not may_narrow(first, PROTOCOL)
    assert would > 50
    assert given_up / would < 0.05


# Eight values with mean 0 and a standard deviation of 1.
SHAPE = np.array([-1.5, -1.0, -0.6, -0.2, 0.2, 0.6, 1.0, 1.5])
SHAPE = SHAPE / SHAPE.std(ddof=1)


def levels(ratio, spread):
    """Processes whose medians lie around this ratio to 100 us, with this spread of logs."""
    return {
        block: np.full(20, 100_000 * ratio * np.exp(spread * away))
        for block, away in enumerate(SHAPE)
    }


@pytest.mark.parametrize(
    ("ratio", "spread", "may"),
    [(1.0, 0.01, False), (1.3, 0.01, False), (1.08, 0.05, True), (1.05, 0.05, False)],
    ids=["equivalent", "slower", "open", "at the margin"],
)
def test_an_open_verdict_keeps_a_cell_going_where_it_may_be_decided(recorded, ratio, spread, may):
    reference, ours = recorded(levels(1.0, 0.0)), recorded(levels(ratio, spread))
    assert may_decide(ours, reference, PROTOCOL, floor_ratio=0.0) is may
    # What comes after the fewest blocks no longer changes it.
    more = {8 + block: ns for block, ns in levels(3.0, 0.5).items()}
    later, base = (recorded({**cell.samples, **more}) for cell in (ours, reference))
    assert may_decide(later, base, PROTOCOL, floor_ratio=0.0) is may


def test_the_floor_of_a_device_counts_as_the_margin(recorded):
    reference, ours = recorded(levels(1.0, 0.0)), recorded(levels(1.08, 0.05))
    assert may_decide(ours, reference, PROTOCOL, floor_ratio=0.0)
    assert not may_decide(ours, reference, PROTOCOL, floor_ratio=0.5)


def noisy(random, blocks, *, n, within, between):
    return {
        block: 1e8 * np.exp(random.normal(0, between) + random.normal(0, within, n))
        for block in range(blocks)
    }


def test_processes_are_lengthened_where_their_samples_are_what_varies(recorded):
    random = np.random.default_rng(0)
    loud = [noisy(random, 8, n=30, within=0.2, between=0.001) for _ in range(20)]
    seconds = [sampling_s(recorded(samples), PROTOCOL) for samples in loud]
    assert np.mean(seconds) > 2 * PROTOCOL.sample_min_s
    assert max(seconds) == PROTOCOL.sample_max_s
    quiet = noisy(random, 8, n=30, within=0.01, between=0.02)
    assert sampling_s(recorded(quiet), PROTOCOL) == PROTOCOL.sample_min_s


def test_before_the_fewest_blocks_and_without_its_cost_nothing_is_lengthened(recorded):
    random = np.random.default_rng(0)
    loud = noisy(random, 8, n=30, within=0.2, between=0.001)
    fewer = {block: loud[block] for block in range(7)}
    assert sampling_s(recorded(fewer), PROTOCOL) == PROTOCOL.sample_min_s
    assert sampling_s(recorded(loud, wall_s=None), PROTOCOL) == PROTOCOL.sample_min_s
