"""What a run came to: its cells, its verdicts, and the exit code that a pipeline reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from edgebench.core import Status
from edgebench.errors import ConfigError
from edgebench.plan import Plan, plan_from
from edgebench.results.cells import Cell, cell_document, read_cells
from edgebench.results.export import export, writer_of
from edgebench.results.files import written
from edgebench.results.frames import Readable, Tables
from edgebench.results.ship import Advice, advise
from edgebench.results.store import RunDocument, read_all, read_run
from edgebench.results.targets import Checked, Verdict, check_targets
from edgebench.results.writers import csv, markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run as it stands on disk, read."""

    folder: Path
    run: RunDocument
    cells: tuple[Cell, ...]
    checked: tuple[Checked, ...]
    advice: tuple[Advice, ...]

    @property
    def exit_code(self) -> int:
        """0 all was measured and every target holds, 1 a target failed, 3 something is missing."""
        if any(c.verdict is Verdict.FAIL for c in self.checked):
            return 1
        is_open = any(c.verdict is not Verdict.PASS for c in self.checked)
        is_bad = any(c.status not in {Status.OK, Status.SUSPECT} for c in self.cells)
        is_short = bool(self.run.not_built or self.run.lost) or not self.run.finished
        return 3 if is_open or is_bad or is_short else 0

    def document(self) -> dict[str, JsonValue]:
        """What `--json` prints."""
        return {
            "schema": self.run.schema,
            "run": str(self.folder),
            "exit_code": self.exit_code,
            "cells": [cell_document(cell) for cell in self.cells],
            "targets": [checked.document() for checked in self.checked],
            "not_built": {
                name: {"reason": reason.value, "error": error}
                for name, (reason, error) in self.run.not_built.items()
            },
            "lost": dict(self.run.lost),
            "ship": {
                advice.device: {
                    "cell": advice.cell.spec.key if advice.cell else None,
                    "why": advice.why,
                }
                for advice in self.advice
            },
        }


def outcome_of(folder: Path) -> Outcome:
    """Read a run; statistics and verdicts are computed from its raw samples, each time anew."""
    run = read_run(folder)
    margin_ratio = number_of(run.protocol, "margin_ratio")
    cells = read_cells(
        run.cells,
        read_all(folder, run),
        margin_ratio=margin_ratio,
        ci_ratio=number_of(run.protocol, "ci_ratio"),
        floors=floors_of(run),
    )
    plan = plan_of(run)
    checked = check_targets(plan.target, cells) if plan else ()
    # Files that `bench` measures may be of different models, and nobody said what they are to do.
    advice = advise(cells, checked, margin_ratio=margin_ratio) if plan else ()
    return Outcome(folder=folder, run=run, cells=cells, checked=checked, advice=advice)


def readable(outcome: Outcome) -> Readable:
    """The run as the writers of tables take it."""
    return Readable(
        name=outcome.folder.resolve().name,
        document=outcome.run,
        cells=outcome.cells,
        checked=outcome.checked,
        advice=outcome.advice,
    )


def write_tables(outcome: Outcome) -> None:
    """Put `table.csv` and `table.md` into the run's folder, of this run alone."""
    tables = Tables([readable(outcome)])
    with written(outcome.folder / "table.csv") as file:
        csv.write_table(tables.cells, file)
    markdown.write(tables, str(outcome.folder / "table.md"))


def export_runs(folders: Sequence[Path], target: str) -> list[str]:
    """Write runs to a file or a database; says what was written.

    Raises:
        ConfigError: The target or a run is wrong, or two runs have one name: then nothing was
            written.
    """
    writer_of(target)
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        if other := found.get(folder.name):
            msg = f"{str(other)!r} and {str(folder)!r} have the same name, by which runs are kept."
            raise ConfigError(msg, hint="Rename the folder of one of them.")
        found[folder.name] = folder
    return export([readable(outcome_of(folder)) for folder in found.values()], target)


def plan_of(run: RunDocument) -> Plan | None:
    """The plan of a run; None for `bench`, which has none."""
    if run.command == "bench":
        return None
    return plan_from(run.plan, source=f"the plan of {run.name!r}")


def floors_of(run: RunDocument) -> dict[str, float]:
    """By device, the difference that it shows between a model and itself, where it is known."""
    found: dict[str, float] = {}
    for name, told in run.devices.items():
        facts = told.get("facts")
        floor = facts.get("noise_floor_ratio") if isinstance(facts, Mapping) else None
        if isinstance(floor, float):
            found[name] = floor
    return found


def number_of(document: Mapping[str, Any], key: str) -> float:
    """A number of the protocol; raises ConfigError where there is none."""
    value = document.get(key)
    if not isinstance(value, (int, float)):
        msg = f"run.json: `protocol.{key}` is {value!r}."
        raise ConfigError(msg)
    return value
