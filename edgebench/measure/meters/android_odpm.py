"""Android, Pixel 6 and newer: the power chip's counters of energy, by its driver or by the HAL.

https://perfetto.dev/docs/data-sources/battery-counters
https://cs.android.com/android/platform/superproject/main/+/main:hardware/interfaces/power/stats/aidl/default/
(`PowerStats::dumpEnergyMeter`)

The rails lie behind the battery, so that they are right while the phone is charging. The driver's
files need root; the HAL answers any shell.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Trace, no_trace
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Beat, Shape, from_rows, trace_of
from edgebench.measure.watch import Reading, Readings, Source

DRIVER_PERIOD_S: Final = 0.25
HAL_PERIOD_S: Final = 0.5
HAL_SOURCE: Final = "power_stats"
HAL_ARGV: Final = ("dumpsys", "android.hardware.power.stats.IPowerStats/default", "delta")
# What computes and what remembers: cores, graphics, neural unit, memory, and what joins them. Not
# the modem, the display, nor what feeds several.
_COMPUTE: Final = re.compile(r"VDD_CPU|VDD_G3D|VDD_TPU|VDD_INT|VDD_MIF|VDD_GPU|VDD2L|_MEM$")
_CHANNEL: Final = re.compile(r"^CH\d+\(T=(\d+)\)\[(\w+)\],\s*(\d+)\s*$", re.MULTILINE)
_HAL_ROW: Final = re.compile(r"^\s*\[(\w+)\]:\S*\s+([0-9.]+) mWs", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """One reading of one chip: joules by rail, as of a time of the chip's driver."""

    time_ms: int
    energy_j: Mapping[str, float]


def is_compute(rail: str) -> bool:
    """Whether a rail is among those added up.

    >>> is_compute("S2M_VDD_CPUCL2"), is_compute("VSYS_PWR_DISPLAY")
    (True, False)
    """
    return bool(_COMPUTE.search(rail))


def channels(text: str) -> Channels | None:
    r"""What a file `energy_value` holds; None where it holds no rail that computes.

    >>> channels("t=5\nCH0(T=5)[S10M_VDD_TPU], 1500000\nCH1(T=5)[VSYS_PWR_MODEM], 9\n")
    Channels(time_ms=5, energy_j={'S10M_VDD_TPU': 1.5})
    """
    rows = [row for row in _CHANNEL.findall(text) if is_compute(row[1])]
    if not rows:
        return None
    energy_j = {rail: int(microjoules) / 1e6 for _, rail, microjoules in rows}
    return Channels(time_ms=int(rows[0][0]), energy_j=energy_j)


def find_driver(listing: Listing) -> Meter | Absent:
    """The chips that have a rail which computes."""
    paths = sorted(path for path, text in listing.files.items() if channels(text))
    if not paths and any(path.endswith("/energy_value") for path in listing.closed):
        return Absent(
            reason=Reason.PERMISSION,
            message="Only root may read `energy_value`.",
            hint="`adb root`, or read the same rails by `power_stats`, which any shell may.",
        )
    if not paths:
        return Absent(reason=Reason.NO_SENSOR, message="No power chip here counts energy.")
    return Meter(
        name="odpm energy_value",
        scope="soc_rails",
        kind="counter",
        sources=tuple(Source(name=path, path=path, period_s=DRIVER_PERIOD_S) for path in paths),
        trace=partial(driver_trace, paths=tuple(paths)),
    )


def driver_trace(readings: Readings, *, paths: Sequence[str]) -> Trace:
    """Joules of all chips, each at its own times and brought onto those of the first."""
    chips = [_chip(readings.get(path, ())) for path in paths]
    unreadable = sum(chip[2] for chip in chips)
    if any(len(rows) < 2 for rows, _, _ in chips):
        return no_trace("counter", "soc_rails", Reason.SENSOR_GAP, unreadable=unreadable)
    sets = [rails for _, rails, _ in chips]
    begin = max(rows[0][0] for rows, _, _ in chips)
    end = min(rows[-1][0] for rows, _, _ in chips)
    times = [time_ns for time_ns, _ in chips[0][0] if begin <= time_ns <= end]
    summed = sum(
        np.interp(times, [t for t, _ in rows], [energy for _, energy in rows])
        for rows, _, _ in chips
    )
    shape = Shape(
        kind="counter",
        scope="soc_rails",
        rails=tuple(rail for found in sets for rail in found[0]),
        resolution=1e-6,
    )
    rows = list(zip(times, np.atleast_1d(summed).tolist(), strict=True))
    found = from_rows(rows, shape, unreadable=unreadable)
    is_changed = any(len(rails) > 1 for rails in sets)
    return replace(found, refusal=Reason.RAIL_SET_CHANGED) if is_changed else found


def _chip(
    readings: Sequence[Reading],
) -> tuple[list[tuple[int, float]], list[tuple[str, ...]], int]:
    """Times and joules of one chip, its sets of rails, and how many readings said nothing.

    The driver's milliseconds since boot become nanoseconds of the monotonic clock by the reading
    that came soonest after its own time. A reading of the same time is no new one.
    """
    read = [(r.time_ns, found) for r in readings if (found := channels(r.text or ""))]
    if not read:
        return [], [], len(readings)
    late_ns = min(time_ns - found.time_ms * 10**6 for time_ns, found in read)
    rows: list[tuple[int, float]] = []
    for _, found in read:
        time_ns = found.time_ms * 10**6 + late_ns
        if not rows or time_ns > rows[-1][0]:
            rows.append((time_ns, sum(found.energy_j.values())))
    sets = list(dict.fromkeys(tuple(found.energy_j) for _, found in read))
    return rows, sets, len(readings) - len(read)


def hal_rails(text: str) -> Mapping[str, float]:
    """Joules by rail that computes, from the HAL's table, with or without its column of deltas.

    >>> hal_rails("   [S10M_VDD_TPU]:TPU    1500.00 mWs (    12.30)")
    {'S10M_VDD_TPU': 1.5}
    """
    return {rail: float(n) / 1e3 for rail, n in _HAL_ROW.findall(text) if is_compute(rail)}


def find_hal(listing: Listing) -> Meter | Absent:
    """The HAL; whether it has rails is seen when it is read."""
    if "dumpsys" not in listing.tools:
        return Absent(reason=Reason.NO_SENSOR, message="There is no `dumpsys`: not Android.")
    return Meter(
        name="power_stats",
        scope="soc_rails",
        kind="counter",
        sources=(Source(name=HAL_SOURCE, argv=HAL_ARGV, period_s=HAL_PERIOD_S),),
        trace=hal_trace,
    )


def hal_trace(readings: Readings) -> Trace:
    """Joules of the rails that compute; refused where there are none, or not always the same."""
    own = readings.get(HAL_SOURCE, ())
    sets = list(dict.fromkeys(tuple(found) for r in own if (found := hal_rails(r.text or ""))))
    if not sets:
        return no_trace("counter", "soc_rails", Reason.NO_SENSOR, unreadable=len(own))
    shape = Shape(kind="counter", scope="soc_rails", rails=sets[0], resolution=1e-5)
    beats = [Beat(time_ns=r.time_ns, texts=(r.text,)) for r in own]
    summed = trace_of(beats, lambda texts: sum(hal_rails(texts[0]).values()) or None, shape)
    return replace(summed, refusal=Reason.RAIL_SET_CHANGED) if len(sets) > 1 else summed


DRIVER: Final = MeterKind(
    scope="soc_rails",
    find=find_driver,
    globs=("/sys/bus/iio/devices/iio:device*/energy_value",),
)
HAL: Final = MeterKind(scope="soc_rails", find=find_hal, tools=("dumpsys",))
