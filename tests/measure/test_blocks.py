"""What stands between one process and the next."""

from dataclasses import replace

import pytest

from edgebench.core import Recorded
from edgebench.measure.blocks import next_wait_s
from edgebench.measure.cell import begin
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
