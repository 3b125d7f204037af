"""Means, counters, and how long to measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.measure.energy.counter import power_between, unwrapped
from edgebench.measure.energy.lengths import SAMPLES_MIN, guard_s, window_length
from edgebench.measure.energy.series import effective_samples, plateau, time_weighted_mean
from tests.measure.energy.traces import Meter, case, window

# What Intel's packages wrap at, in joules.
RAPL_J = 65_532.610_987


def test_a_counter_that_wraps_rises_on():
    read = np.array([65_520.0, 65_530.0, 7.4, 17.4])
    assert np.diff(unwrapped(read, RAPL_J)) == pytest.approx([10.0, 10.01, 10.0], abs=0.01)


@given(
    steps=st.lists(st.floats(0.0, 0.2), min_size=1, max_size=50),
    begin=st.floats(0.0, 0.999),
)
def test_any_counter_that_is_read_often_enough_is_unwrapped(steps, begin):
    true = begin + np.concatenate(([0.0], np.cumsum(steps)))
    assert unwrapped(true % 1.0, 1.0) == pytest.approx(true, abs=1e-9)


@pytest.mark.parametrize(
    ("read", "range_j"),
    [([9.0, 1.0], None), ([6.0, 1.0], 10.0), ([9.0, 11.0, 1.0], 10.0)],
    ids=["range unknown", "loaded anew", "beyond its range"],
)
def test_a_fall_that_no_wrap_explains_is_left_to_be_seen(read, range_j):
    found = np.diff(unwrapped(np.array(read), range_j))
    assert found.min() < 0 or found.max() < 0.25 * (range_j or 0)


def test_power_is_what_a_counter_rose_by():
    times, powers = power_between(np.array([0, 10**9, 3 * 10**9]), np.array([0.0, 5.0, 9.0]))
    assert times.tolist() == [5 * 10**8, 2 * 10**9]
    assert powers.tolist() == [5.0, 2.0]


def test_a_reading_that_stands_for_more_time_weighs_more():
    times = np.array([0, 1, 2, 12]) * 10**9
    assert time_weighted_mean(times, np.array([1.0, 1.0, 1.0, 2.0])) > 1.25


@pytest.mark.parametrize(("correlation", "share"), [(0.0, 1.0), (0.5, 1 / 3), (0.8, 1 / 9)])
def test_neighbours_that_are_alike_count_as_fewer(correlation, share):
    random = np.random.default_rng(0)
    steps = random.normal(size=20_000)
    values = np.empty_like(steps)
    values[0] = steps[0]
    for i in range(1, steps.size):
        values[i] = correlation * values[i - 1] + np.sqrt(1 - correlation**2) * steps[i]
    assert effective_samples(values) == pytest.approx(share * values.size, rel=0.1)


def test_fewer_than_three_readings_are_no_plateau():
    assert plateau(case(Meter(rate_hz=1.0)).trace, window(3.0, 4.5)) is None


@pytest.mark.parametrize(
    ("kind", "rate_hz", "resolution_w", "active_s"),
    [
        ("counter", 10.0, None, 15.0),
        ("counter", 2.0, None, 15.0),
        ("power", 1000.0, None, 20.0),
        ("power", 10.0, 0.04, 20.0),
        ("power", 4.0, None, 30.0),
        ("power", 2.0, None, 30.0),
        ("power", 1.0, None, 60.0),
        ("power", 0.5, None, 120.0),
        ("power", 1.0, 1.0, 120.0),
        ("power", 10.0, 1.0, 120.0),
    ],
)
def test_a_slower_meter_needs_longer(kind, rate_hz, resolution_w, active_s):
    found = window_length(kind, rate_hz, resolution_w=resolution_w)
    assert found.active_s == pytest.approx(active_s)


@given(
    kind=st.sampled_from(["power", "counter"]),
    rate_hz=st.floats(0.2, 1000.0),
    lag_s=st.floats(0.0, 5.0),
)
def test_what_is_left_after_the_guards_is_enough(kind, rate_hz, lag_s):
    found = window_length(kind, rate_hz, lag_s=lag_s)
    guard = guard_s(1 / rate_hz, lag_s=lag_s)
    for plateau_s in (found.active_s - 2 * guard, 2 * (found.idle_s - 2 * guard)):
        assert plateau_s >= 10.0 - 1e-9
        assert plateau_s * rate_hz >= SAMPLES_MIN
