"""Joules from traces whose truth is known, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.core import Reason, Status
from edgebench.measure.energy.estimate import estimate
from edgebench.measure.energy.joules import Run
from tests.measure.energy.traces import Board, Meter, case, refusing, run_of, window

QUIET = Meter(noise_ratio=0.01)


def energy_of(meter=QUIET, board=None, *, seed=0, **changes):
    made = case(meter, board, seed=seed)
    return estimate(replace(made.trace, **changes), made.run)


@pytest.mark.parametrize(
    "meter",
    [
        QUIET,
        Meter(noise_ratio=0.02, lag_s=0.5),
        Meter(noise_ratio=0.02, lag_s=0.5, offset_s=0.4),
        Meter(noise_ratio=0.02, jitter=1.0),
        Meter(kind="counter", step=6.1e-5),
        Meter(kind="counter", step=1e-6, lag_s=0.3),
    ],
    ids=["clean", "lag", "lag and clock", "jitter", "rapl", "slow counter"],
)
def test_a_healthy_meter_gives_the_truth(meter):
    made = case(meter)
    found = estimate(made.trace, made.run)
    assert found.gross_j.status is Status.OK
    assert found.gross_j.value == pytest.approx(made.gross_j, rel=0.01)
    assert found.dynamic_j.status is Status.OK
    assert found.dynamic_j.value == pytest.approx(made.dynamic_j, rel=0.015)
    assert found.dynamic_j.half_width_ratio == pytest.approx(0.005, abs=0.01)


def test_what_it_was_taken_from_stands_beside_it():
    found = energy_of(Meter(noise_ratio=0.01, lag_s=0.5))
    assert found.guard_s == 2.0
    assert found.window_s == pytest.approx(16.0)
    assert found.samples == pytest.approx(160, abs=1)
    assert found.rate_hz == pytest.approx(10.0)
    assert found.active_w == pytest.approx(8.0, rel=0.01)
    assert found.idle_w == pytest.approx((3.0, 3.0), rel=0.01)
    assert found.inferences == 1000
    assert found.rails == ("board",)
    assert found.runs == 1


@pytest.mark.parametrize(("lag_s", "offset_s"), [(0.5, 0.0), (0.0, 0.4), (0.3, 0.3), (0.0, -0.5)])
def test_the_delay_of_meter_and_clock_is_seen_at_the_steps(lag_s, offset_s):
    found = energy_of(Meter(noise_ratio=0.005, lag_s=lag_s, offset_s=offset_s))
    # A reading stands for half a period to either side, so that the edge is known to a part of one.
    assert found.delay_s == pytest.approx(lag_s + offset_s, abs=0.06)


def test_a_lag_that_was_measured_widens_the_guard_and_mends_the_bias():
    made = case(Meter(noise_ratio=0.01, lag_s=2.0), Board(active_s=60.0, idle_s=25.0))
    blind = estimate(made.trace, made.run)
    knowing = estimate(made.trace, made.run, lag_s=2.0)
    assert blind.gross_j.status is not Status.OK
    assert knowing.guard_s == 8.0
    assert knowing.gross_j.status is Status.OK
    assert knowing.gross_j.value == pytest.approx(made.gross_j, rel=0.01)


@pytest.mark.parametrize(
    ("meter", "board", "reason"),
    [
        (QUIET, Board(active_s=13.0), Reason.WINDOW_TOO_SHORT),
        (Meter(noise_ratio=0.01, rate_hz=1.0), Board(active_s=20.0), Reason.TOO_FEW_SAMPLES),
        (Meter(noise_ratio=0.02, correlation=0.97), None, Reason.N_EFF_LOW),
        (Meter(noise_ratio=0.01, gap=(18.0, 18.5)), None, Reason.SENSOR_GAP),
        (Meter(noise_ratio=0.01, gap=(12.1, 12.6)), None, Reason.SENSOR_GAP),
        (Meter(noise_ratio=0.01, gap=(27.5, 28.0)), None, Reason.SENSOR_GAP),
        (Meter(noise_ratio=0.01, lost_share=0.1), None, Reason.SENSOR_GAP),
        (Meter(noise_ratio=0.01, frozen=(15.0, 20.0)), None, Reason.SENSOR_FROZEN),
        (Meter(step=0.5), None, Reason.SENSOR_FROZEN),
        (QUIET, Board(idle_jump_w=0.5), Reason.IDLE_DRIFT),
        (Meter(kind="counter", range_j=50.0), None, Reason.COUNTER_BACKWARDS),
        (Meter(kind="counter", frozen=(15.0, 20.0)), None, Reason.SENSOR_FROZEN),
        (Meter(kind="counter", step=1.0), None, Reason.WINDOW_TOO_SHORT),
    ],
    ids=[
        *("short", "few", "alike", "gap", "gap at the begin", "gap at the end", "lost", "frozen"),
        *("coarse", "idle jumps", "wraps", "counter frozen", "too few counts"),
    ],
)
def test_no_number_comes_of_a_bad_trace(meter, board, reason):
    found = energy_of(meter, board)
    for number in (found.gross_j, found.dynamic_j):
        assert number.status is Status.REFUSED
        assert number.value is None
        assert number.ci95 is None
        assert reason in number.reasons


def test_what_the_meter_refuses_is_refused_whatever_its_values():
    made = case(QUIET)
    found = estimate(refusing(made.trace, Reason.NOT_DISCHARGING), made.run)
    assert found.gross_j.reasons == (Reason.NOT_DISCHARGING,)


@pytest.mark.parametrize("event", [Reason.THROTTLED, Reason.UNDERVOLTAGE, Reason.OVERCURRENT])
def test_a_run_that_the_device_spoiled_is_refused(event):
    made = case(QUIET)
    found = estimate(made.trace, replace(made.run, events=(event,)))
    assert found.gross_j.reasons == (event,)
    assert found.dynamic_j.value is None


def test_unreadable_readings_count_as_lost():
    assert energy_of(unreadable=3).gross_j.status is Status.OK
    assert energy_of(unreadable=30).gross_j.reasons == (Reason.SENSOR_GAP,)


def test_an_empty_trace_is_refused():
    made = case(QUIET)
    empty = replace(made.trace, time_ns=np.empty(0, dtype=np.int64), values=np.empty(0))
    found = estimate(empty, made.run)
    assert found.gross_j.value is None
    assert Reason.TOO_FEW_SAMPLES in found.gross_j.reasons
    assert found.rate_hz is None


def test_power_below_nothing_is_no_power():
    made = case(QUIET)
    found = estimate(replace(made.trace, values=-made.trace.values), made.run)
    assert Reason.UNIT_AMBIGUOUS in found.gross_j.reasons


def test_a_time_that_is_not_the_windows_is_refused():
    made = case(QUIET)
    found = estimate(made.trace, replace(made.run, active_s=19.0))
    assert found.gross_j.reasons == (Reason.ENERGY_INCONSISTENT,)


@pytest.mark.parametrize(
    ("meter", "board", "reason"),
    [
        (Meter(noise_ratio=0.01, gap=(4.0, 5.0)), None, Reason.SENSOR_GAP),
        (Meter(noise_ratio=0.01, frozen=(4.0, 6.0)), None, Reason.SENSOR_FROZEN),
        (QUIET, Board(idle_s=6.0), Reason.WINDOW_TOO_SHORT),
        (Meter(noise_ratio=0.02), Board(active_w=3.01), Reason.DELTA_BELOW_NOISE),
        (
            Meter(noise_ratio=0.02, step=0.1, rate_hz=5.0),
            Board(active_w=3.3, active_s=60.0),
            Reason.DELTA_BELOW_NOISE,
        ),
        (Meter(noise_ratio=0.01), Board(active_w=3.6, idle_jump_w=0.08), Reason.IDLE_DRIFT),
        (Meter(noise_ratio=0.02), Board(active_w=3.15), Reason.CI_NOT_MET),
    ],
    ids=["gap", "frozen", "short", "noise", "steps", "idle moved", "too wide"],
)
def test_only_what_is_above_idle_is_refused(meter, board, reason):
    found = energy_of(meter, board)
    assert found.gross_j.value is not None
    assert found.dynamic_j.value is None
    assert reason in found.dynamic_j.reasons


@pytest.mark.parametrize(
    ("meter", "board", "reason"),
    [
        (QUIET, Board(rise_w=0.4), Reason.NO_STEADY_STATE),
        (QUIET, Board(rise_w=0.25, active_s=120.0), Reason.NO_STEADY_STATE),
        (Meter(noise_ratio=0.01, lag_s=1.5), None, Reason.NO_STEADY_STATE),
        (Meter(noise_ratio=0.01, rate_hz=10.0, offset_s=2.3), None, Reason.NO_STEADY_STATE),
        (QUIET, Board(boost_w=2.4), Reason.ENERGY_INCONSISTENT),
        (Meter(kind="counter", step=1e-6), Board(boost_w=2.4), Reason.ENERGY_INCONSISTENT),
        (QUIET, Board(idle_jump_w=0.07), Reason.IDLE_DRIFT),
    ],
    ids=["warms up", "warms up slowly", "lag", "clock", "boost", "boost, counted", "idle"],
)
def test_a_number_that_deserves_doubt_says_why(meter, board, reason):
    found = energy_of(meter, board)
    assert found.gross_j.status is Status.SUSPECT
    assert reason in found.gross_j.reasons
    assert found.gross_j.value is not None


def test_few_inferences_are_suspect():
    made = case(QUIET)
    found = estimate(made.trace, replace(made.run, inferences=9))
    assert found.gross_j.reasons == (Reason.TOO_FEW_SAMPLES,)
    assert found.gross_j.status is Status.SUSPECT


def test_the_meters_own_doubts_are_kept():
    found = energy_of(doubts=(Reason.ENERGY_INCONSISTENT,))
    assert found.gross_j.reasons == (Reason.ENERGY_INCONSISTENT,)


def test_a_quiet_idle_of_a_coarse_meter_is_not_frozen():
    found = energy_of(Meter(noise_ratio=0.005, step=0.04), Board(idle_w=3.0))
    assert found.dynamic_j.status is Status.OK


def test_the_steps_of_a_quiet_coarse_meter_widen_the_interval():
    fine = energy_of(Meter(noise_ratio=0.02)).gross_j.half_width_ratio
    board = Board(active_w=8.15)
    coarse = energy_of(Meter(noise_ratio=0.02, step=0.5), board).gross_j.half_width_ratio
    assert coarse > 2 * fine


@pytest.mark.parametrize(
    ("name", "windows", "count"),
    [
        ("out of order", (window(5, 10), window(0, 5), window(10, 20)), 10),
        ("overlapping", (window(0, 10), window(5, 15), window(15, 20)), 10),
        ("empty", (window(0, 10), window(10, 10), window(10, 20)), 10),
        ("nothing done", (window(0, 10), window(10, 20), window(20, 30)), 0),
    ],
)
def test_a_run_that_cannot_have_been_is_a_mistake(name, windows, count):
    before, active, after = windows
    with pytest.raises(ValueError, match=r"follow each other|no run"):
        Run(idle_before=before, active=active, idle_after=after, inferences=count, active_s=10.0)


@pytest.mark.parametrize(
    ("times", "values"),
    [([0, 1], [1.0]), ([1, 0], [1.0, 1.0]), ([0, 0], [1.0, 1.0]), ([0, 1], [1.0, float("nan")])],
    ids=["lengths", "back in time", "same time", "not a number"],
)
def test_a_trace_that_makes_no_sense_is_a_mistake(times, values):
    trace = case(QUIET).trace
    with pytest.raises(ValueError, match=r"Shapes|rise|finite"):
        replace(trace, time_ns=np.array(times, dtype=np.int64), values=np.array(values))


seeds = st.integers(0, 10_000)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, factor=st.floats(0.01, 100.0))
def test_twice_the_power_is_twice_the_joules(seed, factor):
    made = case(QUIET, seed=seed)
    one = estimate(made.trace, made.run)
    other = estimate(replace(made.trace, values=factor * made.trace.values), made.run)
    assert one.gross_j.status is other.gross_j.status
    assert other.gross_j.value == pytest.approx(factor * one.gross_j.value)
    if one.dynamic_j.value is not None and other.dynamic_j.value is not None:
        assert other.dynamic_j.value == pytest.approx(factor * one.dynamic_j.value)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, more_w=st.floats(0.0, 20.0))
def test_a_lamp_on_the_same_supply_leaves_what_is_above_idle(seed, more_w):
    made = case(QUIET, seed=seed)
    one = estimate(made.trace, made.run)
    other = estimate(replace(made.trace, values=made.trace.values + more_w), made.run)
    scale = made.run.active_s / made.run.inferences
    assert other.gross_j.value == pytest.approx(one.gross_j.value + more_w * scale)
    if one.dynamic_j.value is not None and other.dynamic_j.value is not None:
        assert other.dynamic_j.value == pytest.approx(one.dynamic_j.value)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, shift_ns=st.integers(-(10**12), 10**15))
def test_when_it_was_does_not_matter(seed, shift_ns):
    made = case(QUIET, seed=seed)
    run = made.run
    later = [
        replace(w, begin_ns=w.begin_ns + shift_ns, end_ns=w.end_ns + shift_ns)
        for w in (run.idle_before, run.active, run.idle_after)
    ]
    moved = replace(run, idle_before=later[0], active=later[1], idle_after=later[2])
    trace = replace(made.trace, time_ns=made.trace.time_ns + shift_ns)
    one, other = estimate(made.trace, run), estimate(trace, moved)
    assert other.gross_j.value == pytest.approx(one.gross_j.value)
    assert other.gross_j.reasons == one.gross_j.reasons


@settings(max_examples=20, deadline=None)
@given(seed=seeds, begin_s=st.floats(11.5, 27.5))
def test_any_gap_at_work_is_refused(seed, begin_s):
    found = energy_of(Meter(noise_ratio=0.01, gap=(begin_s, begin_s + 0.9)), seed=seed)
    assert Reason.SENSOR_GAP in found.gross_j.reasons
    assert found.gross_j.value is None


@settings(max_examples=20, deadline=None)
@given(seed=seeds, begin_s=st.floats(12.0, 23.0))
def test_any_sensor_that_freezes_at_work_is_refused(seed, begin_s):
    found = energy_of(Meter(noise_ratio=0.01, frozen=(begin_s, begin_s + 4.0)), seed=seed)
    assert Reason.SENSOR_FROZEN in found.gross_j.reasons
    assert found.gross_j.value is None


@settings(max_examples=20, deadline=None)
@given(seed=seeds, at_s=st.floats(0.5, 39.0), fall_j=st.floats(2.0, 1000.0))
def test_any_counter_that_falls_is_refused(seed, at_s, fall_j):
    made = case(Meter(kind="counter"), seed=seed)
    late = made.trace.time_ns > window(0, at_s).end_ns
    trace = replace(
        made.trace, values=np.where(late, made.trace.values - fall_j, made.trace.values)
    )
    found = estimate(trace, made.run)
    assert Reason.COUNTER_BACKWARDS in found.gross_j.reasons
    assert found.gross_j.value is None


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    lag_s=st.floats(0.0, 30.0),
    offset_s=st.floats(-6.0, 6.0),
    active_s=st.sampled_from([20.0, 60.0]),
)
def test_no_lag_and_no_clock_makes_a_wrong_number_ok(seed, lag_s, offset_s, active_s):
    made = case(
        Meter(noise_ratio=0.005, lag_s=lag_s, offset_s=offset_s),
        Board(active_s=active_s),
        seed=seed,
    )
    found = estimate(made.trace, made.run)
    if found.gross_j.status is Status.OK:
        assert found.gross_j.value == pytest.approx(made.gross_j, rel=0.012)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = []
    for seed in range(150):
        made = case(Meter(noise_ratio=0.05, correlation=0.6), seed=seed)
        number = estimate(made.trace, made.run).gross_j
        if number.ci95 is not None:
            held.append(number.ci95[0] <= made.gross_j <= number.ci95[1])
    assert len(held) > 130
    assert np.mean(held) >= 0.9


def test_the_windows_of_a_run_follow_each_other():
    run = run_of(Board())
    assert run.idle_before.end_ns == run.active.begin_ns
    assert run.active.seconds == 20.0
