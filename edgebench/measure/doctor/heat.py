"""Heat: how near a device is to where it slows itself down."""

from typing import Final

from edgebench.measure.doctor.clocks import NVIDIA
from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.measure.state.temperature import PROCESSORS

THERMAL: Final = "https://docs.kernel.org/driver-api/thermal/sysfs-api.html"
ANDROID: Final = "https://source.android.com/docs/core/power/thermal-mitigation"
# A model at work warms a board at rest by more than that.
NEAR_C: Final = 15.0
# Where a board does not say from which temperature on it slows down.
HOT_C: Final = 70.0
# https://developer.android.com/reference/android/os/PowerManager#THERMAL_STATUS_LIGHT
STATUSES: Final = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")


def hot(condition: Condition) -> Trouble | None:
    """A processor that is warm before anything runs on it."""
    trips = condition.table("thermal_trips_c")
    usual = condition.device.profile.temp_passive_c
    worst: tuple[float, str] | None = None
    for zone, value in condition.table("temperatures_c").items():
        if not isinstance(value, (int, float)) or not PROCESSORS.search(zone):
            continue
        trip = trips.get(zone)
        limit = float(trip) if isinstance(trip, (int, float)) else usual
        left_c = (limit - NEAR_C if limit is not None else HOT_C) - value
        told = f"{zone} at {value:.1f} °C" + (f", slows down at {limit:g} °C" if limit else "")
        if left_c <= 0 and (worst is None or left_c < worst[0]):
            worst = (left_c, told)
    if worst is None:
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=worst[1],
        why="At its passive trip point the kernel lowers the clock: such processes are invalid.",
        source=THERMAL,
        mend="Cool the board, and let it rest: a fan, a heat sink, no other work.",
        edgebench="Waits before each process until it is as cool as at rest, at most gate_wait_s.",
    )


def thermal_service(condition: Condition) -> Trouble | None:
    """A phone that says itself that it is hot."""
    status = condition.table("thermal_service").get("status")
    if not isinstance(status, int) or status < 1:
        return None
    name = STATUSES[min(status, len(STATUSES) - 1)]
    return Trouble(
        severity=Severity.DOUBT if status == 1 else Severity.SERIOUS,
        found=f"thermal status {status} ({name})",
        why="Android slows the phone down: light is a doubt, from moderate on cells are invalid.",
        source=ANDROID,
        mend="Take it out of its case, off the charger and out of the sun, and let it rest.",
        edgebench="Watches the status beside the samples, and runs a process anew that was hit.",
    )


def fan(condition: Condition) -> Trouble | None:
    """A fan that follows the temperature."""
    if condition.device.facts.get("fan_control") != "active":
        return None
    speeds = [str(duty) for duty in condition.table("fan_pwm").values()]
    return Trouble(
        severity=Severity.NOTE,
        found=f"nvfancontrol is active{f', duty {speeds[0]} of 255' if speeds else ''}",
        why="The fan comes on late, so that the first processes run warmer than the last.",
        source=NVIDIA,
        mend="sudo systemctl stop nvfancontrol && echo 255 | sudo tee /sys/class/hwmon/hwmon*/pwm1",
        edgebench='`fan = "100 %"` in the plan: set and put back, by root or sudo -n.',
    )
