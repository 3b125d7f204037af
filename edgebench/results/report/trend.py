"""A model's cells over many runs, and where they moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edgebench.measure.intervals import Interval
from edgebench.results.moves import Move, Seen, moves
from edgebench.results.quantities import QUANTITIES
from edgebench.results.report.contents import (
    Contents,
    Place,
    interval_of,
    is_shown,
    names_of,
    short,
)
from edgebench.results.report.digest import CellDigest, RunDigest
from edgebench.results.report.figure import (
    GREY,
    ORANGE,
    SERIES,
    Choice,
    Entry,
    Figure,
    Trace,
    View,
    bars,
    digits,
    escaped,
    show,
)
from edgebench.results.report.trade import COSTS, cost_of

# What must be equal for two values of a time, a memory or an energy to be of one device.
CONDITIONS: Final = (
    *("fingerprint_hw", "fingerprint_sw", "fingerprint_state", "fingerprint_runtime"),
    *("fingerprint_delegate", "runtime", "runtime_version", "energy_scope"),
)
# So many lines can be told apart; where there are more, those that moved have a colour.
LINES: Final = len(SERIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A quantity that is followed.

    Attributes:
        of: Its name in `QUANTITIES`, which says from where on a change counts.
    """

    label: str
    unit: str
    of: str
    value: Callable[[CellDigest], Interval | None]
    conditions: tuple[str, ...] = CONDITIONS


def _accuracy(cell: CellDigest) -> Interval | None:
    told = interval_of(cell, "accuracy")
    if told is None or not cell.is_share:
        return told
    return Interval(value=100 * told.value, low=100 * told.low, high=100 * told.high)


TRACED: Final = (
    Traced(label="latency p50", unit="ms", of="latency", value=lambda c: cost_of(c, COSTS[0])),
    Traced(label="accuracy", unit="", of="accuracy", value=_accuracy, conditions=("data_sha256",)),
    Traced(label="size", unit="MB", of="size", value=lambda c: cost_of(c, COSTS[1]), conditions=()),
    Traced(label="memory", unit="MB", of="memory", value=lambda c: cost_of(c, COSTS[2])),
    Traced(label="energy", unit="mJ", of="energy", value=lambda c: cost_of(c, COSTS[3])),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A form in the runs of a place, the oldest first; None where a run does not have it."""

    name: str
    seen: tuple[Seen, ...]
    moved: tuple[Move | None, ...]


def lines_of(runs: Sequence[RunDigest], device: str, traced: Traced) -> list[Line]:
    """Every form that has the quantity in one of the runs, with its moves."""
    rows: dict[str, dict[int, CellDigest]] = {}
    pairs = [
        (n, cell) for n, r in enumerate(runs) for cell in r.cells if cell.text("device") == device
    ]
    names = names_of([cell for _, cell in pairs])
    for (n, cell), name in zip(pairs, names, strict=True):
        rows.setdefault(name, {})[n] = cell
    lines = []
    for name, row in rows.items():
        seen = tuple(_seen(row.get(n), run, traced) for n, run in enumerate(runs))
        if any(point.interval is not None for point in seen):
            lines.append(Line(name=name, seen=seen, moved=moves(seen)))
    return lines


def _seen(cell: CellDigest | None, run: RunDigest, traced: Traced) -> Seen:
    quantity = QUANTITIES[traced.of]
    if cell is None or not is_shown(cell):
        return Seen(interval=None)
    margin = quantity.margin_ratio
    if margin is None:
        told = run.protocol.get("margin_ratio")
        margin = float(told) if isinstance(told, (int, float)) else 0.0
        margin = max(margin, cell.number("latency_margin_ratio") or 0.0)
    is_error = traced.of == "accuracy" and cell.is_share is False
    return Seen(
        interval=traced.value(cell),
        conditions=" ".join(cell.text(name) for name in traced.conditions),
        margin_ratio=QUANTITIES["error"].margin_ratio or 0.0 if is_error else margin,
        floor=0.0 if is_error else quantity.floor,
    )


def trend(contents: Contents) -> Figure:
    """Each quantity over the runs of a place."""
    title = "Over the runs"
    if all(len(contents.runs_of(here)) < 2 for here in contents.places):
        return Figure(name="trend", title=title, note="", gap="No model has two runs on a device")
    return Figure(
        name="trend",
        title=title,
        note="Bars are 95 % intervals. Ringed is where an interval left that of the level before, "
        "by more than the margin; a square is where the conditions were others, so that a new "
        "level begins. Dates are of the runs.",
        choices=(
            Choice(label="Device", options=tuple(here.title for here in contents.places)),
            Choice(label="Quantity", options=tuple(traced.label for traced in TRACED)),
        ),
        views={
            f"{p}/{t}": _view(here, contents.runs_of(here), traced)
            for p, here in enumerate(contents.places)
            for t, traced in enumerate(TRACED)
        },
    )


def _view(here: Place, runs: Sequence[RunDigest], traced: Traced) -> View:
    lines = lines_of(runs, here.device, traced)
    if len(runs) < 2:
        return View(gap=f"{here.title} has one run alone")
    if not lines:
        return View(gap=f"No {traced.label} on {here.title} in any run")
    told = [line for line in lines if any(line.moved)]
    coloured = lines if len(lines) <= LINES else told[:LINES]
    traces = [_trace(line, coloured) for line in lines]
    traces += _marks(lines, "moved", {Move.UP, Move.DOWN}, "circle-open")
    traces += _marks(lines, "other conditions", {Move.OTHER_CONDITIONS}, "square-open")
    unit = f"{traced.label}, {traced.unit}" if traced.unit else traced.label
    return View(
        alt=f"{traced.label} of {len(lines)} forms on {here.title} over {len(runs)} runs; "
        f"{len(told)} moved.",
        traces=traces,
        layout={
            "xaxis": {
                "tickmode": "array",
                "tickvals": [*range(len(runs))],
                "ticktext": [run.created[:10] for run in runs],
            },
            "yaxis": {"title": {"text": escaped(unit)}},
        },
        columns=("form", "run", "from", "to", "change"),
        rows=[row for line in lines for row in _rows(line, runs)] or [_still(lines, traced)],
    )


def _still(lines: Sequence[Line], traced: Traced) -> list[Entry]:
    return [f"all {len(lines)} forms", "every run", "—", "—", f"no {traced.label} moved"]


def _trace(line: Line, coloured: Sequence[Line]) -> Trace:
    known = [(n, p.interval) for n, p in enumerate(line.seen) if p.interval is not None]
    is_plain = not any(line is other for other in coloured)
    colour = GREY if is_plain else SERIES[_index(line, coloured) % len(SERIES)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escaped(short(line.name)),
        "showlegend": not is_plain,
        "x": [n for n, _ in known],
        "y": [digits(interval.value) for _, interval in known],
        # Of fifty lines the bars would hide each other; the table of all cells has them.
        **({} if is_plain else {"error_y": {**bars([i for _, i in known]), "color": colour}}),
        "line": {"color": colour, "width": 1 if is_plain else 2},
        "marker": {"size": 6},
        "hovertext": escaped(line.name),
        "hoverinfo": "text+y",
    }


def _index(line: Line, lines: Sequence[Line]) -> int:
    return next(n for n, other in enumerate(lines) if other is line)


def _marks(lines: Sequence[Line], name: str, wanted: set[Move], symbol: str) -> list[Trace]:
    found = [
        (n, point.interval.value, f"{line.name}: {move}")
        for line in lines
        for n, (point, move) in enumerate(zip(line.seen, line.moved, strict=True))
        if move in wanted and point.interval is not None
    ]
    if not found:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [n for n, _, _ in found],
            "y": [digits(value) for _, value, _ in found],
            "hovertext": [escaped(words) for _, _, words in found],
            "hoverinfo": "text",
            "marker": {"symbol": symbol, "size": 17, "color": ORANGE, "line": {"width": 2.5}},
        }
    ]


def changes(contents: Contents) -> list[list[Entry]]:
    """Every move of every place, for those who read no charts."""
    return [
        [here.title, traced.label, *row]
        for here in contents.places
        for traced in TRACED
        for runs in [contents.runs_of(here)]
        for line in lines_of(runs, here.device, traced)
        for row in _rows(line, runs)
    ]


def _rows(line: Line, runs: Sequence[RunDigest]) -> list[list[Entry]]:
    """Where the form moved: the run, from what, to what."""
    rows: list[list[Entry]] = []
    level: Interval | None = None
    for run, point, move in zip(runs, line.seen, line.moved, strict=True):
        if point.interval is None:
            continue
        if move is not None and level is not None:
            words = move.value
            if move is not Move.OTHER_CONDITIONS and level.value:
                words += f" {100 * (point.interval.value / level.value - 1):+.1f} %"
            rows.append([line.name, run.name, show(level), show(point.interval), words])
        if level is None or move is not None:
            level = point.interval
    return rows
