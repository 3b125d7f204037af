"""What a report is of: the places that were measured, and the cells that count there.

A place is a model on a device. Of several runs there the newest counts, and gives the answer; the
cells of the others stand in the table of all cells, and in the trend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from edgebench.core import Status
from edgebench.measure.intervals import Interval
from edgebench.measure.reasons import REMEDIES
from edgebench.results.report.digest import AdviceDigest, CellDigest, RunDigest
from edgebench.results.targets import Checked

SHOWN: Final = frozenset({Status.OK.value, Status.SUSPECT.value})
# So much of a name fits an axis; tables have the whole of it.
LABEL: Final = 22

_REMEDIES: Final[Mapping[str, str]] = {r.value: words for r, words in REMEDIES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A model on a device, as its newest run has it.

    Attributes:
        title: The device, and the model where the report has several.
        advice: None for `bench`, where nobody said what the files are to do.
        first: Number of its first cell among all that count.
    """

    title: str
    device: str
    run: RunDigest
    cells: tuple[CellDigest, ...]
    advice: AdviceDigest | None
    targets: tuple[Checked, ...]
    first: int

    @property
    def advised(self) -> CellDigest | None:
        """What to ship here."""
        keys = {cell.key: cell for cell in self.cells}
        return keys.get(self.advice.key or "") if self.advice else None

    @property
    def floor_ratio(self) -> float:
        """What the device shows of a cell against itself, where it was calibrated; else nothing."""
        facts = self.run.devices.get(self.device, {}).get("facts")
        told = facts.get("noise_floor_ratio") if isinstance(facts, Mapping) else None
        return float(told) if isinstance(told, (int, float)) else 0.0


@dataclass(frozen=True)
class Contents:
    """The runs of a report, the newest first."""

    runs: Sequence[RunDigest]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every model on every device."""
        found: list[Place] = []
        taken: set[tuple[str, str]] = set()
        is_single = len({run.models for run in self.runs}) == 1
        for run in self.runs:
            for device in dict.fromkeys(_device(cell) for cell in run.cells):
                if (run.models, device) in taken or not _is_measured(run, device):
                    continue
                taken.add((run.models, device))
                title = device if is_single else f"{device}, {run.models}"
                first = sum(len(place.cells) for place in found)
                found.append(_place(run, device, title, first))
        return tuple(found)

    @cached_property
    def cells(self) -> tuple[tuple[Place, CellDigest], ...]:
        """Every cell that counts, with its place, in the order of their numbers."""
        return tuple((place, cell) for place in self.places for cell in place.cells)

    def runs_of(self, place: Place) -> list[RunDigest]:
        """The runs of a place, the oldest first."""
        runs = [run for run in self.runs if run.models == place.run.models]
        return [
            run
            for run in reversed(runs)
            if any(_device(cell) == place.device for cell in run.cells)
        ]


def contents_of(runs: Sequence[RunDigest]) -> Contents:
    """The report of these runs."""
    return Contents(sorted(runs, key=lambda run: (run.created, run.name), reverse=True))


def _device(cell: CellDigest) -> str:
    return cell.text("device")


def _is_measured(run: RunDigest, device: str) -> bool:
    return any(_device(cell) == device and is_shown(cell) for cell in run.cells)


def _place(run: RunDigest, device: str, title: str, first: int) -> Place:
    cells = tuple(cell for cell in run.cells if _device(cell) == device)
    keys = {cell.key for cell in cells}
    return Place(
        title=title,
        device=device,
        run=run,
        cells=cells,
        advice=next((a for a in run.advice if a.device == device), None),
        targets=tuple(c for c in run.targets if c.key in keys),
        first=first,
    )


def is_shown(cell: CellDigest) -> bool:
    """Whether its numbers may be shown."""
    return cell.text("status") in SHOWN


def interval_of(cell: CellDigest, name: str, unit: str = "") -> Interval | None:
    """A number of the table of cells with its interval; where there is none, with itself."""
    tail = f"_{unit}" if unit else ""
    value = cell.number(f"{name}{tail}")
    if value is None:
        return None
    low, high = (cell.number(f"{name}_{end}{tail}") for end in ("low", "high"))
    return Interval(
        value=value, low=value if low is None else low, high=value if high is None else high
    )


def names_of(cells: Sequence[CellDigest]) -> list[str]:
    """What tells each of these cells from the others: its variant, its format, and what differs."""
    varied = [
        (column, words)
        for column, words in (("threads", "{} threads"), ("accelerator", "{}"), ("scenario", "{}"))
        if len({cell.text(column) for cell in cells}) > 1
    ]
    return [
        f"{cell.text('variant')} ("
        + ", ".join([cell.text("format"), *(w.format(cell.text(c)) for c, w in varied)])
        + ")"
        for cell in cells
    ]


def short(name: str) -> str:
    """A name as it fits an axis: its beginning and its end.

    >>> short("a-variant-with-a-very-long-name (tflite)")
    'a-variant… (tflite)'
    """
    line = " ".join(name.split())
    if len(line) <= LABEL:
        return line
    head, _, tail = line.rpartition(" ")
    if not head or len(tail) > LABEL - 8:
        return f"{line[: LABEL - 1]}…"
    return f"{head[: LABEL - len(tail) - 4].rstrip('-_ ')}… {tail}"


def because(reason: str) -> str:
    """A reason with what to do about it.

    >>> because("no_sensor")
    'no_sensor: Attach a meter, or use a board that has one of its own.'
    """
    return f"{reason}: {remedy_of(reason)}" if remedy_of(reason) else reason


def remedy_of(reason: str) -> str:
    """What to do about a reason, by its name; nothing where the name is not of the list."""
    return _REMEDIES.get(reason, "")


def gap(cells: Sequence[CellDigest], name: str) -> str:
    """Why none of these cells has a number: the reason that most of them have."""
    found = [cell.missing[name] for cell in cells if name in cell.missing]
    if not found:
        return "nothing of it was measured"
    return because(max(dict.fromkeys(found), key=found.count))
