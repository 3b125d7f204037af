"""What is compared of two runs, and from where on a difference is a regression."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edgebench.measure.intervals import Interval
from edgebench.results.cells import Cell
from edgebench.results.targets import MEASURES
from edgebench.units import ms_from_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something of a cell of which less is better, but for an accuracy.

    Attributes:
        margin_ratio: Smallest difference that counts, as a share of the value in BASE; None for
            that of the runs: the wider of their protocols' `margin_ratio`.
        floor: Smallest difference that counts, in its own unit.
        gap: What `Cell.missing` calls it.
    """

    unit: str
    margin_ratio: float | None
    floor: float
    gap: str
    value: Callable[[Cell], Interval | None]


def _latency(cell: Cell) -> Interval | None:
    if cell.latency is None:
        return None
    p50 = cell.latency.p50
    low, high = ms_from_ns(p50.low), ms_from_ns(p50.high)
    return Interval(value=ms_from_ns(p50.value), low=low, high=high)


def _accuracy(kind: str, factor: float) -> Callable[[Cell], Interval | None]:
    def value(cell: Cell) -> Interval | None:
        accuracy = cell.measurement.accuracy if cell.measurement else None
        if accuracy is None or accuracy.kind != kind:
            return None
        low, high = (factor * bound for bound in accuracy.ci95)
        return Interval(value=factor * accuracy.value, low=low, high=high)

    return value


# What nobody ships for, or what moves by itself: a read of the clock, names and dates in a file, a
# step of an allocator, a microjoule.
QUANTITIES: Final[Mapping[str, Quantity]] = {
    "latency": Quantity(unit="ms", margin_ratio=None, floor=0.0001, gap="latency", value=_latency),
    "accuracy": Quantity(
        unit="points", margin_ratio=0.0, floor=0.5, gap="accuracy", value=_accuracy("share", 100.0)
    ),
    "error": Quantity(
        unit="", margin_ratio=0.01, floor=0.0, gap="accuracy", value=_accuracy("error", 1.0)
    ),
    "size": Quantity(
        unit="MB", margin_ratio=0.01, floor=0.001, gap="size_bytes", value=MEASURES["size_mb"]
    ),
    "memory": Quantity(
        unit="MB", margin_ratio=0.01, floor=0.25, gap="memory", value=MEASURES["model_memory_mb"]
    ),
    "energy": Quantity(
        unit="mJ", margin_ratio=None, floor=0.001, gap="energy", value=MEASURES["energy_mj"]
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From where on a difference counts, as the user asks for it in place of the defaults.

    Attributes:
        margins: By quantity, shares of the value in BASE.
        floors: By quantity, in its own unit.
    """

    margins: Mapping[str, float]
    floors: Mapping[str, float]

    def margin_of(self, name: str, runs_ratio: float, floor_ratio: float) -> float:
        """The margin of a quantity as a share of its value in BASE.

        Args:
            runs_ratio: That of the two runs.
            floor_ratio: What the device shows between a model and itself; no margin of a time or
                an energy is below it.
        """
        own = QUANTITIES[name].margin_ratio
        margin = self.margins.get(name, runs_ratio if own is None else own)
        return max(margin, floor_ratio) if own is None else margin

    def floor_of(self, name: str) -> float:
        """The floor of a quantity in its own unit."""
        return self.floors.get(name, QUANTITIES[name].floor)
