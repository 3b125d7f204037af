"""The answer of a place: what to ship, with what numbers, and how sure that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgebench.core import Status
from edgebench.results.report.contents import Place, because, interval_of, names_of
from edgebench.results.report.digest import CellDigest
from edgebench.results.report.trade import COSTS, cost_of
from edgebench.results.targets import Verdict
from edgebench.units import show_size


@dataclass(frozen=True, slots=True)
class Tile:
    """One number, with its interval or what it is against."""

    label: str
    value: str
    range: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A line below the numbers."""

    kind: Literal["good", "bad", "doubt", "plain"]
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The answer of one place.

    Attributes:
        name: What to ship; None where nothing is advised, for which `instead` has the words.
    """

    place: str
    name: str | None
    instead: str
    why: str
    tiles: tuple[Tile, ...]
    lines: tuple[Remark, ...]


def card_of(here: Place) -> Card:
    """The answer of a place."""
    if here.advice is None:
        return Card(
            place=here.title,
            name=None,
            instead="measured, and nothing advised",
            why="`bench` measures files as they are; what they are to do, only a plan says.",
            tiles=(),
            lines=(),
        )
    cell = here.advised
    return Card(
        place=here.title,
        name=dict(zip([c.key for c in here.cells], names_of(here.cells), strict=True))[cell.key]
        if cell
        else None,
        instead="ship nothing of this",
        why=f"Because: {here.advice.why}.",
        tiles=tuple(_tiles(cell)) if cell else (),
        lines=(*_targets(here, cell), *([_trust(cell)] if cell else [])),
    )


def _tiles(cell: CellDigest) -> Iterator[Tile]:
    latency = interval_of(cell, "latency_p50", "ms")
    if latency is not None:
        yield Tile("latency p50", f"{latency.value:.3g} ms", _range(latency.low, latency.high))
    ratio = interval_of(cell, "latency_ratio")
    if ratio is not None:
        verdict = cell.text("latency_verdict").replace("_", " ")
        told = f"{_range(ratio.low, ratio.high)} {verdict}"
        yield Tile("time, of the reference", f"{ratio.value:.3g}x", told)
    size, share = cell.number("size_bytes"), cell.number("size_ratio")
    if size is not None:
        yield Tile("size", show_size(int(size)), f"{share:.3g}x the reference" if share else "")
    lost = interval_of(cell, "accuracy_drop", "points")
    accuracy = interval_of(cell, "accuracy")
    if lost is not None:
        told = f"[{lost.low:+.1f}, {lost.high:+.1f}] of {cell.shown['accuracy %']} %"
        yield Tile("accuracy lost", f"{lost.value:+.1f} points", told)
    elif accuracy is not None:
        yield Tile("accuracy", cell.shown["accuracy %"], cell.text("accuracy_metric"))
    memory = cost_of(cell, COSTS[2])
    if memory is not None:
        yield Tile(
            "memory of the model", f"{memory.value:.1f} MB", f"±{memory.high - memory.value:.1f}"
        )
    energy = interval_of(cell, "energy_gross", "mj")
    if energy is not None:
        told = f"{_range(energy.low, energy.high)} {cell.text('energy_scope')}"
        yield Tile("energy", f"{energy.value:.3g} mJ", told)


def _range(low: float, high: float) -> str:
    return f"[{low:.3g}, {high:.3g}]"


def _targets(here: Place, cell: CellDigest | None) -> Iterator[Remark]:
    """Which targets hold, of the form that is advised, or of none."""
    if not here.targets:
        yield Remark("plain", "Targets:", "the plan sets none for this device.")
        return
    if cell is None:
        names = dict.fromkeys(f"{c.target} ≤ {c.limit:g}" for c in here.targets)
        yield Remark("bad", "Targets:", f"no form holds all of {', '.join(names)}.")
        return
    own = [c for c in here.targets if c.key == cell.key]
    held = [f"{c.target} ≤ {c.limit:g}" for c in own if c.verdict is Verdict.PASS]
    others = [
        f"{c.verdict.value} {c.target} ≤ {c.limit:g}" for c in own if c.verdict is not Verdict.PASS
    ]
    if others:
        yield Remark("bad", "Targets:", "; ".join(others) + ".")
    if held:
        yield Remark("good", "Targets that hold:", ", ".join(held) + ".")
    if not own:
        yield Remark("plain", "Targets:", "the plan sets none for this form.")


def _trust(cell: CellDigest) -> Remark:
    """How sure it is."""
    count = cell.number("latency_processes")
    launches = f"{count:.0f} launches" if count else "no launches"
    if cell.text("status") == Status.OK:
        text = f"95 % intervals over {launches}; nothing disturbed them."
        return Remark("good", "How sure:", text)
    words = " ".join(because(reason) for reason in cell.text("reasons").split())
    return Remark("doubt", "How sure:", f"95 % intervals over {launches}, with a doubt. {words}")
