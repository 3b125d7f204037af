"""Power that does not suffice, and energy that cannot be read."""

from typing import Final

from edgebench.core import Reason
from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.measure.meters.meter import Absent

THROTTLED: Final = "https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"
SUPPLY: Final = "https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#power-supply"
OVER_CURRENT: Final = "https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/"
METERS: Final = "edgebench/measure/README.md"


def throttled_now(condition: Condition) -> Trouble | None:
    """A Pi that says that it is slowed down."""
    now = condition.table("throttled").get("now")
    if not isinstance(now, list) or not now:
        return None
    is_supply = "under-voltage" in now
    return Trouble(
        severity=Severity.SERIOUS,
        found=", ".join(map(str, now)),
        why="The firmware lowers the clock: every process that sees it is invalid.",
        source=THROTTLED,
        mend="Use the vendor's own supply and a short cable."
        if is_supply
        else "Cool the board: a fan, a heat sink, a cooler room.",
        edgebench="Watches the bits beside the samples, and runs a process anew that was hit.",
    )


def throttled_before(condition: Condition) -> Trouble | None:
    """A Pi that was slowed down since it was started."""
    past = condition.table("throttled").get("since_boot")
    now = condition.table("throttled").get("now")
    if not isinstance(past, list) or not past or now:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=", ".join(map(str, past)),
        why="What happened once under load happens again; the bits stay set until a reboot.",
        source=THROTTLED,
        mend="sudo reboot",
        edgebench="Counts only what happens while samples are taken.",
    )


def supply_low(condition: Condition) -> Trouble | None:
    """A Pi 5 that is fed less than 4.63 V."""
    if condition.device.facts.get("supply") != "low":
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found="below 4.63 V",
        why="The firmware counts an under-voltage, and slows the board down.",
        source=SUPPLY,
        mend="Use the vendor's own supply and a short cable.",
    )


def over_current(condition: Condition) -> Trouble | None:
    """A Jetson whose supply was asked for too much since it was started."""
    counted = {n: c for n, c in condition.table("over_current_events").items() if c}
    if not counted:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=", ".join(f"{name.partition('_')[0]} {count}" for name, count in counted.items()),
        why="At each of them the module halves its clocks for a moment.",
        source=OVER_CURRENT,
        mend="sudo nvpmodel -q --verbose   # choose a mode with a lower limit: sudo nvpmodel -m ID",
        edgebench="Counts them beside the samples, and runs a process anew that was hit.",
    )


def on_battery(condition: Condition) -> Trouble | None:
    """A computer that is fed by its battery."""
    if condition.is_phone or condition.device.facts.get("power_source") != "battery":
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found="battery",
        why="Firmware holds the clock lower on battery, and lower still as it runs out.",
        source="https://docs.kernel.org/power/power_supply_class.html",
        mend="Plug in the charger.",
    )


def firmware_closed(condition: Condition) -> Trouble | None:
    """A Pi whose firmware does not answer the login user."""
    is_mute = all(condition.device.facts.get(name) is None for name in ("throttled", "firmware"))
    if "vcgencmd" not in condition.listing.tools or not is_mute:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found="vcgencmd answers nothing",
        why="Neither throttling nor the power of a Pi 5 can be read.",
        source="https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd",
        mend='sudo usermod -aG video "$USER"   # then log in again',
    )


def energy_source(condition: Condition) -> Trouble | None:
    """No meter that may be read."""
    meter = condition.meter
    if not isinstance(meter, Absent):
        return None
    is_missing = meter.reason is Reason.NO_SENSOR
    return Trouble(
        severity=Severity.NOTE if is_missing else Severity.DOUBT,
        found=f"{meter.reason.value}: {meter.message}",
        why="Energy has no number, with this reason in its place.",
        source=METERS,
        mend=meter.hint,
        edgebench='`meter = "tasmota:ADDRESS"` in [[device]] reads a plug in its place.'
        if is_missing
        else None,
    )
