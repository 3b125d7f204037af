"""Accuracy against what it costs: latency, size, memory, energy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from edgebench.measure.intervals import Interval
from edgebench.results.pareto import Placed, Standing, place
from edgebench.results.report.contents import (
    Contents,
    Place,
    gap,
    interval_of,
    is_shown,
    names_of,
    short,
)
from edgebench.results.report.digest import CellDigest
from edgebench.results.report.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Choice,
    Figure,
    Trace,
    View,
    bars,
    digits,
    entry,
    escaped,
    scale,
)

NOTE: Final = (
    "Up and to the left is better. Bars are 95 % intervals: of the latency between launches, of "
    "the memory between processes, of the accuracy by sample pairs against the reference. A form "
    "makes a step of the front only where it differs from the others by more than its noise."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an accuracy is shown against.

    Attributes:
        limits: Of the targets those that are drawn in.
        missing: What `missing` calls it.
    """

    label: str
    unit: str
    limits: tuple[str, ...]
    missing: str


COSTS: Final = (
    Cost(label="latency p50", unit="ms", limits=("latency_p50_ms",), missing="latency"),
    Cost(label="size", unit="MB", limits=("size_mb",), missing="size_bytes"),
    Cost(label="memory", unit="MB", limits=("model_memory_mb",), missing="memory"),
    Cost(label="energy", unit="mJ", limits=("energy_mj",), missing="energy"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A cell on the chart; `number` is that of the cell among all."""

    cell: CellDigest
    name: str
    number: int
    cost: Interval
    accuracy: Interval


def cost_of(cell: CellDigest, cost: Cost) -> Interval | None:
    """What a cell costs, with its interval."""
    if cost.missing == "latency":
        return interval_of(cell, "latency_p50", "ms")
    if cost.missing == "energy":
        return interval_of(cell, "energy_gross", "mj")
    if cost.missing == "size_bytes":
        size = cell.number("size_bytes")
        return None if size is None else Interval(value=size / 1e6, low=size / 1e6, high=size / 1e6)
    value, spread = cell.number("memory_model_mb"), cell.number("memory_spread_mb")
    if value is None or spread is None:
        return None
    return Interval(value=value, low=value - spread, high=value + spread)


def accuracy_of(cell: CellDigest) -> Interval | None:
    """In percent, or the error in its unit: with the interval by sample pairs where there is one.

    All forms see the same samples. How far the test set itself is from others is the same for all,
    and would hide what tells them apart.
    """
    told = interval_of(cell, "accuracy")
    if told is None:
        return None
    factor = 100.0 if cell.is_share else 1.0
    value, low, high = (factor * bound for bound in (told.value, told.low, told.high))
    if cell.reference == cell.key:
        return Interval(value=value, low=value, high=value)
    lost = interval_of(cell, "accuracy_drop", "points")
    if lost is not None:
        low, high = value - (lost.high - lost.value), value + (lost.value - lost.low)
    return Interval(value=value, low=low, high=high)


def trade(contents: Contents) -> Figure:
    """Accuracy against each cost, a chart a place."""
    views = {
        f"{p}/{c}": _view(here, cost)
        for p, here in enumerate(contents.places)
        for c, cost in enumerate(COSTS)
    }
    told = next((v.gap for v in views.values() if v.gap), "Nothing was measured")
    return Figure(
        name="trade",
        title="Accuracy against cost",
        note=NOTE,
        choices=(
            Choice(label="Device", options=tuple(here.title for here in contents.places)),
            Choice(label="Against", options=tuple(cost.label for cost in COSTS)),
        ),
        views=views,
        gap=told if all(view.gap for view in views.values()) else None,
    )


def _points(here: Place, cost: Cost) -> list[Point]:
    """The cells that have both; of several scenarios those of the first."""
    names = names_of(here.cells)
    scenario = here.cells[0].text("scenario")
    found = []
    for n, (cell, name) in enumerate(zip(here.cells, names, strict=True)):
        x, y = cost_of(cell, cost), accuracy_of(cell)
        if x is None or y is None or not is_shown(cell) or cell.text("scenario") != scenario:
            continue
        found.append(Point(cell=cell, name=name, number=here.first + n, cost=x, accuracy=y))
    return found


def _view(here: Place, cost: Cost) -> View:
    points = _points(here, cost)
    if not points:
        name = "accuracy" if any(cost_of(c, cost) for c in here.cells) else cost.missing
        what = "accuracy" if name == "accuracy" else cost.label
        return View(gap=f"No {what} on {here.title}: {gap(here.cells, name)}")
    is_share = all(point.cell.is_share for point in points)
    floor_ratio = here.floor_ratio
    placed = place([(_noisy(p, cost, floor_ratio), _lost(p.accuracy, is_share)) for p in points])
    metric = points[0].cell.text("accuracy_metric")
    unit = f"{metric}, %" if is_share else metric
    front = [p for p, at in zip(points, placed, strict=True) if at.standing is Standing.FRONT]
    return View(
        alt=f"{unit} against {cost.label} of {len(points)} forms on {here.title}. On the front: "
        + ", ".join(p.name for p in sorted(front, key=lambda p: p.cost.value))
        + ".",
        traces=_traces(points, placed, here),
        layout=_layout(points, cost, here, unit),
        columns=("form", f"{cost.label}, {cost.unit}", unit, "front", "status"),
        rows=[
            [p.name, entry(p.cost), entry(p.accuracy), _standing(at, points), p.cell.text("status")]
            for p, at in zip(points, placed, strict=True)
        ],
    )


def _noisy(point: Point, cost: Cost, floor_ratio: float) -> Interval:
    """A latency is never known better than what its device shows of a cell against itself."""
    told = point.cost
    if cost.missing != "latency":
        return told
    half = told.value * floor_ratio / 2
    return replace(
        told, low=min(told.low, told.value - half), high=max(told.high, told.value + half)
    )


def _lost(accuracy: Interval, is_share: bool) -> Interval:
    if not is_share:
        return accuracy
    return Interval(value=-accuracy.value, low=-accuracy.high, high=-accuracy.low)


def _standing(at: Placed, points: Sequence[Point]) -> str:
    return at.standing.value if at.by is None else f"{at.standing.value} {points[at.by].name}"


def _traces(points: Sequence[Point], placed: Sequence[Placed], here: Place) -> list[Trace]:
    groups: dict[str, tuple[str, str, list[Point]]] = {
        Standing.FRONT.value: (BLUE, "circle", []),
        "within the noise of the front": (GREEN, "diamond", []),
        Standing.BEHIND.value: (GREY, "x-thin-open", []),
        "reference": (ORANGE, "star", []),
    }
    for point, at in zip(points, placed, strict=True):
        name = at.standing.value
        if point.cell.reference == point.cell.key:
            name = "reference"
        elif at.standing is Standing.WITHIN_NOISE:
            name = "within the noise of the front"
        groups[name][2].append(point)
    front = [p for p, at in zip(points, placed, strict=True) if at.standing is Standing.FRONT]
    front.sort(key=lambda point: point.cost.value)
    traces = [_line(front)] if len(front) > 1 else []
    traces += [_trace(name, *told) for name, told in groups.items() if told[2]]
    advised = [point for point in points if point.cell is here.advised]
    return [*traces, *(_ring(point) for point in advised)]


def _trace(name: str, colour: str, symbol: str, points: Sequence[Point]) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [digits(p.cost.value) for p in points],
        "y": [digits(p.accuracy.value) for p in points],
        "error_x": bars([p.cost for p in points]) | {"color": colour},
        "error_y": bars([p.accuracy for p in points]) | {"color": colour},
        "text": [escaped(short(p.name)) if name == Standing.FRONT else "" for p in points],
        "hovertext": [escaped(p.name) for p in points],
        "hoverinfo": "text+x+y",
        "textposition": "top center",
        "cliponaxis": False,
        "customdata": [p.number for p in points],
        "marker": {
            **{"color": colour, "symbol": symbol, "size": 11},
            "line": {"width": 2, "color": colour},
        },
    }


def _line(front: Sequence[Point]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front",
        "x": [digits(p.cost.value) for p in front],
        "y": [digits(p.accuracy.value) for p in front],
        "line": {"color": BLUE, "dash": "dot", "width": 1.5, "shape": "hv"},
        "hoverinfo": "skip",
    }


def _ring(point: Point) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "to ship",
        "x": [digits(point.cost.value)],
        "y": [digits(point.accuracy.value)],
        "marker": {"color": BLUE, "symbol": "circle-open", "size": 19, "line": {"width": 3}},
        "hoverinfo": "skip",
    }


def _layout(points: Sequence[Point], cost: Cost, here: Place, unit: str) -> Trace:
    limits = sorted({c.limit for c in here.targets if c.target in cost.limits})
    whole = [p.accuracy.value for p in points if p.cell.reference == p.cell.key]
    drops = {c.limit for c in here.targets if c.target == "accuracy_drop_points"}
    lowest = [digits(whole[0] - drop) for drop in sorted(drops)] if whole else []
    x = scale(f"{cost.label}, {cost.unit}", [p.cost.value for p in points], limits)
    ends = [end for p in points for end in (p.accuracy.low, p.accuracy.high)]
    notes = [
        *(
            _note("x", math.log10(v) if x.get("type") else v, f"≤ {v:g} {cost.unit}")
            for v in limits
        ),
        *(_note("y", v, f"≥ {v:.3g}") for v in lowest),
    ]
    return {
        "xaxis": x,
        "yaxis": {**scale(escaped(unit), ends, lowest), "zeroline": False},
        "shapes": [*(_limit("x", v) for v in limits), *(_limit("y", v) for v in lowest)],
        "annotations": notes,
    }


def _note(axis: str, value: float, words: str) -> Trace:
    """The words of a target, at the end of its line."""
    if axis == "x":
        place: Trace = {"x": digits(value), "y": 1, "yref": "paper", "yanchor": "top"}
        return {**place, "xanchor": "left", "text": f"target {words}", "showarrow": False}
    place = {"y": digits(value), "x": 1, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return {**place, "text": f"target {words}", "showarrow": False}


def _limit(axis: str, value: float) -> Trace:
    other = "y" if axis == "x" else "x"
    return {
        "type": "line",
        **{f"{axis}0": value, f"{axis}1": value},
        **{f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"},
        "line": {"color": ORANGE, "dash": "dash", "width": 1.5},
    }
