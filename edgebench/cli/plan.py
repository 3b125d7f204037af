"""Commands that take a plan."""

import json
from pathlib import Path
from typing import Any

import click

from edgebench.cli.desk import desk_at, device_names, watched_desk

A_PATH = click.Path(path_type=Path)
OUT = click.option("--out", type=A_PATH, default=Path("results"), help="Where runs land.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
METER = click.option("--meter", help="At this machine: tasmota:HOST, joulescope, trace:SCOPE, ...")
WAIT = click.option(
    *("--wait-for-lock", "wait_for_lock_s"),
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    envvar="EDGEBENCH_WAIT_FOR_LOCK",
    help="How long to wait for a device that somebody else measures; else it is left out.",
)
VARIANT = click.option("--variant", "variants", multiple=True, help="Only this variant.")


@click.command()
@OUT
@JSON
def demo(out: Path, as_json: bool) -> None:
    """Train, compress, measure and compare on this machine, without a board."""
    from edgebench.cli.show import show_outcome
    from edgebench.plan import shipped_plan
    from edgebench.workflow import run_plan

    with watched_desk(out) as desk:
        outcome = run_plan(shipped_plan("demo"), desk)
    show_outcome(outcome, as_json=as_json)


@click.command()
@click.argument("folder", type=A_PATH, default=Path())
def init(folder: Path) -> None:
    """Write a commented plan.toml into FOLDER to start from."""
    from edgebench.errors import ConfigError
    from edgebench.plan import shipped_plan

    target = folder / "plan.toml"
    if target.exists():
        msg = f"{str(target)!r} is there already."
        raise ConfigError(msg, hint="Remove it first, or name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(shipped_plan("plan").read_text())
    click.echo(target)


@click.command()
@click.argument("plan", type=A_PATH)
@JSON
def lint(plan: Path, as_json: bool) -> None:
    """Say what is wrong or pointless in PLAN, before any training or device time."""
    from edgebench.workflow import read_order
    from edgebench.workflow.lint import pointless

    remarks = pointless(read_order(plan))
    if as_json:
        documents = [remark.document() for remark in remarks]
        click.echo(json.dumps({"plan": str(plan), "doubts": documents}, indent=1))
    else:
        click.echo("\n".join(map(str, remarks)) or f"{plan}: nothing to say against it.")


@click.command()
@click.argument("plan", type=A_PATH, required=False)
@click.option(
    *("--device", "devices"),
    multiple=True,
    help="Only this device.",
    shell_complete=device_names,
)
@VARIANT
@OUT
@click.option("--resume", type=A_PATH, help="Take up this run where it was cut off.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@WAIT
@JSON
def run(plan: Path | None, resume: Path | None, **options: Any) -> None:  # noqa: ANN401 - click's
    """Compress, deploy and measure what PLAN asks for, and judge it by its targets."""
    from edgebench.cli.show import show_outcome
    from edgebench.workflow import describe, resume_run, run_plan

    if (plan is None) == (resume is None):
        msg = "Name a PLAN, or a run to --resume."
        raise click.UsageError(msg)
    chosen = {name: options[name] for name in ("devices", "variants")}
    if resume is not None and (options["dry_run"] or any(chosen.values())):
        msg = "A run is resumed whole: --dry-run, --device and --variant do not go with --resume."
        raise click.UsageError(msg)
    if plan is not None and options["dry_run"]:
        _show_cells(describe(plan, **chosen), as_json=options["as_json"])
        return
    with watched_desk(options["out"], wait_for_lock_s=options["wait_for_lock_s"]) as desk:
        outcome = run_plan(plan, desk, **chosen) if plan else resume_run(resume or Path(), desk)
    show_outcome(outcome, as_json=options["as_json"])


def _show_cells(cells: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"cells": cells}, indent=1))
        return
    for cell in cells:
        where = "{device}  {variant}.{format}  threads {threads}, {scenario}  {accelerator}"
        click.echo(f"{where}: {{steps}}".format(**cell))


@click.command()
@click.argument("plan", type=A_PATH)
@VARIANT
@click.option("--out", type=A_PATH, default=Path("compressed"), help="Where variants land.")
@JSON
def compress(plan: Path, variants: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Make the variants of PLAN, and measure nothing."""
    from edgebench.cli.show import show_built
    from edgebench.workflow import compress_plan

    built, not_built = compress_plan(plan, desk_at(out), variants=variants)
    show_built(built, not_built, folder=out / "variants", as_json=as_json)
