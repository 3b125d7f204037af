"""The variant to take instead of one that does not hold a limit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from edgebench.results.cells import Cell
from edgebench.results.gates import subject_of
from edgebench.results.targets import Checked, Verdict, judge_cell, measured_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """A cell of the same device whose variant holds all targets that speak of it.

    Attributes:
        value: Of what the failing one was limited in.
        losses: By how much it takes more of whatever else is limited, in the limit's unit.
    """

    cell: Cell
    value: float
    losses: Mapping[str, float]

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        spec = self.cell.spec
        return {
            "key": spec.key,
            "variant": spec.variant,
            "format": spec.format,
            "threads": spec.threads,
            "accelerator": spec.accelerator,
            "value": self.value,
            "losses": dict(self.losses),
        }

    def __str__(self) -> str:
        losses = ", ".join(f"{loss:+.3g} {name}" for name, loss in self.losses.items())
        cost = f"at the cost of {losses}" if losses else "which costs nothing that is limited"
        return f"{subject_of(self.cell.spec)} with {self.value:.4g}, {cost}"


def nearest_of(
    failing: Checked, checked: Sequence[Checked], cells: Mapping[str, Cell]
) -> Nearest | None:
    """Of the variants that pass, on the same device, the one that loses least; None without one.

    A loss is measured in shares of its limit, an accuracy at least in points; what is gained does
    not count against what is lost. A variant counts as passing where all its targets hold, in every
    scenario, and the limit that this one does not hold, whether it speaks of the variant or not.
    """
    limits = _limits(failing.device, checked)
    found = [
        (_distance(cell, cells[failing.key], limits), interval.value, cell)
        for cell in _passing(failing, checked, cells)
        if (interval := measured_of(cell, failing.target)) is not None
    ]
    if not found:
        return None
    _, value, cell = min(found, key=lambda one: one[:2])
    losses = dict(_losses(cell, cells[failing.key], limits))
    return Nearest(cell=cell, value=value, losses=losses)


def _passing(
    failing: Checked, checked: Sequence[Checked], cells: Mapping[str, Cell]
) -> Iterator[Cell]:
    here = [c for c in checked if c.device == failing.device]
    bad = {_form(cells[c.key]) for c in here if c.verdict is not Verdict.PASS}
    for key in dict.fromkeys(c.key for c in here if c.scenario == failing.scenario):
        cell = cells[key]
        holds = judge_cell(cell, failing.target, failing.limit) is Verdict.PASS
        if holds and _form(cell) not in bad:
            yield cell


def _form(cell: Cell) -> tuple[str, str, str | None, int, str]:
    spec = cell.spec
    return spec.variant, spec.format, spec.runtime, spec.threads, spec.accelerator


def _limits(device: str, checked: Sequence[Checked]) -> dict[str, float]:
    """Of each limit of the device the narrowest."""
    found: dict[str, float] = {}
    for c in checked:
        if c.device == device:
            found[c.target] = min(c.limit, found.get(c.target, c.limit))
    return found


def _losses(cell: Cell, failing: Cell, limits: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for name in limits:
        ours, theirs = measured_of(cell, name), measured_of(failing, name)
        if ours is not None and theirs is not None and ours.value > theirs.value:
            yield name, ours.value - theirs.value


def _distance(cell: Cell, failing: Cell, limits: Mapping[str, float]) -> float:
    return sum(
        loss / (max(abs(limits[name]), 1.0) if name.endswith("_points") else limits[name])
        for name, loss in _losses(cell, failing, limits)
    )
