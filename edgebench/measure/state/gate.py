"""Before a process: is the device as cool and as quiet as it can be expected to be?

The look costs the device a moment, before anything is timed.
"""

import re
import time
from dataclasses import dataclass, field
from typing import Final

from edgebench.core import Transport
from edgebench.device.halt import pause
from edgebench.device.look import Listing, look
from edgebench.measure.state.temperature import TEMPERATURE, celsius, zones

PRESSURE: Final = "/proc/pressure/cpu"
# A band above the temperature at rest, as of krun: https://github.com/softdevteam/krun
ABOVE_REST_C: Final = 3.0
# Share of the last ten seconds in which somebody waited for a core, in percent.
PRESSURE_MAX: Final = 1.0
LOOK_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """How a device is between two processes.

    Attributes:
        temp_c: By zone.
        pressure: Percent of the last ten seconds; None where the kernel does not count it.
    """

    temp_c: dict[str, float] = field(default_factory=dict)
    pressure: float | None = None


def read_calm(listing: Listing) -> Calm:
    """What files of the device say of this moment."""
    temperatures = {
        kind: value
        for kind, folder in zones(listing).items()
        if (value := celsius(listing.files.get(f"{folder}/temp", ""))) is not None
    }
    found = re.search(r"some avg10=([\d.]+)", listing.files.get(PRESSURE, ""))
    return Calm(temp_c=temperatures, pressure=float(found[1]) if found else None)


def look_calm(transport: Transport) -> Calm:
    """Ask a device how it is now; raises DeviceLost where it does not answer."""
    globs = (*TEMPERATURE.globs[:2], PRESSURE)
    return read_calm(look(transport, globs=globs, tools=()))


def unrest(now: Calm, rest: Calm) -> str | None:
    """What there is to wait for; None where the device is calm.

    >>> unrest(Calm(temp_c={"cpu": 61.0}), Calm(temp_c={"cpu": 45.0}))
    'cpu is at 61.0 °C, at rest it was at 45.0 °C'
    """
    for kind, value in now.temp_c.items():
        limit = rest.temp_c.get(kind)
        if limit is not None and value > limit + ABOVE_REST_C:
            return f"{kind} is at {value:.1f} °C, at rest it was at {limit:.1f} °C"
    if now.pressure is not None and now.pressure > PRESSURE_MAX:
        return f"processes waited for a core in {now.pressure:.1f} % of the last ten seconds"
    return None


def wait_for_calm(transport: Transport, rest: Calm, *, wait_s: float) -> tuple[float, str | None]:
    """Wait for a device to be calm; how long that took, and what it still was not.

    Raises:
        DeviceLost: It does not answer.
    """
    began = time.monotonic()
    while True:
        reason = unrest(look_calm(transport), rest)
        waited_s = time.monotonic() - began
        if reason is None or waited_s >= wait_s:
            return waited_s, reason
        pause(min(LOOK_EVERY_S, max(wait_s - waited_s, 0.05)))
