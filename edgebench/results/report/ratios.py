"""Devices against variants: ratios to the reference, and one variant across devices."""

import math
from collections.abc import Mapping
from typing import Final

from edgebench.results.report.contents import (
    Contents,
    Place,
    because,
    interval_of,
    is_shown,
    names_of,
    short,
)
from edgebench.results.report.digest import CellDigest
from edgebench.results.report.figure import (
    BLUE,
    Choice,
    Entry,
    Figure,
    View,
    bars,
    digits,
    entry,
    escaped,
    scale,
    ticks,
)

# Of a ratio of 1 the colour is neither; from a fourth and from four times on it is full.
FULL: Final = 2.0
COLOURS: Final = [[0.0, "#1f62b4"], [0.5, "#b9c0ca"], [1.0, "#b5560a"]]


def heat(contents: Contents) -> Figure:
    """The ratio to the reference, devices against variants."""
    table = _table(contents)
    if not any(_ratio(cell) is not None for row in table.values() for _, cell in row.values()):
        why = "nothing was measured that could be compared with a reference"
        return Figure(name="heat", title="Devices and variants", note="", gap=why)
    names, places = list(table), contents.places
    ratios = {name: _ratios(table[name], len(places)) for name in names}
    view = View(
        alt=f"Ratio of the latency to the reference: {len(names)} forms on {len(places)} devices.",
        traces=[
            {
                "type": "heatmap",
                "z": [[_log(ratio) for ratio in ratios[name]] for name in names],
                "text": [[_word(ratio) for ratio in ratios[name]] for name in names],
                "hovertext": [
                    [_told(table[n].get(p), n) for p in range(len(places))] for n in names
                ],
                "customdata": [
                    [_number(table[n].get(p)) for p in range(len(places))] for n in names
                ],
                "texttemplate": "%{text}",
                "hoverinfo": "text",
                "colorscale": COLOURS,
                "zmin": -FULL,
                "zmax": FULL,
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
            }
        ],
        layout={
            "xaxis": {**ticks([short(here.title) for here in places]), "side": "top"},
            "yaxis": {**ticks([short(n) for n in names]), "autorange": "reversed"},
            "height": 130 + 26 * len(names),
            "margin": {"t": 60},
        },
        width_max_px=260 + 110 * len(places),
        columns=("form", *(here.title for here in places)),
        rows=[[name, *(_entry(table[name].get(p)) for p in range(len(places)))] for name in names],
    )
    note = (
        "Latency p50 over that of the reference of the same format, on the same device. Blue is "
        "faster, orange is slower; what the interval allows to say stands in the table."
    )
    return Figure(name="heat", title="Devices and variants", note=note, views={"": view})


def across(contents: Contents) -> Figure:
    """One variant on all devices."""
    title = "The same variant across devices"
    if len(contents.places) < 2:
        only = contents.places[0].title if contents.places else "nothing"
        return Figure(name="across", title=title, note="", gap=f"Only {only} was measured")
    table = _table(contents)
    return Figure(
        name="across",
        title=title,
        note="Latency p50 with its 95 % interval.",
        choices=(Choice(label="Form", options=tuple(table)),),
        views={str(n): _across(contents, name, row) for n, (name, row) in enumerate(table.items())},
    )


Row = Mapping[int, tuple[int, CellDigest]]


def _table(contents: Contents) -> dict[str, dict[int, tuple[int, CellDigest]]]:
    """By form and by place, a cell and its number."""
    table: dict[str, dict[int, tuple[int, CellDigest]]] = {}
    names = names_of([cell for _, cell in contents.cells])
    of_place = {id(here): p for p, here in enumerate(contents.places)}
    for number, ((here, cell), name) in enumerate(zip(contents.cells, names, strict=True)):
        table.setdefault(name, {})[of_place[id(here)]] = (number, cell)
    return table


def _ratio(cell: CellDigest) -> float | None:
    if not is_shown(cell):
        return None
    return 1.0 if cell.reference == cell.key else cell.number("latency_ratio")


def _ratios(row: Row, places: int) -> list[float | None]:
    return [_ratio(row[p][1]) if p in row else None for p in range(places)]


def _log(ratio: float | None) -> float | None:
    return None if ratio is None or ratio <= 0 else digits(math.log2(ratio))


def _word(ratio: float | None) -> str:
    return "—" if ratio is None else f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def _number(found: tuple[int, CellDigest] | None) -> int | None:
    return found[0] if found else None


def _told(found: tuple[int, CellDigest] | None, name: str) -> str:
    told = _entry(found)
    return f"{escaped(name)}: {escaped(told if isinstance(told, str) else told[0])}"


def _entry(found: tuple[int, CellDigest] | None) -> Entry:
    """The ratio with its interval and its verdict, or why there is none."""
    if found is None:
        return "not in this run"
    cell = found[1]
    if cell.reference == cell.key and is_shown(cell):
        return ("1 reference", 1.0)
    ratio = interval_of(cell, "latency_ratio")
    if ratio is None or not is_shown(cell):
        return f"— {cell.shown['status']}" if not is_shown(cell) else cell.shown["vs reference"]
    told = entry(ratio)
    verdict = cell.text("latency_verdict").replace("_", " ")
    return (f"{told[0]} {verdict}", told[1]) if isinstance(told, tuple) else told


def _across(contents: Contents, name: str, row: Row) -> View:
    found = [
        (here, interval, row[p])
        for p, here in enumerate(contents.places)
        if p in row and (interval := interval_of(row[p][1], "latency_p50", "ms")) is not None
    ]
    if not found:
        return View(gap=f"{name} has a latency on no device: {_why(row)}")
    intervals = [interval for _, interval, _ in found]
    return View(
        alt=f"Latency of {name} on {len(found)} devices.",
        traces=[
            {
                "type": "scatter",
                "mode": "markers",
                "x": [digits(interval.value) for interval in intervals],
                "y": list(range(len(found))),
                "error_x": bars(intervals) | {"color": BLUE},
                "hovertext": [escaped(here.title) for here, _, _ in found],
                "hoverinfo": "text+x",
                "customdata": [number for _, _, (number, _) in found],
                "marker": {"color": BLUE, "size": 10},
            }
        ],
        layout={
            "xaxis": scale("latency p50, ms", [end for i in intervals for end in (i.low, i.high)]),
            "yaxis": {
                **ticks([short(here.title) for here, _, _ in found]),
                "autorange": "reversed",
            },
            "height": 120 + 26 * len(found),
        },
        columns=("device", "latency p50, ms", "vs reference", "status"),
        rows=[_line(here, cell) for here, _, (_, cell) in found],
    )


def _line(here: Place, cell: CellDigest) -> list[Entry]:
    latency = interval_of(cell, "latency_p50", "ms")
    return [here.title, entry(latency), _entry((0, cell)), cell.shown["status"]]


def _why(row: Row) -> str:
    found = [reason for _, cell in row.values() for reason in cell.text("reasons").split()]
    return because(found[0]) if found else "it was not measured"
