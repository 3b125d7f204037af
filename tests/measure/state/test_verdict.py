"""From the states of processes to the state of a cell."""

from dataclasses import replace

import pytest

from edgebench.core import Reason
from edgebench.measure.state.verdict import state_reasons
from tests.measure.launches import PROCESS

THROTTLED, CONTENDED = (Reason.THROTTLED,), (Reason.CONTENDED,)


def process(suspect=(), invalid=()):
    return replace(PROCESS, suspect=suspect, invalid=invalid)


@pytest.mark.parametrize(
    ("processes", "suspect", "invalid"),
    [
        ([], (), ()),
        ([process()] * 5, (), ()),
        ([process()] * 4 + [process(CONTENDED)], (), ()),
        ([process()] * 2 + [process(CONTENDED)] * 3, CONTENDED, ()),
        ([process()] * 4 + [process((), THROTTLED)], THROTTLED, ()),
        ([process()] * 2 + [process((), THROTTLED)] * 3, (), THROTTLED),
    ],
    ids=["none", "calm", "one crowded", "most crowded", "one throttled", "most throttled"],
)
def test_what_half_of_the_processes_had_is_how_the_device_is(processes, suspect, invalid):
    assert state_reasons(processes) == (suspect, invalid)
