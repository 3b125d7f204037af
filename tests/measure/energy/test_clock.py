"""From the host's clock to the device's."""

from dataclasses import replace

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.measure.energy.clock import Ping, align, offset_of, on_device
from tests.measure.energy.traces import Meter, case

MS = 10**6
MINUTE = 60 * 10**9


def pings(at_ns, offset_ns, *, trip_ns=2 * MS, count=20):
    """Round trips of which one is the fastest and the others late on the way back."""
    return [
        Ping(
            sent_ns=at_ns + i * 10 * MS,
            device_ns=at_ns + i * 10 * MS + trip_ns // 2 + offset_ns,
            received_ns=at_ns + i * 10 * MS + trip_ns + (0 if i == 7 else i * MS),
        )
        for i in range(count)
    ]


def test_the_fastest_ping_counts():
    found = offset_of(pings(0, 5 * MS))
    assert found.offset_ns == 5 * MS
    assert found.uncertainty_ns == MS


def test_a_trace_moves_onto_the_devices_clock():
    trace = case(Meter()).trace
    begin, end = int(trace.time_ns[0]), int(trace.time_ns[-1])
    alignment = align(pings(begin - MINUTE, 3 * MS), pings(end + MINUTE, 5 * MS))
    moved = on_device(trace, alignment)
    middle = (moved.time_ns - trace.time_ns)[trace.time_ns.size // 2]
    assert moved.refusal is None
    assert middle == pytest.approx(4 * MS, abs=0.2 * MS)
    assert (np.diff(moved.time_ns) > 0).all()
    assert alignment.uncertainty_s == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("moved_ms", "minutes", "is_drifting"),
    [(49, 1, False), (51, 1, True), (-51, 1, True), (51, 2, False), (101, 2, True)],
)
def test_clocks_that_drift_apart_are_refused(moved_ms, minutes, is_drifting):
    trace = case(Meter()).trace
    alignment = align(pings(0, 0), pings(round(minutes * MINUTE), moved_ms * MS))
    assert alignment.is_drifting is is_drifting
    found = on_device(trace, alignment).refusal
    assert found is (Reason.CLOCK_DRIFT if is_drifting else None)


def test_an_offset_that_is_uncertain_does_not_drift():
    slow = align(pings(0, 0, trip_ns=80 * MS), pings(MINUTE, 60 * MS, trip_ns=80 * MS))
    assert not slow.is_drifting


def test_a_refusal_of_the_meter_is_kept():
    trace = replace(case(Meter()).trace, refusal=Reason.NOT_DISCHARGING)
    drifting = align(pings(0, 0), pings(MINUTE, 900 * MS))
    assert on_device(trace, drifting).refusal is Reason.NOT_DISCHARGING


def test_the_drift_is_told_in_millionths():
    assert align(pings(0, 0), pings(MINUTE, 6 * MS)).drift_ppm == pytest.approx(100.0)


@pytest.mark.parametrize("bad", [[], [Ping(sent_ns=5, device_ns=0, received_ns=4)]])
def test_pings_that_cannot_have_been_are_a_mistake(bad):
    with pytest.raises(ValueError, match="no way to compare"):
        offset_of(bad)


def test_after_must_come_after_before():
    with pytest.raises(ValueError, match="do not come after"):
        align(pings(MINUTE, 0), pings(0, 0))
