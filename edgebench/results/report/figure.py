"""A chart as the page draws it: what plotly is given, and beside it the same as a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edgebench.measure.intervals import Interval

# On white and on near black each has a contrast of 3 and more; shape tells what colour tells.
BLUE: Final = "#3b82d6"
ORANGE: Final = "#cf6f12"
GREEN: Final = "#2b9560"
GREY: Final = "#828a96"
RED: Final = "#d94862"
PURPLE: Final = "#9467d6"
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, RED, "#12939a", "#a97c1f", "#c2549d")

# A cell of a table: a text, or a text with the number that it is sorted by.
Entry = str | tuple[str, float]
# What plotly is given, as JSON.
Trace = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A chart of one choice.

    Attributes:
        alt: What it shows, in a sentence.
        gap: Why there is no chart; None where there is one.
    """

    alt: str = ""
    traces: Sequence[Trace] = ()
    layout: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[Entry]] = ()
    width_max_px: int | None = None
    gap: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the reader may choose from."""

    label: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its choices.

    Attributes:
        name: Of its element on the page.
        note: How it is to be read.
        choices: In their order; `views` goes by the indices of the chosen ones, joined by `/`.
        is_of_cell: Whether its only choice is that of a cell, which all such figures share.
        gap: Why there is no chart at all.
    """

    name: str
    title: str
    note: str
    choices: tuple[Choice, ...] = ()
    views: Mapping[str, View] = field(default_factory=dict)
    is_of_cell: bool = False
    gap: str | None = None


def escaped(text: str) -> str:
    """A text in which plotly finds no tag and no entity.

    >>> escaped("<b>&")
    '&lt;b&gt;&amp;'
    """
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bars(intervals: Sequence[Interval]) -> Trace:
    """The intervals as plotly's error bars; none where all are exact."""
    if all(i.low == i.value == i.high for i in intervals):
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [digits(i.high - i.value) for i in intervals],
        "arrayminus": [digits(i.value - i.low) for i in intervals],
        "thickness": 1.2,
        "width": 3,
    }


def digits(value: float) -> float:
    """Five digits, which is more than a chart shows."""
    return float(f"{value:.5g}")


def show(interval: Interval) -> str:
    """A value with its interval.

    >>> show(Interval(value=1.23456, low=1.2, high=1.3))
    '1.23 [1.2, 1.3]'
    """
    value = f"{interval.value:.3g}"
    if interval.low == interval.high:
        return value
    return f"{value} [{interval.low:.3g}, {interval.high:.3g}]"


def entry(interval: Interval | None, gap: str = "—") -> Entry:
    """The same as an entry of a table."""
    return gap if interval is None else (show(interval), digits(interval.value))


def ticks(labels: Sequence[str]) -> Trace:
    """An axis with a label a whole number: two that read the same stay two."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(labels))),
        "ticktext": [escaped(label) for label in labels],
        "range": [-0.6, len(labels) - 0.4],
        "zeroline": False,
    }


def scale(label: str, values: Sequence[float], limits: Sequence[float] = ()) -> Trace:
    """An axis with room for names at its ends, logarithmic where the values want it.

    Args:
        limits: What is drawn in too, where it is not far from the values.
    """
    low, high = min(values), max(values)
    near = [limit for limit in limits if low / 4 < limit < high * 4]
    low, high = min(low, *near, low), max(high, *near, high)
    if not is_wide([low, high]):
        pad = 0.14 * (high - low) or abs(high) * 0.1 or 1.0
        told: Trace = {"title": {"text": label}}
        return told | {"range": [digits(low - pad), digits(high + pad)]}
    ends = [math.log10(low), math.log10(high)]
    pad = 0.1 * (ends[1] - ends[0])
    powers = range(math.floor(ends[0]) - 1, math.ceil(ends[1]) + 2)
    marks = [n * 10.0**power for power in powers for n in (1, 2, 5)]
    return {
        "title": {"text": f"{label} (log)"},
        "type": "log",
        "range": [digits(ends[0] - pad), digits(ends[1] + pad)],
        "tickvals": [*marks],
        "ticktext": [f"{mark:g}" for mark in marks],
    }


def is_wide(values: Sequence[float]) -> bool:
    """Whether values want a logarithmic axis."""
    known = [value for value in values if value > 0]
    return len(known) == len(values) > 1 and max(known) > 12 * min(known)
