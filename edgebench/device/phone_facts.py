"""How an Android phone is: what its shell user may ask, and no root is needed for."""

from collections.abc import Mapping
from typing import Final

from edgebench.device import phone_readers as phone
from edgebench.device.fact import Fact

# Each changes by itself: none is in a fingerprint.
PHONE_FACTS: Final[Mapping[str, Fact]] = {
    "battery": Fact(command="dumpsys battery", read=phone.battery),
    "battery_saver": Fact(command="settings get global low_power", read=phone.switch),
    "thermal_service": Fact(command="dumpsys thermalservice", read=phone.thermal),
    "wakefulness": Fact(
        command="dumpsys power | grep -E "
        "'mWakefulness=|mStayOn=|Screen off timeout:|Display Power: state='",
        read=phone.wakefulness,
    ),
}
