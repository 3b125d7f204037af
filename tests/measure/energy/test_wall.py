"""Meters in the wall: coarse, slow and late, so that more is asked of them."""

from dataclasses import replace

import pytest

from edgebench.core import Reason
from edgebench.measure.energy.estimate import estimate
from edgebench.measure.energy.lengths import guard_s, window_length
from tests.measure.energy.traces import Board, Meter, case

LONG = Board(active_s=120.0, idle_s=30.0)


@pytest.mark.parametrize("rate_hz", [0.5, 1.0, 5.0])
def test_a_plug_works_for_two_minutes_whatever_its_rate_and_step(rate_hz):
    length = window_length("power", rate_hz, scope="wall_ac", resolution_w=0.01, lag_s=2.0)
    guard = guard_s(1 / rate_hz, lag_s=2.0)
    assert length.active_s == 120.0
    # Both rests together keep the ten seconds and twenty readings that a plateau needs.
    assert 2 * (length.idle_s - 2 * guard) >= max(10.0, 20 / rate_hz)


def test_another_meter_of_that_rate_works_for_less():
    assert window_length("power", 5.0, scope="board_dc").active_s == 30.0
    assert window_length("counter", 5.0, scope="wall_ac").active_s == 30.0 - 15.0


@pytest.mark.parametrize(
    ("above_w", "scope", "reasons"),
    [
        (0.7, "board_dc", ()),
        (0.7, "wall_ac", (Reason.DELTA_BELOW_NOISE,)),
        (1.2, "wall_ac", ()),
    ],
)
def test_above_idle_a_plug_needs_ten_of_its_steps(above_w, scope, reasons):
    board = replace(LONG, idle_w=3.0, active_w=3.0 + above_w)
    made = case(Meter(noise_ratio=0.03, step=0.1), board)
    found = estimate(replace(made.trace, scope=scope), made.run)
    assert tuple(r for r in found.dynamic_j.reasons if r is Reason.DELTA_BELOW_NOISE) == reasons


def test_a_lag_that_was_measured_widens_the_guard_until_the_number_is_right():
    made = case(Meter(rate_hz=5.0, noise_ratio=0.01, lag_s=2.0), LONG)
    found = estimate(made.trace, made.run, lag_s=2.0, clock_uncertainty_s=0.1)
    assert found.guard_s == 8.0
    assert found.gross_j.value == pytest.approx(made.gross_j, rel=0.005)
    assert found.dynamic_j.value == pytest.approx(made.dynamic_j, rel=0.01)


def test_clocks_that_are_badly_compared_widen_the_guard():
    made = case(Meter(rate_hz=5.0, noise_ratio=0.01), LONG)
    assert estimate(made.trace, made.run, lag_s=0.1, clock_uncertainty_s=1.5).guard_s == 3.0
