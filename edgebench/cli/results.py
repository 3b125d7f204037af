"""Commands on runs that are there."""

import json
from pathlib import Path
from typing import Any

import click

from edgebench.cli.plan import A_PATH, JSON, OUT


@click.group()
def results() -> None:
    """Runs on disk."""


@results.command("list")
@OUT
@JSON
def list_runs(out: Path, as_json: bool) -> None:
    """List the runs in a folder, oldest first."""
    from edgebench.results.store import find_runs

    rows = [_row(folder) for folder in find_runs(out)]
    if as_json:
        click.echo(json.dumps({"runs": rows}, indent=1))
        return
    for row in rows:
        if row["error"]:
            click.echo(f"{row['run']}\tbroken: {row['error']}")
            continue
        state = "finished" if row["finished"] else "cut off: `edgebench run --resume` goes on"
        click.echo(f"{row['run']}\t{row['created']}\t{row['cells']} cells\t{state}")
    if not rows:
        click.echo(f"No runs in {str(out)!r}.", err=True)


def _row(folder: Path) -> dict[str, Any]:
    from edgebench.errors import ConfigError
    from edgebench.results.store import read_run

    keys = ("created", "command", "cells", "finished")
    try:
        run = read_run(folder)
    except ConfigError as error:
        return {"run": str(folder), **dict.fromkeys(keys), "error": str(error)}
    values = (run.created, run.command, len(run.cells), run.finished)
    return {"run": str(folder), **dict(zip(keys, values, strict=True)), "error": None}


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
@click.option("--to", "target", required=True, help="A file: x.csv or x.md.")
def export(runs: tuple[Path, ...], target: str) -> None:
    """Write RUNS in the format of another program."""
    from edgebench.workflow import export_runs

    click.echo(export_runs(runs, target))
