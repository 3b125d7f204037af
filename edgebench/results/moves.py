"""Where a quantity moved from run to run, and where it only seems so."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgebench.measure.intervals import Interval


class Move(StrEnum):
    """What a point is against the level before it."""

    UP = "moved up"
    DOWN = "moved down"
    OTHER_CONDITIONS = "other conditions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A quantity in one run.

    Attributes:
        interval: None where it was not measured.
        conditions: Only values under equal ones are compared.
        margin_ratio: The smallest change that counts, as a share of the level; `floor` in the
            quantity's own unit. Both must be passed.
    """

    interval: Interval | None
    conditions: str = ""
    margin_ratio: float = 0.0
    floor: float = 0.0


def moves(points: Sequence[Seen]) -> tuple[Move | None, ...]:
    """For each point, in order of time, whether it left the level; a point that did is the next.

    It did where its interval and that of the level have nothing in common, and the values are
    further apart than the margin and the floor. The level is that of the last move and not the
    point before, so that what creeps is seen as well. Under other conditions a new level begins.

    >>> points = [Interval(value=v, low=v - 1, high=v + 1) for v in (10.0, 11.5, 12.5)]
    >>> moves([Seen(interval=point) for point in points])
    (None, None, <Move.UP: 'moved up'>)
    """
    level: Seen | None = None
    found: list[Move | None] = []
    for point in points:
        move = _move(level, point)
        found.append(move)
        if point.interval is not None and (level is None or move is not None):
            level = point
    return tuple(found)


def _move(level: Seen | None, point: Seen) -> Move | None:
    if level is None or level.interval is None or point.interval is None:
        return None
    if level.conditions != point.conditions:
        return Move.OTHER_CONDITIONS
    old, new = level.interval, point.interval
    if abs(new.value - old.value) <= max(point.margin_ratio * abs(old.value), point.floor):
        return None
    if new.low > old.high:
        return Move.UP
    return Move.DOWN if new.high < old.low else None
