"""From the states of processes to the state of a cell."""

import pytest

from edgebench.core import Process, Reason
from edgebench.measure.state.verdict import state_reasons

THROTTLED, CONTENDED = (Reason.THROTTLED,), (Reason.CONTENDED,)


def process(suspect=(), invalid=()):
    return Process(
        block=0,
        position=0,
        started="",
        load_ns=1,
        first_ns=1,
        warmup_invokes=1,
        warmup_s=0.1,
        is_steady=True,
        samples=1,
        suspect=suspect,
        invalid=invalid,
    )


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
