"""Which of several forms are worth choosing from, where a difference within the noise is none.

Both axes are costs: less is better, and an accuracy is given as what was lost. Of two intervals one
is clearly less where it ends before the other begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgebench.measure.intervals import Interval


class Standing(StrEnum):
    """Where a point is."""

    FRONT = "on the front"
    WITHIN_NOISE = "within the noise of"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Placed:
    """The standing of one point.

    Attributes:
        by: Index of a point on the front that it is within the noise of, or behind; None for a
            point on the front itself.
    """

    standing: Standing
    by: int | None = None


def place(points: Sequence[tuple[Interval, Interval]]) -> tuple[Placed, ...]:
    """The standing of each point `(cost, cost)`, in their order.

    A point is behind another that is clearly less on one axis and not clearly more on the other.
    Of those that nothing is before, a point that is within the noise of one on the front, on both
    axes, makes no step of its own: the one with the lower first value stands for both.

    >>> exact = [Interval(value=v, low=v, high=v) for v in (1.0, 2.0, 3.0)]
    >>> [p.standing.name for p in place([(exact[0], exact[1]), (exact[1], exact[2])])]
    ['FRONT', 'BEHIND']
    """
    ahead = [
        [other for other, q in enumerate(points) if other != n and _is_behind(p, q)]
        for n, p in enumerate(points)
    ]
    free = [n for n in range(len(points)) if not ahead[n]]
    free.sort(key=lambda n: (points[n][0].value, points[n][1].value, n))
    front: list[int] = []
    placed: dict[int, Placed] = {}
    for n in free:
        near = next((f for f in front if _is_near(points[n], points[f])), None)
        if near is None:
            front.append(n)
            placed[n] = Placed(Standing.FRONT)
        else:
            placed[n] = Placed(Standing.WITHIN_NOISE, near)
    for n in range(len(points)):
        if n not in placed:
            placed[n] = Placed(Standing.BEHIND, _named(n, ahead, placed))
    return tuple(placed[n] for n in range(len(points)))


def _is_clearly_less(a: Interval, b: Interval) -> bool:
    return a.high < b.low


def _is_behind(p: tuple[Interval, Interval], q: tuple[Interval, Interval]) -> bool:
    """Whether `q` is clearly less on one axis, and `p` on none."""
    is_less = any(_is_clearly_less(b, a) for a, b in zip(p, q, strict=True))
    return is_less and not any(_is_clearly_less(a, b) for a, b in zip(p, q, strict=True))


def _is_near(p: tuple[Interval, Interval], q: tuple[Interval, Interval]) -> bool:
    return all(a.low <= b.high and b.low <= a.high for a, b in zip(p, q, strict=True))


def _named(n: int, ahead: Sequence[Sequence[int]], placed: dict[int, Placed]) -> int:
    """Someone on the front whom a point is behind, if need be over others.

    Who is behind whom has no circles: intervals on a line are an interval order, so that of two
    pairs `a < b` and `c < d` also `a < d` or `c < b`.
    """
    seen = {n}
    queue = list(ahead[n])
    while queue:
        other = queue.pop(0)
        if not ahead[other]:
            told = placed[other]
            return other if told.by is None else told.by
        queue += [further for further in ahead[other] if further not in seen]
        seen.add(other)
    msg = "points stand behind each other in a circle"
    raise ValueError(msg)
