"""How a variant came to be: accuracy and bytes, step by step."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from edgebench.results.report.contents import Contents, Place, short
from edgebench.results.report.digest import CellDigest, StepDigest
from edgebench.results.report.figure import (
    BLUE,
    GREEN,
    GREY,
    RED,
    Entry,
    Figure,
    Trace,
    View,
    digits,
    escaped,
)
from edgebench.units import show_size

NOTE: Final = (
    "Accuracy is on the validation set, by the host; the table of cells has that of the test set "
    "on the device. The first bar of the bytes is the reference's file; files between the steps "
    "may be of another format, whose own overhead they carry. What pruning and clustering save "
    "shows in gzip alone."
)


def steps(contents: Contents) -> Figure:
    """The ledger of a variant as a waterfall."""
    views = {str(n): _view(here, cell) for n, (here, cell) in enumerate(contents.cells)}
    is_none = all(view.gap for view in views.values())
    why = "Files that `bench` measures have no ledger"
    if any(run.command == "run" for run in contents.runs):
        why = "No variant of these runs has a ledger with steps"
    return Figure(
        name="steps",
        title="Step by step",
        note=NOTE,
        views={} if is_none else views,
        is_of_cell=True,
        gap=why if is_none else None,
    )


def _form(cell: CellDigest) -> str:
    return f"{cell.text('variant')}.{cell.text('format')}"


def _view(here: Place, cell: CellDigest) -> View:
    entries = here.run.ledgers.get(_form(cell), ())
    if not entries:
        return View(gap=f"{_form(cell)} has no ledger: nothing was done to it, or it is not here")
    reference = next((c for c in here.cells if c.key == cell.reference), None)
    start = reference if reference is not None and reference is not cell else None
    sizes = _sizes(entries, start, "size_bytes")
    packed = _sizes(entries, start, "gzip_bytes")
    labels = [*(["reference"] if start else []), *(entry.step for entry in entries)]
    accuracies = [entries[0].accuracy_before, *(entry.accuracy_after for entry in entries)]
    traces = [
        _fall("bytes", labels, sizes, "y"),
        _packed(labels, packed),
    ]
    is_share = cell.is_share is not False
    if accuracies[-1] is not None:
        traces.append(_gained(labels, accuracies, is_share=is_share))
    return View(
        alt=f"{_form(cell)}: {show_size(sizes[0])} becomes {show_size(sizes[-1])} in "
        f"{len(entries)} steps.",
        traces=traces,
        layout=_layout(labels, "points" if is_share else cell.text("accuracy_metric")),
        columns=("step", "size", "gzip", "accuracy before", "accuracy after"),
        rows=[_row(entry) for entry in entries],
    )


def _sizes(entries: Sequence[StepDigest], start: CellDigest | None, name: str) -> list[int]:
    first = start.number(name) if start else None
    return [*([] if first is None else [int(first)]), *(getattr(e, name) for e in entries)]


def _fall(name: str, labels: Sequence[str], values: Sequence[int], axis: str) -> Trace:
    """Where it begins, and what each step adds or takes."""
    changes = [values[0], *(b - a for a, b in pairwise(values))]
    return {
        "type": "waterfall",
        "name": name,
        "x": [*range(len(labels))],
        "y": [*changes],
        "measure": ["absolute", *["relative"] * (len(values) - 1)],
        "text": [show_size(value) for value in values],
        "textposition": "outside",
        "hovertext": [escaped(label) for label in labels],
        "hoverinfo": "text",
        "cliponaxis": False,
        "connector": {"line": {"color": GREY, "width": 1}},
        "increasing": {"marker": {"color": RED}},
        "decreasing": {"marker": {"color": GREEN}},
        "totals": {"marker": {"color": BLUE}},
        "yaxis": axis,
    }


def _packed(labels: Sequence[str], values: Sequence[int]) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "gzip",
        "x": [*range(len(labels))],
        "y": [*values],
        "marker": {"color": GREY, "symbol": "line-ew-open", "size": 24, "line": {"width": 3}},
        "hovertext": [f"gzip {show_size(value)}" for value in values],
        "hoverinfo": "text",
    }


def _gained(labels: Sequence[str], accuracies: Sequence[float | None], *, is_share: bool) -> Trace:
    """What each step gained or lost, below the bytes: points, or of an error its unit."""
    begin = len(labels) - len(accuracies) + 1
    factor, good, bad = (100, GREEN, RED) if is_share else (1, RED, GREEN)
    changes = [
        None if before is None or after is None else digits(factor * (after - before))
        for before, after in pairwise(accuracies)
    ]
    return {
        "type": "waterfall",
        "name": "accuracy",
        "x": [*range(begin, len(labels))],
        "y": [*changes],
        "text": ["—" if change is None else f"{change:+.3g}" for change in changes],
        "textposition": "outside",
        "hoverinfo": "text",
        "cliponaxis": False,
        "connector": {"line": {"color": GREY, "width": 1}},
        "increasing": {"marker": {"color": good}},
        "decreasing": {"marker": {"color": bad}},
        "yaxis": "y2",
    }


def _layout(labels: Sequence[str], unit: str) -> Trace:
    return {
        "xaxis": {
            "tickmode": "array",
            "tickvals": [*range(len(labels))],
            "ticktext": [escaped(short(label)) for label in labels],
            "range": [-0.6, len(labels) - 0.4],
            "anchor": "y2",
        },
        "yaxis": {"title": {"text": "bytes"}, "domain": [0.46, 1.0], "rangemode": "tozero"},
        "yaxis2": {"title": {"text": escaped(unit)}, "domain": [0.0, 0.34], "zeroline": True},
        "height": 470,
        "showlegend": False,
    }


def _row(entry: StepDigest) -> list[Entry]:
    return [
        entry.step,
        (show_size(entry.size_bytes), entry.size_bytes),
        (show_size(entry.gzip_bytes), entry.gzip_bytes),
        _share(entry.accuracy_before),
        _share(entry.accuracy_after),
    ]


def _share(value: float | None) -> Entry:
    return "— no_data" if value is None else (f"{value:.4g}", value)
