"""A run on the terminal."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from edgebench.core import Reason
    from edgebench.device.survey import Survey
    from edgebench.results.cells import Cell
    from edgebench.results.gates import Report
    from edgebench.workflow import Outcome
    from edgebench.workflow.build import Built

# What fits a terminal; the whole of it stands in table.csv and table.md.
SHOWN = (
    *("variant", "format", "threads", "accelerator", "scenario", "size", "p50 ms", "per s"),
    *("missed %", "vs reference", "memory MB", "energy mJ", "accuracy %", "drop", "status"),
)
# Where nobody says how wide the page is, as in the log of a pipeline.
UNBOUNDED = 160


def show_outcome(outcome: "Outcome", *, as_json: bool) -> None:
    """The tables and the verdicts, or one JSON document; ends with the run's exit code."""
    if as_json:
        click.echo(json.dumps(outcome.document(), indent=1, allow_nan=False))
    else:
        _show_tables(outcome)
    if outcome.exit_code:
        sys.exit(outcome.exit_code)


def show_built(
    built: "list[Built]",
    not_built: "dict[str, tuple[Reason, str]]",
    *,
    folder: Path,
    as_json: bool,
) -> None:
    """What `compress` made; ends with 3 where something could not be made."""
    from edgebench.units import show_size

    rows: list[dict[str, Any]] = [
        {
            "variant": item.variant.name,
            "format": item.target.value,
            "size_bytes": item.variant.artifact.size_bytes,
            "gzip_bytes": item.variant.artifact.gzip_bytes,
            "accuracy": item.variant.ledger[-1].accuracy_after if item.variant.ledger else None,
            "file": str(folder / f"{item.variant.name}.{item.target.value}"),
        }
        for item in built
    ]
    missing = {name: {"reason": r.value, "error": e} for name, (r, e) in not_built.items()}
    if as_json:
        click.echo(json.dumps({"variants": rows, "not_built": missing}, indent=1))
    else:
        for row in rows:
            click.echo(f"{row['file']}\t{show_size(row['size_bytes'])}")
        for name, what in missing.items():
            click.echo(f"! {name}: {what['error']}")
    if missing:
        sys.exit(3)


def show_ways(survey: "Survey", *, as_json: bool) -> None:
    """Every way to every runtime, which are taken, and what was put there."""
    from rich.console import Console

    from edgebench.units import show_size

    if as_json:
        click.echo(json.dumps(survey.document(), indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED)
    rows = [
        {
            "runtime": way.runtime,
            "way": way.name,
            "works": "no" if way.why_not else "yes",
            "taken for": survey.formats(way) or "—",
            "by what, or why not": "; ".join(way.why_not) or way.what,
        }
        for way in survey.ways
    ]
    console.print(_grid(survey.device, rows))
    for put in survey.puts:
        cost = f"{show_size(put.sent_bytes)} sent, {put.seconds:.1f} s"
        text = f"{put.launch.runtime} is there: {put.launch.how}; {cost}"
        console.print(text, markup=False, soft_wrap=True)


def show_report(report: "Report") -> None:
    """What is to be known first, a table a device, and what is to be said of what did not pass."""
    from rich.console import Console

    from edgebench.results.gates import Mark
    from edgebench.results.writers.verdicts import headline

    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED)
    for note in report.notes:
        console.print(f"differs: {note}", markup=False, soft_wrap=True)
    for device in dict.fromkeys(case.device for case in report.cases):
        rows = [
            {"variant": c.subject, "of": c.what, "measured": c.value, "verdict": c.shown}
            for c in report.cases
            if c.device == device
        ]
        console.print(_grid(device, rows))
    # What is so for several limits of a cell is said once.
    told: dict[tuple[str, str, str], list[str]] = {}
    for case in report.cases:
        if case.mark in {Mark.FAILED, Mark.OPEN}:
            told.setdefault((case.device, case.subject, case.said), []).append(case.what)
    for (device, subject, said), what in told.items():
        text = f"! {subject} on {device}, {', '.join(what)}: {said}"
        console.print(text, markup=False, soft_wrap=True)
    console.print(headline(report), markup=False, soft_wrap=True)


def _show_tables(outcome: "Outcome") -> None:
    from rich.console import Console

    from edgebench.results.tables import remedies, target_row, trouble

    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNBOUNDED)
    for device in dict.fromkeys(cell.spec.device for cell in outcome.cells):
        rows = [cell for cell in outcome.cells if cell.spec.device == device]
        console.print(_table(device, rows))
    if outcome.checked:
        console.print(_grid("Targets", [target_row(c) for c in outcome.checked]))
    for text in (*trouble(outcome.cells), *_missing(outcome)):
        console.print(f"! {text}", markup=False, soft_wrap=True)
    for text in remedies(outcome.cells):
        console.print(f"  {text}", markup=False, soft_wrap=True, style="dim")
    for advice in outcome.advice:
        name = f"{advice.cell.spec.variant}.{advice.cell.spec.format}" if advice.cell else "nothing"
        console.print(f"[bold]{advice.device}: ship {name}[/bold]", soft_wrap=True)
        console.print(f"  because: {advice.why}", markup=False, soft_wrap=True)
    console.print(f"{outcome.folder}", markup=False, soft_wrap=True)


def _missing(outcome: "Outcome") -> list[str]:
    return [
        *(f"{name}: {error}" for name, (_, error) in outcome.run.not_built.items()),
        *(f"{name}: {error}" for name, error in outcome.run.lost.items()),
    ]


def _table(device: str, cells: "list[Cell]") -> "Table":
    from edgebench.results.tables import readable_rows, shown

    # A column that would say the same of every row is left out.
    left_out = {"threads"} if len({cell.spec.threads for cell in cells}) == 1 else set()
    left_out |= {"accelerator"} if len({cell.spec.accelerator for cell in cells}) == 1 else set()
    left_out |= set() if any(cell.energy for cell in cells) else {"energy mJ"}
    names = [name for name in shown(cells, SHOWN) if name not in left_out]
    rows = [{name: row[name] for name in names} for row in readable_rows(cells)]
    title = f"{device} (± is half of the 95 % interval; of memory, the spread)"
    return _grid(title, rows)


def _grid(title: str, rows: list[dict[str, str]]) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    # A column in which nobody has a number says nothing.
    names = [name for name in rows[0] if any(row[name][:1] != "—" for row in rows)] if rows else []
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in {"variant", "format", "size"})
    for row in rows:
        table.add_row(*(escape(row[name]) for name in names), style=_style(" ".join(row.values())))
    return table


def _style(text: str) -> str | None:
    bad = ("invalid", "failed", "refused", "FAIL")
    return "red" if any(word in text for word in bad) else None
