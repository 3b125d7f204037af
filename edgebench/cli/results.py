"""Commands on runs that are there."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgebench.cli.plan import A_PATH, JSON, OUT

if TYPE_CHECKING:
    from edgebench.results.listing import Listed

TARGET = "x.csv, x.parquet, x.md, sqlite:///x.db or postgresql://user@host/name."


@click.group()
def results() -> None:
    """Runs on disk."""


@results.command("list")
@OUT
@click.option("--model", "models", multiple=True, help="Only of this model, or file.")
@click.option("--device", "devices", multiple=True, help="Only with cells on this device.")
@click.option("--variant", "variants", multiple=True, help="Only with cells of this variant.")
@click.option("--since", help="Only made since: 2026-03-01, or 7d, 12h, 2w ago.")
@JSON
def list_runs(out: Path, since: str | None, as_json: bool, **names: tuple[str, ...]) -> None:
    """List the runs in a folder, newest first; names may hold * and ?."""
    from edgebench.results import listing

    earliest = listing.since(since, datetime.now(UTC)) if since else None
    rows = listing.list_runs(out, listing.Wanted(since=earliest, **names))
    if as_json:
        click.echo(json.dumps({"runs": [row.document() for row in rows]}, indent=1))
        return
    if rows:
        click.echo("\n".join(map(_line, rows)))
    else:
        click.echo(f"No such runs in {str(out)!r}.", err=True)


def _line(run: "Listed") -> str:
    if run.error:
        return f"{run.folder}\tbroken: {run.error}"
    told = run.document()
    state = "finished" if run.finished else "cut off: `edgebench run --resume` goes on"
    names = (" ".join(" ".join(told[key]).split()) for key in ("models", "devices"))
    words = (str(run.folder), str(run.created), *names, f"{run.cells} cells", state)
    return "\t".join(words)


@results.command()
@click.argument("run", type=A_PATH)
@JSON
def show(run: Path, as_json: bool) -> None:
    """Show a run: its table, its targets, what to ship."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow import outcome_of

    show_outcome(outcome_of(run), as_json=as_json)


@results.command()
@click.argument("run", type=A_PATH)
@click.option("--trace", type=A_PATH, required=True, help="What the instrument wrote.")
@click.option("--device", help="Whose power it is, where the run has several such devices.")
@JSON
def energy(run: Path, trace: Path, device: str | None, as_json: bool) -> None:
    """Give RUN, measured with the meter trace:SCOPE, what another instrument recorded."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow.recordings import add_recording

    show_outcome(add_recording(run, trace, device=device), as_json=as_json)


@results.command()
@click.argument("runs", type=A_PATH, nargs=-1, required=True)
@click.option("--to", "target", required=True, help=TARGET)
def export(runs: tuple[Path, ...], target: str) -> None:
    """Write RUNS in the format of another program; what is there of other runs stays."""
    from edgebench.workflow import export_runs

    click.echo("\n".join(export_runs(runs, target)))
