"""The launches of a cell: how their latencies lie, and how they went in time."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from edgebench.core import Reason
from edgebench.results.report.contents import Contents, because
from edgebench.results.report.digest import CellDigest, LaunchDigest
from edgebench.results.report.figure import BLUE, GREY, RED, Figure, Trace, View, digits

HOT: Final = frozenset({Reason.THROTTLED, Reason.UNDERVOLTAGE, Reason.OVERCURRENT})


def of_cells(
    contents: Contents, view: Callable[[CellDigest], View]
) -> tuple[dict[str, View], str | None]:
    """A chart a cell, by its number; and where there is none at all, why."""
    views = {str(n): view(cell) for n, (_, cell) in enumerate(contents.cells)}
    gaps = [told.gap for told in views.values()]
    if all(gaps):
        return {}, max(gaps, key=gaps.count) if gaps else "nothing was measured"
    return views, None


def spread(contents: Contents) -> Figure:
    """The distribution of the latencies, a box a launch."""
    views, gap = of_cells(contents, _boxes)
    return Figure(
        name="spread",
        title="Latencies by launch",
        note="Each box is one process: 5, 25, 50, 75 and 95 % of its latencies. Where the boxes do "
        "not lie at one height, launches differ, and only more of them narrow the interval.",
        views=views,
        is_of_cell=True,
        gap=gap,
    )


def course(contents: Contents) -> Figure:
    """The latencies in the order in which they were taken, with the temperature."""
    views, gap = of_cells(contents, _course)
    return Figure(
        name="course",
        title="Latency over time",
        note="One launch after the other, each in the time that it sampled: medians of successive "
        "pieces. Shaded is what the board slowed down; the temperature is the highest of a launch.",
        views=views,
        is_of_cell=True,
        gap=gap,
    )


def _boxes(cell: CellDigest) -> View:
    launches = cell.launches
    if not launches:
        return View(gap=_nothing(cell))
    columns = list(zip(*(launch.spread_ms for launch in launches), strict=True))
    fences = dict(zip(("lowerfence", "q1", "median", "q3", "upperfence"), columns, strict=True))
    return View(
        alt=f"Latencies of {cell.text('variant')} in {len(launches)} launches.",
        traces=[
            {
                "type": "box",
                **{name: list(values) for name, values in fences.items()},
                "x": [f"launch {launch.block + 1}" for launch in launches],
                "marker": {"color": BLUE},
                "line": {"width": 1.5},
                "fillcolor": "rgba(59,130,214,0.25)",
            }
        ],
        layout={"yaxis": {"title": {"text": "latency, ms"}}, "showlegend": False},
        columns=("launch", "samples", "5 %, ms", "25 %", "50 %", "75 %", "95 %", "doubts"),
        rows=[
            [
                (str(launch.block + 1), launch.block + 1),
                (str(launch.samples), launch.samples),
                *((f"{ms:.4g}", ms) for ms in launch.spread_ms),
                ", ".join(launch.marks) or "none",
            ]
            for launch in launches
        ],
    )


def _nothing(cell: CellDigest) -> str:
    reasons = cell.text("reasons").split()
    return f"No latencies of this cell: {because(reasons[0]) if reasons else 'none were taken'}"


def _course(cell: CellDigest) -> View:
    launches = cell.launches
    if not launches:
        return View(gap=_nothing(cell))
    begins = [sum(other.sampled_s for other in launches[:n]) for n in range(len(launches))]
    is_warm = any(launch.temp_max_c is not None for launch in launches)
    heat = "" if is_warm else " The device tells no temperature."
    return View(
        alt=f"Latency of {cell.text('variant')} over {len(launches)} launches.{heat}",
        traces=[_medians(launches, begins), *([_heat(launches, begins)] if is_warm else [])],
        layout=_layout(launches, begins, is_warm=is_warm),
        columns=("launch", "started", "first piece, ms", "last piece, ms", "°C", "state"),
        rows=[
            [
                (str(launch.block + 1), launch.block + 1),
                launch.started,
                (f"{launch.course_ms[0]:.4g}", launch.course_ms[0]),
                (f"{launch.course_ms[-1]:.4g}", launch.course_ms[-1]),
                "not told"
                if launch.temp_max_c is None
                else (f"{launch.temp_max_c:.1f}", launch.temp_max_c),
                ", ".join(launch.marks) or "nothing to say",
            ]
            for launch in launches
        ],
    )


def _layout(launches: Sequence[LaunchDigest], begins: Sequence[float], *, is_warm: bool) -> Trace:
    layout: Trace = {
        "xaxis": {"title": {"text": "sampled time, s"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "latency, ms"}},
        "shapes": _shapes(launches, begins),
        "showlegend": is_warm,
    }
    if is_warm:
        layout["yaxis2"] = {"title": {"text": "°C"}, "overlaying": "y", "side": "right"}
    return layout


def _shapes(launches: Sequence[LaunchDigest], begins: Sequence[float]) -> list[Any]:
    """A line where a launch begins, and a shade over what was slowed down."""
    shapes: list[Any] = []
    for launch, begin in zip(launches, begins, strict=True):
        span = {"yref": "paper", "y0": 0, "y1": 1, "x0": digits(begin)}
        line = {"color": GREY, "dash": "dot", "width": 1}
        shapes.append({"type": "line", **span, "x1": digits(begin), "line": line})
        if HOT.intersection(launch.marks):
            end = digits(begin + launch.sampled_s)
            shade = {"width": 0}
            shapes.append(
                {"type": "rect", **span, "x1": end, "fillcolor": RED, "opacity": 0.2, "line": shade}
            )
    return shapes


def _medians(launches: Sequence[LaunchDigest], begins: Sequence[float]) -> Trace:
    x: list[Any] = []
    y: list[Any] = []
    for launch, begin in zip(launches, begins, strict=True):
        step = launch.sampled_s / len(launch.course_ms)
        x += [*(round(begin + (n + 0.5) * step, 3) for n in range(len(launch.course_ms))), None]
        y += [*launch.course_ms, None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "latency",
        "x": x,
        "y": y,
        "line": {"color": BLUE, "width": 1.5},
        "marker": {"size": 4},
    }


def _heat(launches: Sequence[LaunchDigest], begins: Sequence[float]) -> Trace:
    ends = [begin + launch.sampled_s / 2 for launch, begin in zip(launches, begins, strict=True)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "temperature",
        "x": [digits(end) for end in ends],
        "y": [launch.temp_max_c for launch in launches],
        "yaxis": "y2",
        "line": {"color": RED, "dash": "dash", "width": 1.5},
        "marker": {"symbol": "diamond", "size": 8},
    }
