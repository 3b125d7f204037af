"""Jetson with JetPack 4: INA3221 as the IIO driver of its kernel shows it, in milliwatts.

https://docs.nvidia.com/jetson/archives/l4t-archived/l4t-3273/ (Power Management, INA3221)
"""

import re
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
_LABEL: Final = re.compile(r"^(?P<folder>.+)/rail_name_(?P<channel>\d)$")


def find(listing: Listing) -> Meter | Absent:
    """The rails that add up to the module."""
    found = {
        text.strip(): f"{match['folder']}/in_power{match['channel']}_input"
        for path, text in sorted(listing.files.items())
        if (match := _LABEL.match(path)) and text.strip() not in ("", "NC")
    }
    total = total_of(found)
    if total is None:
        seen = f"; it has {', '.join(sorted(found))}" if found else ""
        return Absent(
            reason=Reason.NO_SENSOR,
            message=f"No INA3221 of the old kernel measures the whole module{seen}.",
        )
    paths = tuple(found[label] for label in total)
    return Meter(
        name=f"ina3221 {'+'.join(total)}",
        scope="module",
        kind="power",
        sources=tuple(Source(name=path, path=path, period_s=PERIOD_S) for path in paths),
        trace=partial(trace, paths=paths, shape=Shape(kind="power", scope="module", rails=total)),
    )


def trace(readings: Readings, *, paths: tuple[str, ...], shape: Shape) -> Trace:
    """Milliwatts of each rail, added up."""
    return trace_of(joined(readings, paths), _watts, shape)


def _watts(texts: tuple[str, ...]) -> float | None:
    numbers = [number for text in texts if (number := whole(text)) is not None]
    return sum(numbers) / 1e3 if len(numbers) == len(texts) else None


KIND: Final = MeterKind(
    scope="module",
    find=find,
    globs=("/sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_*",),
)
