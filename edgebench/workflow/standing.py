"""How far a device is, for somebody who watches."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgebench.core import MeasureProtocol, Recorded
from edgebench.measure.cell import is_finished
from edgebench.measure.left import blocks_left, left_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A device at one moment of a run.

    Attributes:
        doing: What is at work there, in words.
        block: How many whole blocks every open cell has; of `blocks`, so far as that is known.
        temp_c: The highest that was read beside the last process; None where nothing reads it.
        left_s: Until its last block, likely; None before its first one is in.
    """

    device: str
    doing: str
    cells: int
    finished: int
    block: int = 0
    blocks: int | None = None
    temp_c: float | None = None
    left_s: float | None = None


Watch = Callable[[Standing], None]


class Followed:
    """What is known of one device, as its cells come in."""

    def __init__(
        self,
        device: str,
        protocol: MeasureProtocol,
        cells: Mapping[str, Recorded | None],
        watch: Watch | None,
    ) -> None:
        self._device = device
        self._protocol = protocol
        self._cells = dict(cells)
        self._watch = watch
        self._took_s: dict[str, list[float]] = {}
        self._doing = ""
        self._temp_c: float | None = None
        self._seen_s = time.monotonic()

    def say(self, doing: str) -> None:
        """Something begins there."""
        self._doing = doing
        self._tell()

    def saw(self, recorded: Recorded) -> None:
        """A cell has changed."""
        now_s = time.monotonic()
        key = recorded.measurement.key
        before = self._cells.get(key)
        if len(recorded.samples) > (len(before.samples) if before else 0):
            self._took_s.setdefault(key, []).append(now_s - self._seen_s)
            self._temp_c = hottest_c(recorded)
        self._seen_s = now_s
        self._cells[key] = recorded
        self._tell()

    def _tell(self) -> None:
        if self._watch is not None:
            self._watch(self.standing())

    def standing(self) -> Standing:
        """Where the device is now."""
        known = [cell for cell in self._cells.values() if cell is not None]
        alive = [cell for cell in known if not is_finished(cell.measurement)]
        left = {cell.measurement.key: blocks_left(cell, self._protocol) for cell in alive}
        block = min((len(cell.samples) for cell in alive), default=0)
        total = max((len(c.samples) + left[c.measurement.key] for c in alive), default=None)
        is_told = block > 0 or not alive
        return Standing(
            device=self._device,
            doing=self._doing,
            cells=len(self._cells),
            finished=len(known) - len(alive),
            block=block,
            blocks=total,
            temp_c=self._temp_c,
            left_s=left_s(self._took_s, left) if is_told else None,
        )


def hottest_c(recorded: Recorded) -> float | None:
    """The highest temperature that was read beside the last process of a cell."""
    found = recorded.measurement.processes[-1].state.get("temp_max_c")
    values = [*found.values()] if isinstance(found, Mapping) else [found]
    return max((float(v) for v in values if isinstance(v, (int, float))), default=None)
