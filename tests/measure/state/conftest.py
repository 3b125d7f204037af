"""A process as a monitor sees it: one second of samples, and readings around it."""

from collections.abc import Callable

import pytest

from edgebench.measure.state.monitor import Seen
from edgebench.measure.watch import Reading
from edgebench.runner import Scheduling, StateResult

SECOND = 1_000_000_000
BEGIN, END = 10 * SECOND, 11 * SECOND
QUIET = Scheduling(
    run_ns=SECOND,
    wait_ns=1_000_000,
    involuntary_switches=2,
    voluntary_switches=0,
    major_faults=0,
)


@pytest.fixture
def seen() -> Callable[..., Seen]:
    """Make one of texts by source: the first half a second early, the last half a second late."""

    def make(texts=None, *, scheduling=QUIET, canary=(10_000_000, 10_000_000), cpus=(0, 1)):
        readings = {}
        for source, lines in (texts or {}).items():
            step = 2 * SECOND // max(len(lines) - 1, 1)
            readings[source] = tuple(
                Reading(time_ns=BEGIN - SECOND // 2 + n * step, text=line)
                for n, line in enumerate(lines)
            )
        state = StateResult(
            begin_ns=BEGIN,
            end_ns=END,
            canary_ns=canary,
            scheduling=scheduling,
            cpus=cpus,
        )
        return Seen(readings=readings, state=state, samples=100)

    return make
