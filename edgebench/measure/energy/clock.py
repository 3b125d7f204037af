"""From the host's clock to the device's, for a meter that hangs on the host."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edgebench.core import Reason
from edgebench.measure.energy.trace import Trace

PINGS: Final = 20
DRIFT_MAX_S_PER_MIN: Final = 0.050


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One question over an open pipe: what time is it?

    Attributes:
        sent_ns: On the host's CLOCK_MONOTONIC; likewise `received_ns`.
        device_ns: The answer, on the device's.
    """

    sent_ns: int
    device_ns: int
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """The device's clock less the host's, at a time of the host's.

    Attributes:
        uncertainty_ns: Half of the fastest round trip: the answer was given somewhere within.
    """

    at_ns: int
    offset_ns: int
    uncertainty_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Offsets before and after a measurement, and a straight line between them."""

    before: Offset
    after: Offset

    @property
    def drift_ppm(self) -> float:
        """By how much the device's clock gains."""
        passed_ns = self.after.at_ns - self.before.at_ns
        return (self.after.offset_ns - self.before.offset_ns) / passed_ns * 1e6

    @property
    def uncertainty_s(self) -> float:
        """The larger of the two."""
        return max(self.before.uncertainty_ns, self.after.uncertainty_ns) / 1e9

    @property
    def is_drifting(self) -> bool:
        """Whether the offset moved by more than 50 ms a minute, and more than is uncertain."""
        moved_s = abs(self.after.offset_ns - self.before.offset_ns) / 1e9
        unknown_s = (self.before.uncertainty_ns + self.after.uncertainty_ns) / 1e9
        minutes = (self.after.at_ns - self.before.at_ns) / 60e9
        return moved_s > max(DRIFT_MAX_S_PER_MIN * minutes, unknown_s)


def offset_of(pings: Sequence[Ping]) -> Offset:
    """The offset by the fastest of some pings: it had the least time to be late in.

    Raises:
        ValueError: There are no pings, or an answer came before its question.

    >>> offset_of([Ping(sent_ns=0, device_ns=60, received_ns=20)])
    Offset(at_ns=10, offset_ns=50, uncertainty_ns=10)
    """
    if not pings or any(ping.received_ns < ping.sent_ns for ping in pings):
        msg = f"{len(pings)} pings are no way to compare clocks, or one ended before it began."
        raise ValueError(msg)
    best = min(pings, key=lambda ping: ping.received_ns - ping.sent_ns)
    at_ns = (best.sent_ns + best.received_ns) // 2
    return Offset(
        at_ns=at_ns,
        offset_ns=best.device_ns - at_ns,
        uncertainty_ns=-(-(best.received_ns - best.sent_ns) // 2),
    )


def align(before: Sequence[Ping], after: Sequence[Ping]) -> Alignment:
    """Offsets from the pings before and after.

    Raises:
        ValueError: Those after do not come after those before.
    """
    alignment = Alignment(before=offset_of(before), after=offset_of(after))
    if alignment.after.at_ns <= alignment.before.at_ns:
        msg = "The pings after the measurement do not come after those before it."
        raise ValueError(msg)
    return alignment


def on_device(trace: Trace, alignment: Alignment) -> Trace:
    """A trace of the host's clock on the device's; refused where the clocks drift apart."""
    before, after = alignment.before, alignment.after
    # Relative to the first offset, for a float does not hold the nanoseconds of an uptime.
    since = (trace.time_ns - before.at_ns).astype(np.float64)
    slope = (after.offset_ns - before.offset_ns) / (after.at_ns - before.at_ns)
    moved = trace.time_ns + before.offset_ns + np.round(since * slope).astype(np.int64)
    refusal = trace.refusal or (Reason.CLOCK_DRIFT if alignment.is_drifting else None)
    return replace(trace, time_ns=moved, refusal=refusal)
