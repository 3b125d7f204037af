"""x86: the processor's own counters of energy, as powercap shows them.

https://docs.kernel.org/power/powercap/powercap.html
"""

import re
from functools import partial
from typing import Final

import numpy as np

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.counter import unwrapped
from edgebench.measure.energy.trace import Trace, no_trace
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Shape, joined, trace_of, whole
from edgebench.measure.watch import Reading, Readings, Source

PERIOD_S: Final = 0.1
# Intel SDM 3B, MSR_RAPL_POWER_UNIT: 2^-14 J on most; AMD counts in 2^-16 J.
RESOLUTION_J: Final = 2.0**-14
# Core, uncore and dram lie within the package or beside it, psys around it: none is added.
_PACKAGE: Final = re.compile(r"^package-\d+(-die-\d+)?$")
_NAME: Final = re.compile(r"^(?P<folder>/sys/class/powercap/[^/]+)/name$")
UDEV_RULE: Final = (
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*", '
    'RUN+="/usr/bin/chgrp power /sys/%p/energy_uj", RUN+="/usr/bin/chmod g+r /sys/%p/energy_uj"'
)
# As a shell takes it; the group counts from the next login on.
UDEV_COMMAND: Final = (
    'sudo groupadd -f power && sudo usermod -aG power "$USER" && '
    f"echo '{UDEV_RULE}' | sudo tee /etc/udev/rules.d/70-powercap.rules && "
    "sudo udevadm control --reload && "
    "sudo udevadm trigger --action=add --subsystem-match=powercap   # then log in again"
)


def find(listing: Listing) -> Meter | Absent:
    """All packages; those that show up twice, by MSR and by MMIO, once."""
    packages: dict[str, str] = {}
    for path, text in sorted(listing.files.items(), key=lambda item: ("mmio" in item[0], item[0])):
        if (match := _NAME.match(path)) and _PACKAGE.match(text.strip()):
            packages.setdefault(text.strip(), match["folder"])
    if not packages:
        return Absent(reason=Reason.NO_SENSOR, message="No processor here counts its energy.")
    if any(f"{folder}/energy_uj" in listing.closed for folder in packages.values()):
        return Absent(
            reason=Reason.PERMISSION,
            message="Only root may read `energy_uj` since Linux 5.10 (CVE-2020-8694).",
            hint=UDEV_COMMAND,
        )
    names = tuple(sorted(packages))
    paths = tuple(f"{packages[name]}/energy_uj" for name in names)
    ranges = tuple(
        whole(listing.files.get(f"{packages[name]}/max_energy_range_uj", "")) for name in names
    )
    return Meter(
        name=f"rapl {'+'.join(names)}",
        scope="cpu_package",
        kind="counter",
        sources=tuple(Source(name=path, path=path, period_s=PERIOD_S) for path in paths),
        trace=partial(
            trace, packages=dict(zip(names, zip(paths, ranges, strict=True), strict=True))
        ),
    )


def trace(readings: Readings, *, packages: dict[str, tuple[str, int | None]]) -> Trace:
    """Joules of all packages, each unwrapped at its own range."""
    rising = {
        path: _rising(readings.get(path, ()), range_uj) for path, range_uj in packages.values()
    }
    if not all(rising.values()):
        return no_trace("counter", "cpu_package", Reason.SENSOR_GAP)
    shape = Shape(
        kind="counter",
        scope="cpu_package",
        rails=tuple(packages),
        resolution=RESOLUTION_J * len(packages),
    )
    return trace_of(joined(rising, tuple(rising)), _joules, shape)


def _rising(readings: tuple[Reading, ...], range_uj: int | None) -> tuple[Reading, ...]:
    known = [(r.time_ns, n) for r in readings if r.text and (n := whole(r.text)) is not None]
    counts = np.array([number for _, number in known], dtype=np.float64)
    # One more than the largest value is the first that cannot be shown.
    summed = unwrapped(counts, None if range_uj is None else range_uj + 1.0)
    texts = iter(summed.tolist())
    return tuple(
        Reading(time_ns=r.time_ns, text=repr(next(texts)) if _is_number(r) else None)
        for r in readings
    )


def _is_number(reading: Reading) -> bool:
    return reading.text is not None and whole(reading.text) is not None


def _joules(texts: tuple[str, ...]) -> float | None:
    return sum(float(text) for text in texts) / 1e6


KIND: Final = MeterKind(
    scope="cpu_package",
    find=find,
    globs=(
        "/sys/class/powercap/*/name",
        "/sys/class/powercap/*/energy_uj",
        "/sys/class/powercap/*/max_energy_range_uj",
    ),
)
