"""Whether a phone's battery is full enough for a measurement."""

import time
from collections.abc import Mapping
from typing import Final

from edgebench.core import Device, MeasureProtocol
from edgebench.device.patience import patiently
from edgebench.device.phone_readers import battery
from edgebench.device.steady import renew
from edgebench.errors import DeviceError

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


def wait_for_battery(device: Device, protocol: MeasureProtocol) -> None:
    """Wait for a battery below its floor while it is charged; at once done where there is none.

    Raises:
        DeviceLost: The device does not answer.
        DeviceError: The battery is below the floor, and not charged in time.
    """
    if not isinstance(device.facts.get("battery"), Mapping):
        return
    began = time.monotonic()
    while True:
        done = patiently(lambda: device.transport.run(("dumpsys", "battery"), timeout_s=LOOK_S))
        text = done.stdout.decode(errors="replace")
        why = too_low(text, protocol.battery_floor_percent)
        if why is None:
            return
        is_charged = (battery(text) or {}).get("state") == "charging"
        left_s = protocol.gate_wait_s - (time.monotonic() - began)
        if not is_charged or left_s <= 0:
            msg = f"{device.name} is not measured: {why}."
            hint = "Charge it and take the run up with `edgebench run --resume RUN`, or lower "
            raise DeviceError(msg, hint=f"{hint}`battery_floor_percent` in [protocol].")
        time.sleep(min(LOOK_EVERY_S, max(left_s, 0.05)))
        # What is set for the measurement stays set meanwhile.
        patiently(lambda: renew(device))
