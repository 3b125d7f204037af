"""Two runs, cell by cell: what has become worse, and what nobody can tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from pydantic import JsonValue

from edgebench.core import Reason
from edgebench.measure.replication import blocks_to_decide
from edgebench.results.cells import Cell
from edgebench.results.changes import Change, Pair, changes_of, with_holm
from edgebench.results.gaps import HIDDEN
from edgebench.results.gates import Case, Mark, Report, exit_code_of, subject_of
from edgebench.results.quantities import QUANTITIES, Bounds
from edgebench.results.store import CellSpec, RunDocument
from edgebench.results.surroundings import Difference, differences_of

# Of the device or of the run, and not of what was measured: such a cell did not become worse.
PASSING: Final = frozenset({Reason.NOT_MEASURED, Reason.DEVICE_LOST, Reason.NO_SPACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two runs.

    Attributes:
        floors: By device, the difference that it shows between a model and itself.
    """

    name: str
    document: RunDocument
    cells: tuple[Cell, ...]
    margin_ratio: float
    floors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCell:
    """A cell that one of the runs has, or both."""

    spec: CellSpec
    changes: tuple[Change, ...]

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        names = ("key", "variant", "format", "device", "runtime", "threads", "accelerator")
        told = asdict(self.spec)
        return {
            **{name: told[name] for name in (*names, "scenario")},
            "changes": [change.document() for change in self.changes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsCompared:
    """Two runs, cell by cell."""

    base: str
    new: str
    created: str
    differences: tuple[Difference, ...]
    cells: tuple[ComparedCell, ...]

    @property
    def exit_code(self) -> int:
        """0 nothing became worse, 1 something did, 3 something could not be told."""
        return exit_code_of([change.mark for cell in self.cells for change in cell.changes])

    def document(self) -> dict[str, JsonValue]:
        """What `--json` prints."""
        return {
            "schema": "edgebench.comparison/1",
            "base": self.base,
            "new": self.new,
            "exit_code": self.exit_code,
            "differences": [difference.document() for difference in self.differences],
            "cells": [cell.document() for cell in self.cells],
        }

    def report(self) -> Report:
        """The same for a person or a pipeline."""
        return Report(
            command="compare",
            title=f"{self.base} -> {self.new}",
            created=self.created,
            cases=tuple(_case(cell.spec, c) for cell in self.cells for c in cell.changes),
            notes=tuple(str(difference) for difference in self.differences),
        )


def compare_sides(base: Side, new: Side, bounds: Bounds) -> RunsCompared:
    """Every cell of two runs, matched by all that its key is made of."""
    matched = _matched(base.cells, new.cells)
    cells = [_compared(old, now, (base, new), bounds) for old, now in matched]
    return RunsCompared(
        base=base.name,
        new=new.name,
        created=new.document.created,
        differences=differences_of(
            base.document, new.document, [(o, n) for o, n in matched if o and n]
        ),
        cells=_adjusted(cells),
    )


def _matched(base: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[Cell | None, Cell | None]]:
    """Pairs in the order of the new run, then what only the old one has."""
    left = {_identity(cell.spec): cell for cell in base}
    pairs: list[tuple[Cell | None, Cell | None]] = [
        (left.pop(_identity(cell.spec), None), cell) for cell in new
    ]
    # Where no runtime was found on the device, none stands in the key.
    for number, (old, now) in enumerate(pairs):
        if old is None and now is not None and (key := _without_runtime(now.spec, left)):
            pairs[number] = (left.pop(key), now)
    return [*pairs, *((cell, None) for cell in left.values())]


Identity = tuple[str, str, str, int, str, str, str | None]


def _identity(spec: CellSpec) -> Identity:
    runtime = None if spec.runtime == "none" else spec.runtime
    place = (spec.device, spec.threads, spec.accelerator, spec.scenario)
    return (spec.variant, spec.format, *place, runtime)


def _without_runtime(spec: CellSpec, left: Mapping[Identity, Cell]) -> Identity | None:
    own = _identity(spec)
    alike = (key for key in left if key[:-1] == own[:-1] and None in {key[-1], own[-1]})
    return next(alike, None)


def _compared(
    old: Cell | None, now: Cell | None, sides: tuple[Side, Side], bounds: Bounds
) -> ComparedCell:
    base, new = sides
    if now is None or old is None or old.status in HIDDEN or now.status in HIDDEN:
        known = now or old
        if known is None:
            msg = "A cell is of one run at least."
            raise ValueError(msg)
        return ComparedCell(spec=known.spec, changes=(_as_a_whole(old, now, new.document),))
    device = now.spec.device
    pair = Pair(
        base=old,
        new=now,
        margin_ratio=max(base.margin_ratio, new.margin_ratio),
        floor_ratio=max(side.floors.get(device, 0.0) for side in sides),
        is_same_data=base.document.data_sha256 == new.document.data_sha256,
    )
    return ComparedCell(spec=now.spec, changes=changes_of(pair, bounds))


def _as_a_whole(old: Cell | None, now: Cell | None, new: RunDocument) -> Change:
    """What is to be said of a cell that has no numbers in one of the runs."""
    if now is None:
        return _gone(old, new)
    if now.status not in HIDDEN:
        verdict, mark = ("new", Mark.ASIDE) if old is None else ("works now", Mark.PASSED)
        return Change(quantity="cell", verdict=verdict, mark=mark)
    why = _why(now)
    if old is None:
        return Change(quantity="cell", verdict="new", mark=Mark.ASIDE, why=why)
    if _may_pass(now):
        return Change(quantity="cell", verdict="not measured", mark=Mark.OPEN, why=why)
    if old.status in HIDDEN:
        return Change(
            quantity="cell", verdict="incomparable", mark=Mark.OPEN, why=f"{why}, as in BASE"
        )
    return Change(quantity="cell", verdict="fails now", mark=Mark.FAILED, why=why)


def _may_pass(cell: Cell) -> bool:
    """Whether it is hidden for what is of the device: what spoilt it while it was measured, too."""
    measurement = cell.measurement
    if measurement is None or measurement.status not in HIDDEN:
        return True
    return bool(PASSING.intersection(measurement.reasons))


def _gone(old: Cell | None, new: RunDocument) -> Change:
    unmade = new.not_built.get(f"{old.spec.variant}.{old.spec.format}") if old else None
    if unmade is not None and old is not None and old.status not in HIDDEN:
        why = f"{unmade[0].value}: {unmade[1]}"
        return Change(quantity="cell", verdict="fails now", mark=Mark.FAILED, why=why)
    why = "NEW has no such cell" if unmade is None else f"{unmade[0].value}: {unmade[1]}"
    return Change(quantity="cell", verdict="missing", mark=Mark.OPEN, why=why)


def _why(cell: Cell) -> str:
    reasons = ", ".join(reason.value for reason in cell.reasons) or cell.status.value
    error = cell.measurement.error if cell.measurement else None
    return f"{cell.status.value}: {reasons}" + (f": {error}" if error else "")


def _adjusted(cells: Sequence[ComparedCell]) -> tuple[ComparedCell, ...]:
    """With the verdicts on latencies that hold among all cells of their device."""
    found: dict[int, ComparedCell] = {}
    for device in dict.fromkeys(cell.spec.device for cell in cells):
        here = [n for n, cell in enumerate(cells) if cell.spec.device == device]
        settled = iter(with_holm([change for n in here for change in cells[n].changes]))
        for n in here:
            changes = tuple(next(settled) for _ in cells[n].changes)
            found[n] = replace(cells[n], changes=changes)
    return tuple(found[n] for n in range(len(cells)))


def _case(spec: CellSpec, change: Change) -> Case:
    return Case(
        device=spec.device,
        subject=subject_of(spec),
        what=change.quantity,
        value=_value(change),
        verdict=change.verdict,
        mark=change.mark,
        words=tuple(_words(change)),
    )


def _value(change: Change) -> str:
    """`5.21 -> 5.34 ms, 1.02x [1.01, 1.04]`; of one run alone its value."""
    if change.base is None and change.new is None:
        return "—"
    unit = QUANTITIES[change.quantity].unit
    sides = (f"{side.value:.4g}" if side else "—" for side in (change.base, change.new))
    value = f"{' -> '.join(sides)} {unit}".rstrip()
    if change.change is None:
        return value
    ends = f"[{change.change.low:.3g}, {change.change.high:.3g}]"
    if change.quantity == "accuracy":
        return f"{value}, {change.change.value:+.2g} lost {ends}"
    return f"{value}, {change.change.value:.3g}x {ends}"


def _words(change: Change) -> Iterator[str]:
    if change.why:
        yield change.why
    if change.margin is None or change.mark is Mark.ASIDE:
        return
    margin = f"{100 * change.margin:.2g} %"
    if change.quantity == "accuracy":
        margin = f"{change.margin:.2g} points"
    if change.mark is Mark.FAILED:
        yield f"all of the interval lies beyond {margin}"
    elif change.verdict == "inconclusive" and change.mark is Mark.OPEN:
        yield f"a change for the worse by more than {margin} cannot be excluded"
        blocks = blocks_to_decide(change.comparison) if change.comparison else None
        if blocks:
            yield f"some {blocks} more blocks in each run likely decide it"
