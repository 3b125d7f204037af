"""Whether a phone's battery is full enough for a measurement."""

import time
from typing import Final

from edgebench.core import Transport
from edgebench.device.phone_readers import battery
from edgebench.errors import DeviceError

# Of FAI-PEP's benchmarks of phones: https://github.com/facebook/FAI-PEP
FLOOR_PERCENT: Final = 30
LOOK_EVERY_S: Final = 10.0
LOOK_S: Final = 30.0


def too_low(text: str, floor_percent: float) -> str | None:
    r"""Why a battery is too low, of `dumpsys battery`; None where it is not, or does not say.

    >>> text = "Current Battery Service state:\n  status: 3\n  level: 12\n  scale: 100\n"
    >>> too_low(text, 30), too_low(text, 10)
    ('its battery is at 12 %, below the floor of 30 %', None)
    """
    level = (battery(text) or {}).get("level_percent")
    if not isinstance(level, int) or level >= floor_percent:
        return None
    return f"its battery is at {level} %, below the floor of {floor_percent:g} %"


def wait_for_battery(
    transport: Transport, *, name: str, floor_percent: float, wait_s: float
) -> float:
    """Wait for a battery that is being charged; how long that took.

    Raises:
        DeviceLost: The device does not answer.
        DeviceError: The battery is below the floor, and not charged in time.
    """
    began = time.monotonic()
    while True:
        text = transport.run(("dumpsys", "battery"), timeout_s=LOOK_S).stdout.decode(
            errors="replace"
        )
        why = too_low(text, floor_percent)
        waited_s = time.monotonic() - began
        if why is None:
            return waited_s
        is_charged = (battery(text) or {}).get("state") == "charging"
        if not is_charged or waited_s >= wait_s:
            msg = f"{name} is not measured: {why}."
            hint = "Charge it and take the run up with `edgebench run --resume RUN`, or lower "
            raise DeviceError(msg, hint=f"{hint}`battery_floor_percent` in [protocol].")
        time.sleep(min(LOOK_EVERY_S, max(wait_s - waited_s, 0.05)))
