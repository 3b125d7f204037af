"""A front of what can be told apart."""

import random

import pytest

from edgebench.measure.intervals import Interval
from edgebench.results.pareto import Standing, place


def about(value, half):
    return Interval(value=value, low=value - half, high=value + half)


def standings(*points, half=0.1):
    found = place([(about(x, half), about(y, half)) for x, y in points])
    return [(told.standing.name, told.by) for told in found]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 2), (2, 1)], [("FRONT", None), ("FRONT", None)]),
        ([(1, 1), (2, 2)], [("FRONT", None), ("BEHIND", 0)]),
        # Less by noise alone on one axis, clearly more on the other.
        ([(1, 2), (1.05, 1)], [("BEHIND", 1), ("FRONT", None)]),
        ([(1, 1), (1.05, 1)], [("FRONT", None), ("WITHIN_NOISE", 0)]),
        ([(1.05, 1), (1, 1)], [("WITHIN_NOISE", 1), ("FRONT", None)]),
        # Behind one that is itself within the noise of another.
        ([(1, 1), (1.1, 0.9), (1.25, 1)], [("FRONT", None), ("WITHIN_NOISE", 0), ("BEHIND", 0)]),
        ([(1, 1)], [("FRONT", None)]),
        ([], []),
    ],
)
def test_a_step_of_the_front_is_more_than_noise(points, expected):
    assert standings(*points) == expected


def test_exact_points_make_the_usual_front():
    rng = random.Random(0)
    points = [(rng.randrange(20), rng.randrange(20)) for _ in range(60)]
    placed = place([(about(x, 0.0), about(y, 0.0)) for x, y in points])
    front = {p for p, at in zip(points, placed, strict=True) if at.standing is Standing.FRONT}
    usual = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert front == usual


@pytest.mark.parametrize("seed", range(20))
def test_nobody_stands_behind_himself_whatever_the_noise(seed):
    rng = random.Random(seed)
    points = [
        tuple(about(rng.uniform(0, 3), rng.uniform(0, 1)) for _ in range(2)) for _ in range(40)
    ]
    placed = place(points)
    front = {n for n, at in enumerate(placed) if at.standing is Standing.FRONT}
    assert front
    assert all(at.by in front for n, at in enumerate(placed) if n not in front)
