"""From readings of several sources to one series."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgebench.core import Reason
from edgebench.measure.energy.trace import Kind, Scope, Trace, no_trace
from edgebench.measure.watch import Reading, Readings


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What all sources said at one time; None for one that said nothing near it."""

    time_ns: int
    texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the trace of a meter is, whatever its values."""

    kind: Kind
    scope: Scope
    rails: tuple[str, ...]
    resolution: float | None = None


def joined(readings: Readings, names: Sequence[str]) -> list[Beat]:
    """At each reading of the first source, the nearest of every other.

    One that is further away than half of a period is none.
    """
    first = readings.get(names[0], ())
    times = np.array([reading.time_ns for reading in first], dtype=np.int64)
    reach_ns = float(np.median(np.diff(times))) / 2 if times.size > 1 else float("inf")
    others = [_nearest(readings.get(name, ()), times, reach_ns) for name in names[1:]]
    return [
        Beat(time_ns=reading.time_ns, texts=(reading.text, *(other[i] for other in others)))
        for i, reading in enumerate(first)
    ]


def _nearest(
    readings: Sequence[Reading], times: np.typing.NDArray[np.int64], reach_ns: float
) -> list[str | None]:
    if not readings:
        return [None] * times.size
    own = np.array([reading.time_ns for reading in readings], dtype=np.int64)
    right = np.clip(np.searchsorted(own, times), 0, own.size - 1)
    left = np.maximum(right - 1, 0)
    best = np.where(np.abs(own[left] - times) <= np.abs(own[right] - times), left, right)
    is_near = np.abs(own[best] - times) <= reach_ns
    return [readings[i].text if near else None for i, near in zip(best, is_near, strict=True)]


def trace_of(
    beats: Sequence[Beat], value: Callable[[tuple[str, ...]], float | None], shape: Shape
) -> Trace:
    """A value a beat; a beat that is incomplete, gives none or steps back in time is unreadable."""
    rows: list[tuple[int, float]] = []
    for beat in beats:
        texts = tuple(text for text in beat.texts if text is not None)
        number = value(texts) if len(texts) == len(beat.texts) else None
        is_later = not rows or beat.time_ns > rows[-1][0]
        if number is not None and np.isfinite(number) and is_later:
            rows.append((beat.time_ns, number))
    return from_rows(rows, shape, unreadable=len(beats) - len(rows))


def from_rows(rows: Sequence[tuple[int, float]], shape: Shape, *, unreadable: int = 0) -> Trace:
    """A trace of times and values that are known to rise; refused where there are none."""
    if not rows:
        return no_trace(shape.kind, shape.scope, Reason.SENSOR_GAP, unreadable=unreadable)
    return Trace(
        kind=shape.kind,
        scope=shape.scope,
        time_ns=np.array([time_ns for time_ns, _ in rows], dtype=np.int64),
        values=np.array([number for _, number in rows], dtype=np.float64),
        rails=shape.rails,
        resolution=shape.resolution,
        unreadable=unreadable,
    )


def whole(text: str) -> int | None:
    r"""A whole number, as a file of sysfs holds it.

    >>> whole("-42\n"), whole("N/A")
    (-42, None)
    """
    word = text.strip()
    return int(word) if word.removeprefix("-").isdigit() and word.isascii() else None
