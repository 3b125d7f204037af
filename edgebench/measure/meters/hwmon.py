"""Chips of the kernel's hwmon that are known to see a whole board or a whole processor.

https://docs.kernel.org/hwmon/sysfs-interface.html
https://docs.kernel.org/hwmon/ina2xx.html

A chip that is not listed may be on any rail: it is left alone, for a number of an unknown scope is
none.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Kind, Scope, Trace
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Shape, joined, trace_of, whole
from edgebench.measure.watch import Readings, Source

PERIOD_S: Final = 0.1
ADD_ONS: Final = (
    *("ina209", "ina219", "ina220", "ina226", "ina228", "ina230", "ina231", "ina233"),
    *("ina234", "ina237", "ina238", "ina260"),
)
SCOPES: Final[Mapping[str, Scope]] = {
    **dict.fromkeys(ADD_ONS, "board_dc"),
    "fam15h_power": "cpu_package",
}
# What counts is better than what averages, and that is better than what happens to be now. All are
# in millionths.
_FILES: Final[tuple[tuple[str, Kind], ...]] = (
    ("energy1_input", "counter"),
    ("power1_average", "power"),
    ("power1_input", "power"),
)
_NAME: Final = re.compile(r"^(?P<folder>.+/hwmon\d+)/name$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One chip, and the best of its files."""

    name: str
    path: str
    kind: Kind


def find(listing: Listing) -> Meter | Absent:
    """The one chip that is known; more than one leave open which is meant."""
    found = list(chips(listing))
    if len(found) != 1:
        what = ", ".join(f"{chip.name} at {chip.path}" for chip in found)
        return Absent(
            reason=Reason.NO_SENSOR if not found else Reason.INCOMPARABLE,
            message=f"Several chips measure power: {what}." if found else "No chip of hwmon fits.",
            hint="Unbind all but the one on the board's supply." if found else None,
        )
    (chip,) = found
    if chip.path in listing.closed:
        return Absent(
            reason=Reason.PERMISSION,
            message=f"The login user may not read {chip.path!r}.",
            hint=f"On the device: `sudo chmod a+r {chip.path}`.",
        )
    shape = Shape(kind=chip.kind, scope=SCOPES[chip.name], rails=(chip.name,))
    return Meter(
        name=f"hwmon {chip.name}",
        scope=SCOPES[chip.name],
        kind=chip.kind,
        sources=(Source(name=chip.path, path=chip.path, period_s=PERIOD_S),),
        trace=partial(trace, path=chip.path, shape=shape),
    )


def chips(listing: Listing) -> Iterator[Chip]:
    """Those whose scope is known."""
    there = set(listing.files) | listing.closed
    for path, text in sorted(listing.files.items()):
        match = _NAME.match(path)
        if match and text.strip() in SCOPES:
            files = ((f"{match['folder']}/{file}", kind) for file, kind in _FILES)
            best = next(((file, kind) for file, kind in files if file in there), None)
            if best is not None:
                yield Chip(name=text.strip(), path=best[0], kind=best[1])


def trace(readings: Readings, *, path: str, shape: Shape) -> Trace:
    """Watts or joules from millionths."""
    return trace_of(joined(readings, (path,)), _millionths, shape)


def _millionths(texts: tuple[str, ...]) -> float | None:
    number = whole(texts[0])
    return None if number is None else number / 1e6


KIND: Final = MeterKind(
    scope="board_dc",
    find=find,
    globs=(
        "/sys/class/hwmon/hwmon*/name",
        "/sys/class/hwmon/hwmon*/energy1_input",
        "/sys/class/hwmon/hwmon*/power1_average",
        "/sys/class/hwmon/hwmon*/power1_input",
    ),
)
