"""What moved from run to run, and what only crept within its noise."""

from dataclasses import replace

import numpy as np
import pytest

from edgebench.measure.intervals import Interval, mean_interval_of
from edgebench.results.moves import Seen, moves


def seen(value, **more):
    if value is None:
        return Seen(interval=None, **more)
    return Seen(interval=Interval(value=value, low=value - 1, high=value + 1), **more)


def names(*points):
    return [move and move.name for move in moves(points)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((10, 11, 12), [None, None, None]),
        ((10, 13, 13), [None, "UP", None]),
        ((10, 7, 10), [None, "DOWN", "UP"]),
        # What creeps is seen, for it is held against the level and not against its neighbour.
        ((10, 11, 12, 12.5), [None, None, None, "UP"]),
        ((None, 10, None, 13), [None, None, None, "UP"]),
        ((), []),
    ],
)
def test_a_move_is_one_against_the_level_before(values, expected):
    assert names(*(seen(value) for value in values)) == expected


def test_below_the_margin_or_the_floor_nothing_moved():
    assert names(seen(100), seen(104, margin_ratio=0.05)) == [None, None]
    assert names(seen(100), seen(104, margin_ratio=0.01, floor=5.0)) == [None, None]
    assert names(seen(100), seen(104, margin_ratio=0.01, floor=3.0)) == [None, "UP"]


def test_under_other_conditions_a_new_level_begins():
    other = replace(seen(20), conditions="hotter")
    assert names(seen(10), other, replace(other)) == [None, "OTHER_CONDITIONS", None]


def test_of_equal_runs_few_seem_to_have_moved():
    """Two intervals of 95 % without a common point are rarer than one in forty."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(2000):
        pair = [Seen(interval=mean_interval_of(rng.normal(0.0, 1.0, 8))) for _ in range(2)]
        wrong += any(moves(pair))
    assert wrong <= 2000 * 0.025
