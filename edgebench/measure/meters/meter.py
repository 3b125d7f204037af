"""What a meter on the device is: what to read there again and again, and what that says."""

from collections.abc import Callable
from dataclasses import dataclass

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Kind, Scope, Trace
from edgebench.measure.watch import Readings, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A device that this meter cannot be read on, and what could be done about it."""

    reason: Reason
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter that is ready for one device.

    Attributes:
        name: With what it reads there, for the record: `ina3221 VDD_IN`.
        trace: From the readings of all `sources`, by name, to watts or joules; it never raises for
            what a device said.
    """

    name: str
    scope: Scope
    kind: Kind
    sources: tuple[Source, ...]
    trace: Callable[[Readings], Trace]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterKind:
    """A meter that a device may have.

    Attributes:
        globs: Files that tell whether it has; what `edgebench.device.look` is asked for.
        tools: Programs that do.
        find: The meter on a device with these files, or why there is none.
    """

    scope: Scope
    find: Callable[[Listing], Meter | Absent]
    globs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
