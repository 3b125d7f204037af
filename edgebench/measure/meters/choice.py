"""Which of its meters a device is read by."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.meters.registry import METERS

if TYPE_CHECKING:
    from pydantic import JsonValue

NONE: Absent = Absent(
    reason=Reason.NO_SENSOR,
    message="Nothing on this device measures its power.",
    hint="Put a meter between the supply and the board.",
)


def globs() -> tuple[str, ...]:
    """Files that tell which meters a device has."""
    return tuple(dict.fromkeys(glob for kind in METERS.values() for glob in kind.globs))


def tools() -> tuple[str, ...]:
    """Programs that do."""
    return tuple(dict.fromkeys(tool for kind in METERS.values() for tool in kind.tools))


def choose(listing: Listing) -> Meter | Absent:
    """The best meter that can be read; else why the nearest one cannot.

    A meter that is there and may not be read is nearer than one that is not there.
    """
    absent: list[Absent] = []
    for kind in METERS.values():
        found = kind.find(listing)
        if isinstance(found, Meter):
            return found
        absent.append(found)
    return _nearest(absent)


def sources(listing: Listing) -> "list[JsonValue]":
    """Every meter that a device has, whether it can be read, and if not, why and what mends it."""
    told: list[JsonValue] = []
    for name, kind in METERS.items():
        found = kind.find(listing)
        if isinstance(found, Meter):
            told.append({"meter": found.name, "scope": found.scope, "is_readable": True})
        elif found.reason is not Reason.NO_SENSOR:
            row: dict[str, JsonValue] = {"meter": name, "scope": kind.scope, "is_readable": False}
            why: dict[str, JsonValue] = {"reason": found.reason.value, "why": found.message}
            told.append({**row, **why, "mend": found.hint})
    return told


def _nearest(absent: Sequence[Absent]) -> Absent:
    near = [one for one in absent if one.reason is not Reason.NO_SENSOR]
    return near[0] if near else NONE
