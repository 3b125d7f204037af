"""The command that makes a page of runs."""

from pathlib import Path

import click

from edgebench.cli.plan import A_PATH


@click.command()
@click.argument("runs", type=A_PATH, nargs=-1, required=True)
@click.option("--out", type=A_PATH, required=True, help="A file that ends in .html, .md or .csv.")
@click.option("--trend", is_flag=True, help="Each cell over the runs, and where it moved.")
def report(runs: tuple[Path, ...], out: Path, trend: bool) -> None:
    """Write what RUNS say to a file: what to ship on each device, and how sure that is."""
    from edgebench.workflow.report import write_report

    write_report(runs, out, with_trend=trend)
    click.echo(out)
