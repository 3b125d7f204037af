"""Jetson with JetPack 5 and newer: INA3221 as the kernel's hwmon shows it.

https://docs.kernel.org/hwmon/ina3221.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.jetson_rails import total_of
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Shape, joined, trace_of, whole
from edgebench.measure.watch import Readings, Source

PERIOD_S: Final = 0.1
# Of the shunt's voltage: datasheet SBOS576, table 3.
SHUNT_STEP_V: Final = 40e-6
# in4 to in6 are voltages over the shunts and in7 is their sum: no rails.
_LABEL: Final = re.compile(r"^(?P<folder>.+)/in(?P<channel>[123])_label$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """One channel: millivolts in `in<n>_input`, milliamperes in `curr<n>_input`."""

    label: str
    folder: str
    channel: str

    @property
    def paths(self) -> tuple[str, str]:
        """Of the voltage and of the current."""
        return (f"{self.folder}/in{self.channel}_input", f"{self.folder}/curr{self.channel}_input")


def find(listing: Listing) -> Meter | Absent:
    """The rails that add up to the module."""
    found = rails(listing)
    total = total_of(found)
    if total is None:
        seen = f"; it has {', '.join(sorted(found))}" if found else ""
        return Absent(
            reason=Reason.NO_SENSOR,
            message=f"No INA3221 here measures the whole module{seen}.",
        )
    chosen = [found[label] for label in total]
    closed = [path for rail in chosen for path in rail.paths if path in listing.closed]
    if closed:
        return Absent(
            reason=Reason.PERMISSION,
            message=f"The login user may not read {closed[0]!r}.",
            hint=f"On the device: `sudo chmod a+r {' '.join(closed)}`.",
        )
    shape = Shape(
        kind="power", scope="module", rails=total, resolution=_resolution_w(listing, chosen)
    )
    return Meter(
        name=f"ina3221 {'+'.join(total)}",
        scope="module",
        kind="power",
        sources=tuple(
            Source(name=path, path=path, period_s=PERIOD_S)
            for rail in chosen
            for path in rail.paths
        ),
        trace=partial(trace, paths=tuple(p for rail in chosen for p in rail.paths), shape=shape),
    )


def rails(listing: Listing) -> Mapping[str, Rail]:
    """The channels that are wired, by label; a chip is found by its folder or its name."""
    found: dict[str, Rail] = {}
    for path, text in sorted(listing.files.items()):
        label = text.strip()
        if not (match := _LABEL.match(path)) or label in ("", "NC"):
            continue
        name = listing.files.get(f"{match['folder']}/name", "")
        if "ina3221" in match["folder"] or name.strip() == "ina3221":
            rail = Rail(label=label, folder=match["folder"], channel=match["channel"])
            found.setdefault(label, rail)
    return found


def _resolution_w(listing: Listing, chosen: list[Rail]) -> float | None:
    """One step of the shunt's voltage, as power at the rail's voltage, over all rails."""
    steps = []
    for rail in chosen:
        shunt_uohm = whole(listing.files.get(f"{rail.folder}/shunt{rail.channel}_resistor", ""))
        volts = whole(listing.files.get(rail.paths[0], ""))
        if not shunt_uohm or not volts:
            return None
        steps.append(SHUNT_STEP_V / (shunt_uohm / 1e6) * volts / 1e3)
    return sum(steps)


def trace(readings: Readings, *, paths: tuple[str, ...], shape: Shape) -> Trace:
    """Volts times amperes of each rail, added up."""
    return trace_of(joined(readings, paths), _watts, shape)


def _watts(texts: tuple[str, ...]) -> float | None:
    numbers = [number for text in texts if (number := whole(text)) is not None]
    if len(numbers) != len(texts):
        return None
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return sum(millivolts * milliamperes for millivolts, milliamperes in pairs) / 1e6


KIND: Final = MeterKind(
    scope="module",
    find=find,
    globs=(
        "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[123]_label",
        "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[123]_input",
        "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/curr[123]_input",
        "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/shunt[123]_resistor",
    ),
)
