"""The time that is left, against how long the rest then took."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.core import Recorded
from edgebench.measure.cell import begin, finished
from edgebench.measure.left import blocks_left, left_s
from edgebench.measure.protocol import PRESETS
from tests.measure.launches import PROCESS

CELLS = ("float", "int8", "pruned")


@settings(deadline=None)
@given(
    st.lists(st.floats(0.1, 600.0), min_size=len(CELLS), max_size=len(CELLS)),
    st.lists(st.floats(0.801, 1.2), min_size=1, max_size=30),
)
def test_after_a_block_it_is_true_to_a_quarter_where_later_blocks_are_like_it_to_a_fifth(
    costs_s, later
):
    took_s = {cell: [cost_s] for cell, cost_s in zip(CELLS, costs_s, strict=True)}
    told_s = left_s(took_s, dict.fromkeys(CELLS, len(later)))
    assert told_s == pytest.approx(sum(costs_s) * sum(later), rel=0.25)


def test_before_any_process_it_is_unknown():
    assert left_s({"float": []}, {"float": 5}) is None


@pytest.fixture
def with_medians(job, device):
    """A cell that is still open, with a process for each of these medians in milliseconds."""

    def make(*medians_ms):
        random = np.random.default_rng(0)
        samples = {
            block: (ms * 1e6 * random.normal(1, 0.001, 200)).astype(np.int64)
            for block, ms in enumerate(medians_ms)
        }
        processes = tuple(replace(PROCESS, block=block, samples=200) for block in samples)
        measurement = replace(begin(job, device, seed=0).measurement, processes=processes)
        return Recorded(measurement=measurement, samples=samples)

    return make


@pytest.mark.parametrize(
    ("medians_ms", "least", "most"),
    [
        ((), 4, 4),
        ((1.0,), 3, 3),
        ((1.0, 1.0, 1.0), 1, 1),
        ((1.0, 1.012, 0.994, 1.003), 1, 16),
        ((1.0, 9.0, 0.2, 5.0), 0, 0),
    ],
    ids=["none yet", "one", "narrow", "wide", "hopeless"],
)
def test_to_the_fewest_blocks_or_as_many_as_the_width_likely_takes(
    with_medians, medians_ms, least, most
):
    protocol = replace(PRESETS["standard"], blocks_min=4, blocks_max=20)
    assert least <= blocks_left(with_medians(*medians_ms), protocol) <= most


def test_a_cell_that_is_finished_takes_none(with_medians):
    assert blocks_left(finished(with_medians(1.0)), PRESETS["standard"]) == 0
