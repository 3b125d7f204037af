"""Commands for a pipeline, on runs that are there."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgebench.cli.plan import A_PATH, JSON

if TYPE_CHECKING:
    from edgebench.results.runs_compared import RunsCompared
    from edgebench.results.validation import Validation

JUNIT = click.option("--junit", type=A_PATH, help="Write JUnit XML there.")
MARKDOWN = click.option("--md", type=A_PATH, help="Write Markdown there, for a pull request.")

# An accuracy is a share itself: what it may lose is said in points, by its floor.
ALL = ("latency", "error", "size", "memory", "energy")
NAMES = (*ALL, "accuracy")


def named_margin(text: str) -> tuple[tuple[str, float], ...]:
    """`2%`, of all but accuracy, or `memory=0.05`.

    >>> named_margin("memory=5%")
    (('memory', 0.05),)
    """
    name, value = _named(text.removesuffix("%"), text)
    share = value / 100 if text.endswith("%") else value
    return tuple((one, share) for one in ([name] if name else ALL))


def named_floor(text: str) -> tuple[str, float]:
    """`latency=0.01`: milliseconds.

    >>> named_floor("latency=0.01")
    ('latency', 0.01)
    """
    name, value = _named(text, text)
    if not name:
        msg = f"{text!r} is not like latency=0.01"
        raise click.BadParameter(msg)
    return name, value


def _named(text: str, told: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    if not re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*", number) or name not in {"", *NAMES}:
        msg = f"{told!r} is not a number from 0, or NAME=NUMBER of {', '.join(NAMES)}"
        raise click.BadParameter(msg)
    return name, float(number)


@click.command()
@click.argument("run", type=A_PATH)
@click.option("--targets", type=A_PATH, help="[[target]] tables in the place of the run's own.")
@JUNIT
@MARKDOWN
@JSON
def validate(
    run: Path, targets: Path | None, junit: Path | None, md: Path | None, as_json: bool
) -> None:
    """Judge RUN by its targets, from what is stored: PASS, FAIL, INCONCLUSIVE, NOT MEASURED."""
    from edgebench.workflow.gates import validate_run, write_reports

    found = validate_run(run, targets=targets)
    write_reports(found.report(), junit=junit, md=md)
    _show(found, as_json=as_json)


@click.command()
@click.argument("base", type=A_PATH)
@click.argument("new", type=A_PATH)
@click.option(
    *("--margin", "margins"),
    type=named_margin,
    multiple=True,
    metavar="[NAME=]SHARE",
    help="Smallest change that counts, 0.02 or 2%, of all but accuracy or of NAME. Default: "
    "latency and energy that of the runs, and never below what `device calibrate` found; "
    "error, size and memory 1%; accuracy 0%.",
)
@click.option(
    *("--floor", "floors"),
    type=named_floor,
    multiple=True,
    metavar="NAME=NUMBER",
    help="Nor does less than this count. Default: latency=0.0001 (ms), accuracy=0.5 (points), "
    "error=0, size=0.001 (MB), memory=0.25 (MB), energy=0.001 (mJ).",
)
@JUNIT
@MARKDOWN
@JSON
def compare(base: Path, new: Path, **options: Any) -> None:  # noqa: ANN401 - click's
    """Compare each cell of NEW with that of BASE: latency, accuracy, size, memory, energy."""
    from edgebench.results.quantities import Bounds
    from edgebench.workflow.gates import compare_runs, write_reports

    margins = dict(one for several in options["margins"] for one in several)
    found = compare_runs(base, new, Bounds(margins=margins, floors=dict(options["floors"])))
    write_reports(found.report(), junit=options["junit"], md=options["md"])
    _show(found, as_json=options["as_json"])


def _show(found: "Validation | RunsCompared", *, as_json: bool) -> None:
    """One JSON document, or the cases for a person; ends with the exit code."""
    from edgebench.cli.show import show_report

    if as_json:
        click.echo(json.dumps(found.document(), indent=1, allow_nan=False))
    else:
        show_report(found.report())
    if found.exit_code:
        click.get_current_context().exit(found.exit_code)
