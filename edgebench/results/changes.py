"""How far a cell is from the same cell of another run, quantity by quantity."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydantic import JsonValue

from edgebench.core import Recorded
from edgebench.measure.comparison import Comparison, adjusted, differences, verdict_of
from edgebench.measure.intervals import Interval, exponential, mean_interval
from edgebench.measure.replication import blocks_to_decide
from edgebench.measure.unpaired import compare_runs_recorded, difference_of
from edgebench.results.cells import Cell
from edgebench.results.gates import Mark
from edgebench.results.quantities import QUANTITIES, Bounds

# What hangs on the conditions under which it was measured; a size and an accuracy do not.
OF_CONDITIONS: Final = frozenset({"memory", "energy"})
# A time is faster or slower; of everything else less is better.
WORDS: Final[Mapping[str, str]] = {"faster": "better", "slower": "worse"}
WORSE: Final = frozenset({"slower", "worse"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity of a cell in two runs.

    Attributes:
        quantity: One of `QUANTITIES`; `cell` where the cell as a whole is spoken of.
        verdict: See the README.
        base: In the quantity's unit, with its interval; None where BASE has no number.
        change: New over old; of an accuracy the points lost.
        margin: How far from 1, or from no point lost, it counts.
        comparison: Of a latency.
        why: What keeps it from a number or a verdict.
    """

    quantity: str
    verdict: str
    mark: Mark
    base: Interval | None = None
    new: Interval | None = None
    change: Interval | None = None
    margin: float | None = None
    comparison: Comparison | None = None
    why: str | None = None

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        known = QUANTITIES.get(self.quantity)
        compared = self.comparison
        return {
            "quantity": self.quantity,
            "unit": known.unit if known else None,
            "verdict": self.verdict,
            "mark": self.mark.value,
            **_interval_document("base", self.base),
            **_interval_document("new", self.new),
            **_interval_document("change", self.change),
            "margin": self.margin,
            "p": compared.p if compared else None,
            "p_holm": compared.p_holm if compared else None,
            "blocks_to_decide": blocks_to_decide(compared) if compared else None,
            "why": self.why,
        }


def _interval_document(name: str, interval: Interval | None) -> dict[str, JsonValue]:
    return {
        name: interval.value if interval else None,
        f"{name}_ci95": [interval.low, interval.high] if interval else None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A cell of two runs, with numbers in both.

    Attributes:
        margin_ratio: The wider of the margins of the two protocols.
        floor_ratio: The wider of the differences that the device showed between a model and itself.
        is_same_data: Whether the labelled data of the two runs are one.
    """

    base: Cell
    new: Cell
    margin_ratio: float
    floor_ratio: float
    is_same_data: bool

    @property
    def recorded(self) -> tuple[Recorded, Recorded]:
        """What was recorded of the new cell and of the old one."""
        if self.new.recorded is None or self.base.recorded is None:
            msg = "A pair needs what was recorded on both sides."
            raise ValueError(msg)
        return self.new.recorded, self.base.recorded


def changes_of(pair: Pair, bounds: Bounds) -> tuple[Change, ...]:
    """Every quantity that one of the two has."""
    return tuple(_changes(pair, bounds))


def _changes(pair: Pair, bounds: Bounds) -> Iterator[Change]:
    for name, quantity in QUANTITIES.items():
        base, new = quantity.value(pair.base), quantity.value(pair.new)
        if base is not None and new is not None:
            margin = _margin(name, pair, base, bounds)
            sides = Change(
                quantity=name, verdict="incomparable", mark=Mark.OPEN, base=base, new=new
            )
            yield _compared(pair, replace(sides, margin=margin), base, new)
        elif base is not None:
            reason = pair.new.missing.get(quantity.gap)
            why = f"NEW has none: {reason.value if reason else 'another metric'}"
            yield Change(quantity=name, verdict="not measured", mark=Mark.OPEN, base=base, why=why)
        elif new is not None:
            yield Change(
                quantity=name, verdict="new", mark=Mark.ASIDE, new=new, why="BASE has none"
            )


def _margin(name: str, pair: Pair, base: Interval, bounds: Bounds) -> float:
    """How far a change has to reach: beyond the share of the value, and beyond the floor."""
    share = bounds.margin_of(name, pair.margin_ratio, pair.floor_ratio)
    floor = bounds.floor_of(name)
    if name == "accuracy":
        return max(share * base.value, floor)
    return max(share, floor / base.value if base.value > 0 else math.inf)


def _compared(pair: Pair, sides: Change, base: Interval, new: Interval) -> Change:
    name, margin = sides.quantity, sides.margin or 0.0
    if name == "latency":
        ours, theirs = pair.recorded
        found = compare_runs_recorded(ours, theirs, margin_ratio=margin)
        return with_comparison(sides, found)
    change = CHANGES[name](pair, base, new)
    if change is None:
        return replace(sides, margin=None, why="BASE has no value that a ratio could be to")
    why = _incomparable(name, pair)
    if why:
        return replace(sides, change=change, why=why)
    start = _start(name)
    offset = Interval(value=change.value - start, low=change.low - start, high=change.high - start)
    verdict = verdict_of(offset, margin)
    mark = _mark(verdict, change, start + margin)
    return replace(sides, change=change, verdict=WORDS.get(verdict, verdict), mark=mark)


def with_comparison(change: Change, comparison: Comparison) -> Change:
    """A latency with its comparison, as it stands before or after Holm's method."""
    differs = ", ".join(comparison.differs)
    why = f"other conditions: {differs}" if differs else None
    mark = _mark(comparison.verdict, comparison.ratio, 1 + comparison.margin_ratio)
    if comparison.blocks < 2:
        # Within one launch there is no interval that would exclude anything.
        mark, why = Mark.OPEN, why or "one launch does not say how launches differ"
    return replace(
        change,
        verdict=comparison.verdict,
        mark=mark,
        change=comparison.ratio,
        comparison=comparison,
        why=why,
    )


def with_holm(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The latencies of one device with the verdicts that hold among all of them."""
    compared = [change.comparison for change in changes if change.comparison is not None]
    survivors = iter(adjusted(compared))
    return tuple(
        change if change.comparison is None else with_comparison(change, next(survivors))
        for change in changes
    )


def _mark(verdict: str, change: Interval, bound: float) -> Mark:
    """Where a regression can be excluded, it does not matter that the verdict is not sure."""
    if verdict in WORSE:
        return Mark.FAILED
    is_open = verdict == "incomparable" or (verdict == "inconclusive" and change.high > bound)
    return Mark.OPEN if is_open else Mark.PASSED


def _start(name: str) -> float:
    """What a change is where nothing has changed."""
    return 0.0 if name == "accuracy" else 1.0


def _incomparable(name: str, pair: Pair) -> str | None:
    ours, theirs = pair.recorded
    if name in OF_CONDITIONS and (found := differences(ours.measurement, theirs.measurement)):
        return f"other conditions: {', '.join(found)}"
    if name in {"accuracy", "error"}:
        return None if pair.is_same_data else "the labelled data are not the same"
    scopes = {cell.energy.scope for cell in (pair.base, pair.new) if cell.energy}
    if name == "energy" and len(scopes) > 1:
        return f"the meters do not see the same: {' and '.join(sorted(scopes))}"
    return None


def _paired(pair: Pair) -> Interval | None:
    """New less old, by the scores of each labelled sample; None where they cannot be paired."""
    ours, theirs = (recorded.scores for recorded in pair.recorded)
    if ours is None or theirs is None or len(ours) != len(theirs) or not pair.is_same_data:
        return None
    return mean_interval(np.asarray(ours) - np.asarray(theirs))


def _points(pair: Pair, base: Interval, new: Interval) -> Interval | None:
    """Points lost."""
    gained = _paired(pair)
    if gained is None:
        return difference_of(base, new)
    # From zero, for a zero with a sign before it would be shown with it.
    value, low, high = (0.0 - 100 * share for share in (gained.value, gained.high, gained.low))
    return Interval(value=value, low=low, high=high)


def _of_error(pair: Pair, base: Interval, new: Interval) -> Interval | None:
    return _over(base, _paired(pair) or difference_of(new, base))


def _of_size(pair: Pair, base: Interval, new: Interval) -> Interval | None:
    del pair
    return _over(base, difference_of(new, base))


def _of_memory(pair: Pair, base: Interval, new: Interval) -> Interval | None:
    """Its spreads are no intervals of a mean: both at their worst."""
    del pair
    value, low, high = new.value - base.value, new.low - base.high, new.high - base.low
    return _over(base, Interval(value=value, low=low, high=high))


def _over(base: Interval, difference: Interval) -> Interval | None:
    """A difference as a ratio to the old value, which stands for both sides."""
    if base.value <= 0:
        return None
    value, low, high = (
        1 + part / base.value for part in (difference.value, difference.low, difference.high)
    )
    return Interval(value=value, low=low, high=high)


def _of_energy(pair: Pair, base: Interval, new: Interval) -> Interval | None:
    """By the intervals that each of the two says of itself, on logs as they were taken."""
    del pair
    if min(base.low, new.low) <= 0:
        return None
    ours, theirs = (
        Interval(value=math.log(side.value), low=math.log(side.low), high=math.log(side.high))
        for side in (new, base)
    )
    return exponential(difference_of(ours, theirs))


# Of everything but a latency: from both cells and their values to what has changed.
CHANGES: Final[Mapping[str, Callable[[Pair, Interval, Interval], Interval | None]]] = {
    "accuracy": _points,
    "error": _of_error,
    "size": _of_size,
    "memory": _of_memory,
    "energy": _of_energy,
}
