"""A trace of another clock on the device's own, by pings and by the device's chirp."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from edgebench.core import Reason
from edgebench.measure.energy.chirp import Spins, find_chirp, moved
from edgebench.measure.energy.clock import Alignment, on_device
from edgebench.measure.energy.placed import place
from edgebench.measure.energy.trace import Trace, Window

# By how much a meter may be late, and early by an error of the clocks.
LATE_MAX_S: Final = 10.0
EARLY_MAX_S: Final = 0.5
# Of a recording, what is kept of it before the first spin and after the last rest of a run.
MARGIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aligned:
    """A trace on the device's clock.

    Attributes:
        lag_s: By how much the meter's answer trails the work; None where that is not known.
        clock_uncertainty_s: Of the offset between the two clocks.
    """

    trace: Trace
    lag_s: float | None = None
    clock_uncertainty_s: float = 0.0


def by_pings(trace: Trace, alignment: Alignment, spins: Spins) -> Aligned:
    """A trace of the host's clock, by the pings and, where it is seen, by the chirp.

    The chirp overrides the offset of the pings, and what it is late by is the meter's lag. A meter
    that does not show it deserves doubt: it may not be this device's.
    """
    pinged = on_device(trace, alignment)
    unknown_s = alignment.uncertainty_s
    early_s = EARLY_MAX_S + unknown_s
    found = find_chirp(pinged, spins, early_s=early_s, late_s=LATE_MAX_S) if spins else None
    if found is None:
        doubts = (*pinged.doubts, Reason.ENERGY_INCONSISTENT)
        return Aligned(trace=replace(pinged, doubts=doubts), clock_uncertainty_s=unknown_s)
    return Aligned(
        trace=moved(pinged, found.delay_s),
        lag_s=max(found.delay_s + found.low_pass_s, 0.0),
        clock_uncertainty_s=found.uncertainty_s,
    )


def by_chirps(trace: Trace, spins: Sequence[Spins], ends_ns: Sequence[int]) -> list[Aligned] | None:
    """What a recording holds of each run, by the chirps alone; None where they are not found.

    Of the lag only the low pass can be known, for a delay looks like a clock that is off. A run
    whose own chirp cannot be told is refused.

    Args:
        spins: The chirp of each run on the device's clock.
        ends_ns: When each run ended.
    """
    delay_s = place(trace, spins)
    if delay_s is None:
        return None
    whole = moved(trace, delay_s)
    return [_by_chirp(whole, own, end) for own, end in zip(spins, ends_ns, strict=True)]


def _by_chirp(whole: Trace, spins: Spins, end_ns: int) -> Aligned:
    span = Window(begin_ns=spins[0][0], end_ns=end_ns).shrunk(-MARGIN_S)
    # Readings that were lost show as gaps, and not all of them are of this run.
    trace = replace(whole.within(span), unreadable=0)
    reach_s = 3 * (spins[0][1] - spins[0][0]) / 1e9
    found = find_chirp(trace, spins, early_s=reach_s, late_s=reach_s)
    if found is None:
        return Aligned(trace=replace(trace, refusal=trace.refusal or Reason.CLOCK_DRIFT))
    return Aligned(
        trace=moved(trace, found.delay_s),
        lag_s=found.low_pass_s,
        clock_uncertainty_s=found.uncertainty_s,
    )
