"""Any Jetson: the power that `tegrastats` prints, a line a period.

https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/AT/JetsonLinuxDevelopmentTools/TegrastatsUtility.html
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.jetson_rails import total_of
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Beat, Shape, trace_of
from edgebench.measure.watch import Readings, Source

SOURCE: Final = "tegrastats"
PERIOD_S: Final = 0.1
# `NAME now/mean`, JetPack 7 `NAME now/mean/third`; without a unit before JetPack 5.
_RAIL: Final = re.compile(
    r"(?<![\w@/])([A-Z][A-Z0-9_]*) (\d+)(?:mW)?/(\d+)(?:mW)?(?:/(\d+)mW)?(?= |$)"
)
_MEMORY: Final = ("RAM", "SWAP", "IRAM", "NC")


def find(listing: Listing) -> Meter | Absent:
    """The program, which is told to speak ten times a second."""
    if "tegrastats" not in listing.tools:
        return Absent(reason=Reason.NO_SENSOR, message="There is no `tegrastats` in PATH.")
    argv = ("tegrastats", "--interval", str(round(PERIOD_S * 1000)))
    return Meter(
        name="tegrastats",
        scope="module",
        kind="power",
        sources=(Source(name=SOURCE, argv=argv, period_s=PERIOD_S, is_stream=True),),
        trace=trace,
    )


def rails(line: str) -> Mapping[str, int]:
    """Milliwatts now, by rail; the second number is the mean since the program began.

    >>> rails("RAM 613/3964MB (lfb 1x4MB) cpu@50.9C VDD_IN 4210mW/4100mW VDD_SOC 900mW/905mW")
    {'VDD_IN': 4210, 'VDD_SOC': 900}
    """
    return {name: int(now) for name, now, *_ in _RAIL.findall(line) if name not in _MEMORY}


def trace(readings: Readings) -> Trace:
    """The rails that add up to the module; refused where none do, or not always the same."""
    own = readings.get(SOURCE, ())
    found = [rails(reading.text) for reading in own if reading.text]
    sets = list(dict.fromkeys(tuple(sorted(row)) for row in found if row))
    total = total_of(sets[0]) if sets else None
    shape = Shape(kind="power", scope="module", rails=total or ())
    beats = [Beat(time_ns=reading.time_ns, texts=(reading.text,)) for reading in own]
    summed = trace_of(beats, lambda texts: _watts(rails(texts[0]), total), shape)
    if len(sets) > 1:
        return replace(summed, refusal=Reason.RAIL_SET_CHANGED)
    return replace(summed, refusal=Reason.NO_SENSOR) if total is None else summed


def _watts(found: Mapping[str, int], total: tuple[str, ...] | None) -> float | None:
    if total is None or not set(total) <= set(found):
        return None
    return sum(found[name] for name in total) / 1e3


KIND: Final = MeterKind(scope="module", find=find, tools=("tegrastats",))
