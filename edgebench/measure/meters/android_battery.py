"""Any Android phone that is discharging: current and voltage of its battery.

https://docs.kernel.org/power/power_supply_class.html (microamperes and microvolts, by the ABI)

Drivers do not keep to the ABI: some count in milliamperes, some have the sign the other way round,
some have none. The sign is not looked at, and the unit is the one in which the phone draws what a
phone can draw: the two are a thousand apart, and what is possible is not.
"""

import re
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Trace, no_trace
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Beat, Shape, joined, trace_of, whole
from edgebench.measure.watch import Readings, Source

FOLDER: Final = "/sys/class/power_supply/battery"
UEVENT: Final = f"{FOLDER}/uevent"
FILES: Final = (f"{FOLDER}/current_now", f"{FOLDER}/voltage_now", f"{FOLDER}/status")
ONLINE: Final = "/online"
DUMPSYS: Final = "dumpsys battery"
# Gauges renew their value once in 0.25 to 4 s.
PERIOD_S: Final = 0.5
SELDOM_S: Final = 5.0
# What a phone draws while a model runs on it, a thousandth of it being none, and a thousand times a
# fire.
DRAW_W: Final = (0.3, 15.0)
_BUSY_PERCENTILE: Final = 90
# Of one cell, or of two in a row.
_VOLTS: Final = (2.5, 10.0)
_KEY: Final = re.compile(r"^(?:POWER_SUPPLY_)?(CURRENT_NOW|VOLTAGE_NOW|STATUS)=(.*)$", re.MULTILINE)
_POWERED: Final = re.compile(r"^  \w+(?: \w+)? powered: true\s*$", re.MULTILINE)
_STATUS: Final = re.compile(r"^  status: (\d+)\s*$", re.MULTILINE)
_DISCHARGING: Final = "3"


def find(listing: Listing) -> Meter | Absent:
    """The battery by one file, where it says all three, or else by three."""
    there = set(listing.files)
    if {"CURRENT_NOW", "VOLTAGE_NOW", "STATUS"} <= set(_keys(listing.files.get(UEVENT, ""))):
        names: tuple[str, ...] = (UEVENT,)
    elif set(FILES) <= there:
        names = FILES
    elif any(path.startswith(FOLDER) for path in listing.closed):
        return Absent(
            reason=Reason.PERMISSION,
            message="The shell may not read the battery's current.",
            hint="`adb root`, where the build of the phone allows it.",
        )
    else:
        return Absent(reason=Reason.NO_SENSOR, message="No battery here tells its current.")
    chargers = tuple(sorted(path for path in there if path.endswith(ONLINE)))
    sources = [Source(name=path, path=path, period_s=PERIOD_S) for path in names]
    sources += [Source(name=path, path=path, period_s=SELDOM_S) for path in chargers]
    if "dumpsys" in listing.tools:
        sources.append(Source(name=DUMPSYS, argv=("dumpsys", "battery"), period_s=SELDOM_S))
    return Meter(
        name="android battery",
        scope="battery",
        kind="power",
        sources=tuple(sources),
        trace=partial(trace, names=names, chargers=chargers),
    )


def _keys(uevent: str) -> dict[str, str]:
    return {key: value.strip() for key, value in _KEY.findall(uevent)}


def is_fed(dump: str) -> bool:
    r"""Whether `dumpsys battery` tells of a charger, or of a state that is not discharging.

    Read is what stands indented under the first heading: a log may follow, of another time.

    >>> is_fed("Current Battery Service state:\n  AC powered: false\n  status: 3\n")
    False
    """
    lines = dump.splitlines()
    ends = (i for i, line in enumerate(lines[1:], 1) if not line.startswith(" "))
    state = "\n".join(lines[1 : next(ends, len(lines))])
    status = _STATUS.search(state)
    return bool(_POWERED.search(state)) or (status is not None and status[1] != _DISCHARGING)


def trace(readings: Readings, *, names: tuple[str, ...], chargers: tuple[str, ...]) -> Trace:
    """Volts times amperes; refused unless the battery alone fed the phone all the time."""
    beats = _beats(readings, names)
    told = [texts for beat in beats if (texts := _whole(beat)) is not None]
    if not told:
        return no_trace("power", "battery", Reason.SENSOR_GAP, unreadable=len(beats))
    if _is_charged(readings, chargers, [status for _, _, status in told]):
        return no_trace("power", "battery", Reason.NOT_DISCHARGING)
    unit_w = _unit_w([(int(current), int(voltage)) for current, voltage, _ in told])
    if unit_w is None:
        return no_trace("power", "battery", Reason.UNIT_AMBIGUOUS)
    shape = Shape(kind="power", scope="battery", rails=("battery",))
    found = trace_of(beats, lambda texts: _product(texts, unit_w), shape)
    return replace(found, refusal=Reason.NOT_DISCHARGING) if _turns(told) else found


def _beats(readings: Readings, names: tuple[str, ...]) -> list[Beat]:
    """Current, voltage and status at each time, wherever they come from."""
    if len(names) > 1:
        return joined(readings, names)
    found = []
    for reading in readings.get(names[0], ()):
        keys = _keys(reading.text or "")
        texts = tuple(keys.get(key) for key in ("CURRENT_NOW", "VOLTAGE_NOW", "STATUS"))
        found.append(Beat(time_ns=reading.time_ns, texts=texts))
    return found


def _whole(beat: Beat) -> tuple[str, str, str] | None:
    current, voltage, status = beat.texts
    if current is None or voltage is None or status is None:
        return None
    is_number = whole(current) is not None and whole(voltage) is not None
    return (current, voltage, status) if is_number else None


def _is_charged(readings: Readings, chargers: tuple[str, ...], states: list[str]) -> bool:
    """Whether anything said at any time that it is not the battery alone."""
    plugs = [r.text for path in chargers for r in readings.get(path, ()) if r.text]
    dumps = [r.text for r in readings.get(DUMPSYS, ()) if r.text]
    return (
        any(state.strip() != "Discharging" for state in states)
        or any(plug.strip() != "0" for plug in plugs)
        or any(is_fed(dump) for dump in dumps)
    )


def _turns(told: list[tuple[str, str, str]]) -> bool:
    """Whether the current changed its sign: then some of it went in."""
    signs = {int(current) > 0 for current, _, _ in told if int(current)}
    return len(signs) > 1


def _unit_w(raw: list[tuple[int, int]]) -> float | None:
    """Watts of one raw ampere times one raw volt, or None where no unit makes sense."""
    volts = float(np.median([voltage for _, voltage in raw]))
    volt = next((unit for unit in (1e-6, 1e-3) if _VOLTS[0] <= volts * unit <= _VOLTS[1]), None)
    if volt is None:
        return None
    products = [abs(current) * voltage * volt for current, voltage in raw]
    busy = float(np.percentile(products, _BUSY_PERCENTILE))
    fits = [unit for unit in (1e-6, 1e-3) if DRAW_W[0] <= busy * unit <= DRAW_W[1]]
    return fits[0] * volt if len(fits) == 1 else None


def _product(texts: tuple[str, ...], unit_w: float) -> float | None:
    current, voltage = whole(texts[0]), whole(texts[1])
    return None if current is None or voltage is None else abs(current) * voltage * unit_w


KIND: Final = MeterKind(
    scope="battery",
    find=find,
    globs=(UEVENT, *FILES, "/sys/class/power_supply/*/online"),
    tools=("dumpsys",),
)
