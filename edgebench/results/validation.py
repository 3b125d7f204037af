"""Targets x variants x devices of a run, from what is stored of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pydantic import JsonValue

from edgebench.core import Reason
from edgebench.errors import ConfigError
from edgebench.measure.reasons import REMEDIES
from edgebench.plan import PlanVariant, Target
from edgebench.results.cells import Cell, read_cells
from edgebench.results.gates import Case, Mark, Report, exit_code_of, subject_of
from edgebench.results.nearest import Nearest, nearest_of
from edgebench.results.store import CellSpec, RunDocument
from edgebench.results.targets import Checked, Verdict, check_targets
from edgebench.results.undecided import Undecided, undecided_of

MARKS: Mapping[Verdict, Mark] = {
    Verdict.PASS: Mark.PASSED,
    Verdict.FAIL: Mark.FAILED,
    Verdict.INCONCLUSIVE: Mark.OPEN,
    Verdict.NOT_MEASURED: Mark.OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """One limit on one cell, and what follows from it.

    Attributes:
        reason: Why there is no number; None where there is one.
        error: What was said of it when it was measured or made.
        undecided: What would decide it; None but for what is inconclusive.
        nearest: Which variant of the device passes instead; None where it passes, where there is
            no number, and where none does.
    """

    spec: CellSpec
    checked: Checked
    reason: Reason | None = None
    error: str | None = None
    undecided: Undecided | None = None
    nearest: Nearest | None = None

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        return {
            **self.checked.document(),
            "reason": self.reason.value if self.reason else None,
            "error": self.error,
            "blocks_to_decide": self.undecided.blocks if self.undecided else None,
            "undecided": self.undecided.why if self.undecided else None,
            "nearest": self.nearest.document() if self.nearest else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """All limits of a run."""

    run: str
    created: str
    rows: tuple[Validated, ...]

    @property
    def exit_code(self) -> int:
        """0 every target holds, 1 one fails, 3 one could not be told."""
        return exit_code_of([MARKS[row.checked.verdict] for row in self.rows])

    def document(self) -> dict[str, JsonValue]:
        """What `--json` prints."""
        return {
            "schema": "edgebench.validation/1",
            "run": self.run,
            "exit_code": self.exit_code,
            "targets": [row.document() for row in self.rows],
        }

    def report(self) -> Report:
        """The same for a person or a pipeline."""
        return Report(
            command="validate",
            title=self.run,
            created=self.created,
            cases=tuple(_case(row) for row in self.rows),
        )


def validate(
    targets: Sequence[Target],
    cells: Sequence[Cell],
    *,
    not_built: Mapping[str, tuple[Reason, str]],
    source: str,
) -> tuple[Validated, ...]:
    """Judge every limit on every cell that it speaks of, those that are missing too.

    Args:
        not_built: Reason and words of each variant that could not be made, by `name.format`.
        source: Where the targets stand, for errors.

    Raises:
        ConfigError: A target speaks of no cell at all, and would hold whatever was measured.
    """
    for number, target in enumerate(targets):
        if not check_targets([target], cells):
            msg = f"{source}: `target[{number}]` speaks of no cell of this run."
            hint = "A latency is none of `offline`; see the formats, devices and scenarios it has."
            raise ConfigError(msg, hint=hint)
    checked = check_targets(targets, cells)
    by_key = {cell.spec.key: cell for cell in cells}
    return tuple(_validated(c, by_key, checked, not_built) for c in checked)


def unmade_cells(
    run: RunDocument, variants: Sequence[PlanVariant], devices: Sequence[str]
) -> tuple[Cell, ...]:
    """The cells that a plan asks for and a run does not have: not built, or not reached yet.

    On each device as the run's other cells are; in the format `any` where none is known.
    """
    known = {name for name, *_ in _forms(run)}
    forms = [tuple(key.rpartition(".")[::2]) for key in run.not_built]
    forms += [(v.name, "any") for v in variants if v.name not in known]
    wanted = {variant.name for variant in variants}
    specs = [
        spec
        for device, (variant, form) in product(devices, forms)
        if variant in wanted
        for spec in _like_others(run, device, variant, form)
    ]
    made = {(cell.device, cell.variant, cell.format) for cell in run.cells}
    absent = [spec for spec in specs if (spec.device, spec.variant, spec.format) not in made]
    return read_cells(absent, {}, margin_ratio=0.0, ci_ratio=0.0)


def _forms(run: RunDocument) -> set[tuple[str, str]]:
    built = {(cell.variant, cell.format) for cell in run.cells}
    return built | {(name, form) for name, _, form in (k.rpartition(".") for k in run.not_built)}


def _like_others(run: RunDocument, device: str, variant: str, form: str) -> list[CellSpec]:
    there = [cell for cell in run.cells if cell.device == device]
    alike = [cell for cell in there if cell.format == form] or there
    asked = dict.fromkeys((cell.threads, cell.accelerator, cell.scenario) for cell in alike)
    return [
        CellSpec(
            key=f"{variant}.{form}.{device}.none.t{threads}.{accelerator}.{scenario}",
            variant=variant,
            format=form,
            device=device,
            runtime=None,
            threads=threads,
            accelerator=accelerator,
            scenario=scenario,
        )
        for threads, accelerator, scenario in asked or [(1, "cpu", "single")]
    ]


def _validated(
    checked: Checked,
    cells: Mapping[str, Cell],
    all_checked: Sequence[Checked],
    not_built: Mapping[str, tuple[Reason, str]],
) -> Validated:
    cell = cells[checked.key]
    verdict = checked.verdict
    reason = error = None
    if verdict is Verdict.NOT_MEASURED:
        told = cell.measurement.error if cell.measurement else None
        unmade = not_built.get(f"{checked.variant}.{checked.format}")
        is_unmade = cell.measurement is None and unmade is not None
        reason, error = unmade if is_unmade and unmade else (_reason(cell, checked.target), told)
    is_open = verdict is Verdict.INCONCLUSIVE
    return Validated(
        spec=cell.spec,
        checked=checked,
        reason=reason,
        error=error,
        undecided=undecided_of(cell, checked) if is_open else None,
        nearest=nearest_of(checked, all_checked, cells)
        if is_open or verdict is Verdict.FAIL
        else None,
    )


# By a target, which gaps of a cell explain that it has no number, the narrowest first.
GAPS: Mapping[str, tuple[str, ...]] = {
    "latency_p50_ms": ("latency",),
    "latency_p90_ms": ("latency_p90", "latency"),
    "latency_p99_ms": ("latency_p99", "latency"),
    "accuracy_drop_points": ("accuracy_drop_points", "accuracy", "vs_reference"),
    "model_memory_mb": ("memory",),
    "energy_mj": ("energy",),
    "size_mb": ("size_bytes",),
}


def _reason(cell: Cell, target: str) -> Reason:
    known = [cell.missing[name] for name in GAPS[target] if name in cell.missing]
    return (known or list(cell.reasons) or [Reason.NOT_MEASURED])[0]


def _case(row: Validated) -> Case:
    checked = row.checked
    value = "—"
    if checked.value is not None and checked.ci95 is not None:
        value = f"{checked.value:.4g} [{checked.ci95[0]:.4g}, {checked.ci95[1]:.4g}]"
    return Case(
        device=checked.device,
        subject=subject_of(row.spec),
        what=f"{checked.target} <= {checked.limit:g}",
        value=value,
        verdict=checked.verdict.value,
        mark=MARKS[checked.verdict],
        words=_words(row, value),
    )


def _words(row: Validated, value: str) -> tuple[str, ...]:
    verdict = row.checked.verdict
    if verdict is Verdict.PASS:
        return ()
    if row.reason is not None:
        error = (row.error,) if row.error else ()
        return (f"not measured: {row.reason.value}", *error, REMEDIES[row.reason])
    limit = f"{row.checked.limit:g}"
    nearest = "no variant of this device passes all of its targets"
    if row.nearest is not None:
        nearest = f"nearest that passes: {row.nearest}"
    if row.undecided is None:
        return (f"{value} is above {limit}", nearest)
    return (f"{value} has {limit} in it; {row.undecided}", nearest)
