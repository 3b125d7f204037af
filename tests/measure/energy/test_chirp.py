"""Where a chirp is in a trace, and by how much the meter lags."""

from dataclasses import replace

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.measure.energy.aligned import by_chirps, by_pings
from edgebench.measure.energy.chirp import PULSES, find_chirp, pulse_s
from edgebench.measure.energy.clock import Ping, align
from edgebench.measure.energy.placed import place
from edgebench.measure.energy.trace import Trace

SECOND = 10**9
GRID_S = 0.005
IDLE_W, CHIRP_W = 2.5, 3.5
START_NS = 86_400 * SECOND
REST_S, WORK_S = 10.0, 20.0


def spins(start_s, pulse):
    """A chirp that begins so long after `START_NS`."""
    starts = [start_s + 2 * number * pulse for number in range(PULSES)]
    return tuple(
        (START_NS + round(start * SECOND), START_NS + round((start + pulse) * SECOND))
        for start in starts
    )


def shown(stretches_s, *, rate_hz=10.0, delay_s=0.0, low_pass_s=0.0, noise_w=0.05, seed=0):
    """What a meter reads of a board that is at work in some stretches of time."""
    random = np.random.default_rng(seed)
    grid_s = np.arange(0, max(end for _, end in stretches_s) + 15, GRID_S)
    power_w = np.full(grid_s.size, IDLE_W)
    for begin, end in stretches_s:
        power_w[(grid_s >= begin) & (grid_s < end)] += CHIRP_W
    if low_pass_s:
        kept, level = float(np.exp(-GRID_S / low_pass_s)), IDLE_W
        for index, power in enumerate(power_w.tolist()):
            level = kept * level + (1 - kept) * power
            power_w[index] = level
    time_s = np.arange(random.uniform(0, 1 / rate_hz), grid_s[-1], 1 / rate_hz)
    values = np.interp(time_s - delay_s, grid_s, power_w)
    return Trace(
        kind="power",
        scope="board_dc",
        time_ns=START_NS + np.round(time_s * SECOND).astype(np.int64),
        values=values + random.normal(size=values.size) * noise_w,
        rails=("board",),
    )


def one_run(start_s, pulse):
    """Warm-up, chirp, rest, work: when the board is at work, the chirp beginning at `start_s`."""
    chirp = [
        (start_s + 2 * number * pulse, start_s + (2 * number + 1) * pulse)
        for number in range(PULSES)
    ]
    work_s = start_s + 2 * PULSES * pulse + REST_S
    return [(start_s - 6 - pulse, start_s - 3 - pulse), *chirp, (work_s, work_s + WORK_S)]


@pytest.mark.parametrize(
    ("rate_hz", "delay_s", "low_pass_s"),
    [
        *((10, 0.0, 0.0), (10, 2.0, 0.0), (10, 0.0, 0.5), (10, 0.5, 2.0), (100, 0.3, 0.1)),
        *((1, 0.0, 0.0), (1, 2.0, 0.0), (1, 0.0, 2.0), (1, 3.0, 4.0)),
    ],
)
def test_delay_and_low_pass_are_found(rate_hz, delay_s, low_pass_s):
    pulse = pulse_s(rate_hz)
    for seed in range(3):
        trace = shown(
            one_run(20.0, pulse),
            rate_hz=rate_hz,
            delay_s=delay_s,
            low_pass_s=low_pass_s,
            seed=seed,
        )
        found = find_chirp(trace, spins(20.0, pulse), early_s=0.5, late_s=10.0)
        assert found is not None
        assert found.delay_s == pytest.approx(delay_s, abs=found.uncertainty_s)
        assert found.low_pass_s == pytest.approx(low_pass_s, abs=max(0.1, 0.2 * low_pass_s))
        assert found.uncertainty_s < 0.7 / min(rate_hz, 5)


def test_a_counter_shows_it_too():
    power = shown(one_run(20.0, 1.0), delay_s=0.4)
    energy_j = np.cumsum(power.values) * 0.1
    counter = replace(power, kind="counter", values=energy_j)
    found = find_chirp(counter, spins(20.0, 1.0), early_s=0.5, late_s=10.0)
    assert found is not None
    # What a counter gained between two readings is of the time between them.
    assert found.delay_s == pytest.approx(0.35, abs=found.uncertainty_s)


@pytest.mark.parametrize("rate_hz", [1.0, 10.0])
def test_noise_and_work_alone_are_no_chirp(rate_hz):
    pulse = pulse_s(rate_hz)
    for seed in range(5):
        trace = shown([(0, 5), (60, 80)], rate_hz=rate_hz, noise_w=0.3, seed=seed)
        assert find_chirp(trace, spins(20.0, pulse), early_s=0.5, late_s=10.0) is None


def test_readings_that_are_not_there_are_no_chirp():
    trace = shown(one_run(20.0, 1.0))
    short = replace(trace, time_ns=trace.time_ns[:5], values=trace.values[:5])
    empty = replace(trace, time_ns=trace.time_ns[:0], values=trace.values[:0])
    for few in (short, empty):
        assert find_chirp(few, spins(20.0, 1.0), early_s=0.5, late_s=10.0) is None


def pinged(trace, offset_s, *, trip_s=0.02):
    """The trace as a host sees it whose clock is behind, and its pings before and after."""
    offset_ns, trip_ns = round(offset_s * SECOND), round(trip_s * SECOND)
    begin_ns, end_ns = int(trace.time_ns[0]) - offset_ns, int(trace.time_ns[-1]) - offset_ns
    pings = [
        [Ping(sent_ns=at, device_ns=at + offset_ns + trip_ns // 4, received_ns=at + trip_ns)]
        for at in (begin_ns - SECOND, end_ns + SECOND)
    ]
    return replace(trace, time_ns=trace.time_ns - offset_ns), align(*pings)


def test_the_chirp_overrides_the_pings_and_tells_the_lag():
    true = shown(one_run(20.0, 1.0), delay_s=1.0, low_pass_s=0.5)
    on_host, alignment = pinged(true, 5000.0)
    aligned = by_pings(on_host, alignment, spins(20.0, 1.0))
    assert aligned.lag_s == pytest.approx(1.5, abs=0.1)
    assert aligned.clock_uncertainty_s < 0.15
    assert aligned.trace.doubts == ()
    moved_s = (true.time_ns - aligned.trace.time_ns) / SECOND
    assert moved_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("sung", [(), spins(20.0, 1.0)], ids=["not sung", "not seen"])
def test_without_a_chirp_the_pings_stand_and_the_meter_is_doubted(sung):
    on_host, alignment = pinged(shown([(60, 80)]), 5000.0)
    aligned = by_pings(on_host, alignment, sung)
    assert aligned.lag_s is None
    assert aligned.clock_uncertainty_s == pytest.approx(0.01)
    assert aligned.trace.doubts == (Reason.ENERGY_INCONSISTENT,)


# Where the chirps of four runs begin.
STARTS_S = (20.0, 84.0, 150.5, 214.0)
OFFSET_S = 1.7e9


def recording(*, rate_hz=10.0, first=0, gain=1.0, low_pass_s=0.0):
    """An instrument's own file of four runs, on a clock of its own, and their chirps."""
    pulse = pulse_s(rate_hz)
    scale = pulse / 1.0
    starts = [start * max(scale, 1.0) for start in STARTS_S]
    work = [stretch for start in starts for stretch in one_run(start, pulse)]
    trace = shown(work, rate_hz=rate_hz, low_pass_s=low_pass_s)
    own_ns = np.round((trace.time_ns - START_NS) * gain).astype(np.int64)
    kept = (trace.time_ns - START_NS) / SECOND >= (starts[first] - 12 * scale if first else 0)
    moved = replace(
        trace,
        time_ns=(START_NS + round(OFFSET_S) * SECOND + own_ns)[kept],
        values=trace.values[kept],
    )
    return moved, [spins(start, pulse) for start in starts]


@pytest.mark.parametrize(
    "how",
    [{}, {"rate_hz": 1.0}, {"gain": 1.0001}, {"low_pass_s": 1.0}, {"first": 1}],
    ids=["plain", "1 Hz", "fast clock", "slow meter", "begins late"],
)
def test_a_recording_is_placed_by_its_chirps(how):
    trace, chirps = recording(**how)
    found = place(trace, chirps)
    assert found == pytest.approx(OFFSET_S, abs=0.5)


def test_each_run_gets_its_own_share_of_a_recording():
    trace, chirps = recording(gain=1.0001, first=1, low_pass_s=0.5)
    ends = [own[-1][1] + 31 * SECOND for own in chirps]
    found = by_chirps(trace, chirps, ends)
    assert found is not None
    assert [own.trace.refusal for own in found] == [Reason.CLOCK_DRIFT, None, None, None]
    assert [own.lag_s for own in found[1:]] == pytest.approx([0.5] * 3, abs=0.1)
    for own, end in zip(found[1:], ends[1:], strict=True):
        assert own.trace.time_ns[-1] > end - 11 * SECOND


def test_a_recording_of_something_else_is_refused():
    trace, chirps = recording()
    steady = replace(trace, values=np.random.default_rng(3).normal(4.0, 0.1, trace.values.size))
    assert place(steady, chirps) is None
    assert by_chirps(steady, chirps, [own[-1][1] for own in chirps]) is None


def test_two_places_that_fit_alike_are_none():
    trace, chirps = recording()
    # One run, and four chirps that could all be its own.
    assert place(trace, chirps[:1]) is None
