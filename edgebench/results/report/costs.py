"""What a form takes beside time: memory, energy, and where its time goes."""

from edgebench.measure.intervals import Interval
from edgebench.results.report.contents import (
    Contents,
    Place,
    because,
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
    Entry,
    Figure,
    Trace,
    View,
    bars,
    digits,
    entry,
    escaped,
    ticks,
)
from edgebench.results.report.launches import of_cells


def memory(contents: Contents) -> Figure:
    """The memory of a cell, checkpoint by checkpoint."""
    views, why = of_cells(contents, _memory)
    return Figure(
        name="memory",
        title="Memory by checkpoint",
        note="PSS of the runner, of its processes the middle one. Anonymous memory cannot be "
        "dropped under pressure, the other part is files. The model costs what the first inference "
        "has more than the loaded runtime.",
        views=views,
        is_of_cell=True,
        gap=why,
    )


def _memory(cell: CellDigest) -> View:
    taken = cell.memory
    if not taken:
        return View(gap=f"No memory of this cell: {gap([cell], 'memory')}")
    names: list[str] = [checkpoint.name for checkpoint in taken]
    parts = {
        "anonymous": (BLUE, [checkpoint.anonymous_mb for checkpoint in taken]),
        "files": (GREY, [checkpoint.file_mb for checkpoint in taken]),
    }
    traces: list[Trace] = [
        {"type": "bar", "name": name, "x": [*names], "y": [*values], "marker": {"color": colour}}
        for name, (colour, values) in parts.items()
    ]
    peaks: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "highest since the checkpoint before (RSS)",
        "x": [*names],
        "y": [checkpoint.peak_mb for checkpoint in taken],
        "marker": {"color": ORANGE, "symbol": "line-ew-open", "size": 26, "line": {"width": 3}},
    }
    return View(
        alt=f"Memory of {cell.text('variant')} at {len(taken)} checkpoints.",
        traces=[*traces, peaks],
        layout={"barmode": "stack", "yaxis": {"title": {"text": "MB"}}},
        columns=("checkpoint", "anonymous, MB", "files, MB", "highest, MB"),
        rows=[
            [
                checkpoint.name,
                _mb(checkpoint.anonymous_mb),
                _mb(checkpoint.file_mb),
                "— permission" if checkpoint.peak_mb is None else _mb(checkpoint.peak_mb),
            ]
            for checkpoint in taken
        ],
    )


def _mb(value: float) -> Entry:
    return f"{value:.2f}", value


def energy(contents: Contents) -> Figure:
    """Energy of an inference, gross and above idle."""
    views = {str(p): _energy(here) for p, here in enumerate(contents.places)}
    is_none = all(view.gap for view in views.values())
    return Figure(
        name="energy",
        title="Energy of an inference",
        note="Gross is all that the meter saw; dynamic is what it saw above the idle power. What "
        "the meter sees of the board, its scope, stands at each: only equal ones are compared.",
        choices=(Choice(label="Device", options=tuple(p.title for p in contents.places)),),
        views=views,
        gap=next((view.gap for view in views.values()), "Nothing was measured")
        if is_none
        else None,
    )


def _energy(here: Place) -> View:
    names = names_of(here.cells)
    found = [
        (name, here.first + n, cell, told)
        for n, (name, cell) in enumerate(zip(names, here.cells, strict=True))
        if is_shown(cell) and (told := interval_of(cell, "energy_gross", "mj")) is not None
    ]
    if not found:
        return View(gap=f"No energy on {here.title}: {gap(here.cells, 'energy')}")
    scopes = dict.fromkeys(cell.text("energy_scope") for _, _, cell, _ in found)
    gross = [interval for _, _, _, interval in found]
    dynamic = [interval_of(cell, "energy_dynamic", "mj") for _, _, cell, _ in found]
    numbers = [number for _, number, _, _ in found]
    traces = [_dots("gross", gross, numbers, BLUE, "circle")]
    known = [(i, n, y) for y, (i, n) in enumerate(zip(dynamic, numbers, strict=True)) if i]
    if known:
        dots = _dots(
            "dynamic", [i for i, _, _ in known], [n for _, n, _ in known], GREEN, "diamond"
        )
        traces.append({**dots, "y": [y for _, _, y in known]})
    return View(
        alt=f"Energy of {len(found)} forms on {here.title}, scope {', '.join(scopes)}.",
        traces=traces,
        layout={
            "xaxis": {
                "title": {"text": escaped(f"mJ an inference ({', '.join(scopes)})")},
                "rangemode": "tozero",
            },
            "yaxis": {**ticks([short(name) for name, _, _, _ in found]), "autorange": "reversed"},
            "height": 150 + 26 * len(found),
        },
        columns=("form", "gross, mJ", "dynamic, mJ", "power, W", "meter", "scope", "status"),
        rows=[_row(name, cell) for name, _, cell, _ in found],
    )


def _dots(
    name: str, intervals: list[Interval], numbers: list[int], colour: str, symbol: str
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [digits(interval.value) for interval in intervals],
        "y": [*range(len(intervals))],
        "error_x": {**bars(intervals), "color": colour},
        "customdata": [*numbers],
        "marker": {"color": colour, "symbol": symbol, "size": 10},
    }


def _row(name: str, cell: CellDigest) -> list[Entry]:
    watts = cell.number("energy_active_w")
    status = cell.text("energy_gross_status")
    return [
        name,
        entry(interval_of(cell, "energy_gross", "mj")),
        entry(
            interval_of(cell, "energy_dynamic", "mj"),
            f"— {cell.missing.get('energy_dynamic', 'not_measured')}",
        ),
        "—" if watts is None else (f"{watts:.3g}", watts),
        cell.text("energy_source"),
        cell.text("energy_scope"),
        status,
    ]


def operations(contents: Contents) -> Figure:
    """The time of a cell by type of operation."""
    views, why = of_cells(contents, _operations)
    return Figure(
        name="operations",
        title="Time by operation",
        note="From a pass of its own, in which the runtime looks at itself, which costs time: the "
        "shares are worth more than the milliseconds, and neither is a latency.",
        views=views,
        is_of_cell=True,
        gap=why,
    )


def _operations(cell: CellDigest) -> View:
    if not cell.operations:
        reason = cell.missing.get("profile", "not_measured")
        if reason == "not_measured":
            words = "not asked for (`profile = true` in [protocol], or `bench --profile`)"
            return View(gap=f"No time by operation: {words}")
        return View(gap=f"No time by operation: {because(reason)}")
    rows = cell.operations
    return View(
        alt=f"Share of the time of {len(rows)} types of operation of {cell.text('variant')}.",
        traces=[
            {
                "type": "bar",
                "orientation": "h",
                "x": [digits(100 * row.share) for row in rows],
                "y": [*range(len(rows))],
                "hovertext": [escaped(row.op_type) for row in rows],
                "hoverinfo": "text+x",
                "marker": {"color": BLUE},
            }
        ],
        layout={
            "xaxis": {"title": {"text": "share of the time, %"}},
            "yaxis": {**ticks([short(row.op_type) for row in rows]), "autorange": "reversed"},
            "height": 120 + 26 * len(rows),
        },
        columns=("operation", "nodes", "share, %", "ms an inference"),
        rows=[
            [
                row.op_type,
                (str(row.nodes), row.nodes),
                (f"{100 * row.share:.1f}", row.share),
                (f"{row.ms:.3g}", row.ms),
            ]
            for row in rows
        ],
    )
