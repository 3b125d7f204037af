"""`validate` and `compare`: what a pipeline asks of runs that are on disk."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edgebench.errors import ConfigError, NotDone
from edgebench.plan import A_TARGET, PlanVariant, Target, read_targets
from edgebench.results.gates import Report
from edgebench.results.quantities import Bounds
from edgebench.results.runs_compared import RunsCompared, Side, compare_sides
from edgebench.results.validation import Validation, unmade_cells, validate
from edgebench.results.writers import junit, verdicts
from edgebench.workflow.outcome import Outcome, floors_of, number_of, outcome_of, plan_of

# By kind of file, who writes it.
REPORTS: Final[Mapping[str, Callable[[Report, Path], None]]] = {
    "junit": junit.write,
    "md": verdicts.write,
}


def validate_run(folder: Path, *, targets: Path | None = None) -> Validation:
    """Judge a run, finished or not, by its plan's targets, or by those of a file.

    Raises:
        ConfigError: There are no targets, or they speak of nothing that the run has.
    """
    outcome = outcome_of(folder)
    plan = plan_of(outcome.run)
    variants = plan.variant if plan else ()
    devices = [device.name for device in plan.device] if plan else []
    cells = (*outcome.cells, *unmade_cells(outcome.run, variants, devices))
    wanted: tuple[Target, ...] = plan.target if plan else ()
    source = f"the plan of {outcome.run.name!r}"
    if targets is not None:
        wanted, source = read_targets(targets, _names(outcome, variants, devices)), str(targets)
    if not wanted:
        msg = f"{str(folder)!r} has no targets."
        raise ConfigError(msg, hint=f"Name a file with --targets. {A_TARGET}")
    rows = validate(wanted, cells, not_built=outcome.run.not_built, source=source)
    return Validation(run=str(folder), created=outcome.run.created, rows=rows)


def _names(
    outcome: Outcome, variants: tuple[PlanVariant, ...], devices: list[str]
) -> dict[str, list[str]]:
    """What a target may name in this run."""
    specs = [cell.spec for cell in outcome.cells]
    named = {
        "device": [*devices, *(spec.device for spec in specs)],
        "variant": [*(v.name for v in variants), *(spec.variant for spec in specs)],
        "scenario": [spec.scenario for spec in specs],
    }
    return {kind: list(dict.fromkeys(names)) for kind, names in named.items()}


def compare_runs(base: Path, new: Path, bounds: Bounds) -> RunsCompared:
    """Compare every cell of two runs, finished or not."""
    return compare_sides(_side(base), _side(new), bounds)


def _side(folder: Path) -> Side:
    outcome = outcome_of(folder)
    return Side(
        name=str(folder),
        document=outcome.run,
        cells=outcome.cells,
        margin_ratio=number_of(outcome.run.protocol, "margin_ratio"),
        floors=floors_of(outcome.run),
    )


def write_reports(report: Report, **files: Path | None) -> None:
    """Write a report in the formats of `REPORTS`, by their names.

    Raises:
        ConfigError: Nothing can be written there.
    """
    for kind, path in files.items():
        if path is None:
            continue
        try:
            REPORTS[kind](report, path)
        except NotDone as error:
            raise ConfigError(str(error), hint="Name another file, or make room there.") from error
