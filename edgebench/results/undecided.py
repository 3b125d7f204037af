"""What would decide a limit that lies within the interval of a value."""

import math
from dataclasses import dataclass
from typing import Final

from edgebench.measure.replication import PROCESSES_MAX, processes_to_hold
from edgebench.results.cells import Cell
from edgebench.results.targets import Checked, measured_of

TOO_NEAR: Final = f"so near to the limit that {PROCESSES_MAX} blocks would not decide it"
ALONE: Final = "one launch does not say how launches differ; a second block gives an interval"
GROUPED: Final = (
    "queries this short are timed in groups, and of groups only what a percentile is at most is "
    "known; more blocks do not change that"
)
OF_MEMORY: Final = "its processes lie that far apart, which more of them do not narrow"
OF_A_METER: Final = (
    "part of its interval is the meter's own, which more blocks do not narrow; "
    "`energy_runs` and `energy_active_s` may"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """How to decide it.

    Attributes:
        blocks: How many more blocks likely do; None where that cannot be told.
        why: Why it cannot; None where it can.
    """

    blocks: int | None = None
    why: str | None = None

    def __str__(self) -> str:
        return self.why or f"some {self.blocks} more blocks likely decide it"


def undecided_of(cell: Cell, checked: Checked) -> Undecided:
    """What would decide an inconclusive limit: the half-width shrinks as 1/sqrt(processes)."""
    name = checked.target
    if name.startswith("latency"):
        return _of_latency(cell, checked)
    if name == "accuracy_drop_points":
        return Undecided(why=_of_accuracy(cell, checked))
    return Undecided(why=OF_MEMORY if name == "model_memory_mb" else OF_A_METER)


def _of_latency(cell: Cell, checked: Checked) -> Undecided:
    latency = cell.latency
    if latency is None or latency.processes < 2:
        return Undecided(why=ALONE)
    interval = measured_of(cell, checked.target)
    if interval is None or getattr(latency, checked.target.split("_")[1]) is None:
        return Undecided(why=GROUPED)
    blocks = processes_to_hold(interval, latency.processes, limit=checked.limit)
    return Undecided(why=TOO_NEAR) if blocks is None else Undecided(blocks=blocks)


def _of_accuracy(cell: Cell, checked: Checked) -> str:
    """An accuracy is over samples: how many more of them."""
    accuracy = cell.measurement.accuracy if cell.measurement else None
    why = "its interval is over the labelled samples, which more blocks do not change"
    if accuracy is None or checked.value is None or checked.ci95 is None:
        return why
    reach = abs(checked.value - checked.limit)
    half = (checked.ci95[1] - checked.ci95[0]) / 2
    if reach == 0:
        return f"{why}; and the value is the limit"
    more = math.ceil(accuracy.samples * ((half / reach) ** 2 - 1))
    return f"{why}; some {max(more, 1)} more of them likely decide it"
