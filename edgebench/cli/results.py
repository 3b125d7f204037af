"""Commands on runs that are there."""

import json
from pathlib import Path

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
    from edgebench.results.store import find_runs, read_run

    rows = [
        {
            "run": str(folder),
            "created": run.created,
            "command": run.command,
            "cells": len(run.cells),
            "finished": run.finished,
        }
        for folder in find_runs(out)
        for run in (read_run(folder),)
    ]
    if as_json:
        click.echo(json.dumps({"runs": rows}, indent=1))
        return
    for row in rows:
        state = "finished" if row["finished"] else "cut off: `edgebench run --resume` goes on"
        click.echo(f"{row['run']}\t{row['created']}\t{row['cells']} cells\t{state}")
    if not rows:
        click.echo(f"No runs in {str(out)!r}.", err=True)


@results.command()
@click.argument("run", type=A_PATH)
@JSON
def show(run: Path, as_json: bool) -> None:
    """Show a run: its table, its targets, what to ship."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow import outcome_of

    show_outcome(outcome_of(run), as_json=as_json)


@results.command()
@click.argument("runs", type=A_PATH, nargs=-1, required=True)
@click.option("--to", "target", required=True, help="A file: x.csv or x.md.")
def export(runs: tuple[Path, ...], target: str) -> None:
    """Write RUNS in the format of another program."""
    from edgebench.workflow import export_runs

    click.echo(export_runs(runs, target))
