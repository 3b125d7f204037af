"""How hot the processor was, and how near to where the kernel slows it down.

Zones and trip points: https://docs.kernel.org/driver-api/thermal/sysfs-api.html
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.measure.state.monitor import PERIOD_S, Finding, Monitor, Seen, Watch
from edgebench.measure.watch import Source

if TYPE_CHECKING:
    from pydantic import JsonValue

PREFIX: Final = "temperature "
# Batteries, radios and skins warm up by other work.
PROCESSORS: Final = re.compile(
    r"cpu|gpu|soc|core|pkg|tdiode|little|big|mid|cluster|acpitz", re.IGNORECASE
)
# A zone that is off says -256; none of silicon at work is above 150.
LOWEST_C: Final = -40.0
HIGHEST_C: Final = 150.0
NEAR_C: Final = 5.0
ZONE: Final = "/sys/class/thermal/thermal_zone*"


def celsius(text: str) -> float | None:
    r"""Millidegrees as degrees; None for a zone that is off.

    >>> celsius("48312\n"), celsius("-256000\n"), celsius("")
    (48.312, None, None)
    """
    word = text.strip()
    if not re.fullmatch(r"-?\d{1,9}", word):
        return None
    value = int(word) / 1000
    return value if LOWEST_C < value < HIGHEST_C else None


def zones(listing: Listing) -> dict[str, str]:
    """Folder of each zone of the processor that can be read, by the zone's type."""
    found: dict[str, str] = {}
    for path, text in sorted(listing.files.items()):
        folder, _, name = path.rpartition("/")
        kind = text.strip()
        is_readable = celsius(listing.files.get(f"{folder}/temp", "")) is not None
        if name == "type" and "thermal_zone" in folder and is_readable and PROCESSORS.search(kind):
            # Two zones of one type, as of two clusters.
            found[kind if kind not in found else f"{kind} {folder[-1]}"] = folder
    return found


def passive_c(listing: Listing, folder: str) -> float | None:
    """The lowest temperature at which the kernel begins to slow a zone's processor down."""
    trips = []
    for path, text in listing.files.items():
        if re.fullmatch(re.escape(folder) + r"/trip_point_\d+_type", path):
            limit = celsius(listing.files.get(path.replace("_type", "_temp"), ""))
            if text.strip() == "passive" and limit is not None and limit > 0:
                trips.append(limit)
    return min(trips, default=None)


def _arm(listing: Listing, profile: DeviceProfile) -> Watch | None:
    named = zones(listing)
    if not named:
        return None
    limits = {
        kind: passive_c(listing, folder) or profile.temp_passive_c for kind, folder in named.items()
    }
    sources = tuple(
        Source(name=f"{PREFIX}{kind}", path=f"{folder}/temp", period_s=PERIOD_S)
        for kind, folder in named.items()
    )
    return Watch(sources=sources, judge=lambda seen: judge(seen, limits))


def judge(seen: Seen, limits: Mapping[str, float | None]) -> Finding:
    """Highest temperatures; a trip point that was reached slowed the processor down."""
    facts: dict[str, JsonValue] = {}
    is_near = is_over = False
    for kind, readings in seen.of(PREFIX):
        values = [c for r in readings if (c := celsius(r.text or "")) is not None]
        if not values:
            continue
        facts[kind] = max(values)
        limit = limits.get(kind)
        if limit is not None:
            is_near |= max(values) >= limit - NEAR_C
            is_over |= max(values) >= limit
    throttled = (Reason.THROTTLED,)
    return Finding(
        facts={"temp_max_c": facts} if facts else {},
        suspect=throttled if is_near and not is_over else (),
        invalid=throttled if is_over else (),
    )


TEMPERATURE: Final = Monitor(
    arm=_arm,
    globs=(
        f"{ZONE}/type",
        f"{ZONE}/temp",
        f"{ZONE}/trip_point_*_type",
        f"{ZONE}/trip_point_*_temp",
    ),
)
