"""What phones do by themselves: charge, run out, save, fall asleep."""

from typing import Final

from edgebench.measure.doctor.trouble import Condition, Severity, Trouble

BATTERY: Final = "https://developer.android.com/reference/android/os/BatteryManager"
POWER: Final = "https://developer.android.com/reference/android/os/PowerManager"
STAY_ON: Final = (
    "https://developer.android.com/reference/android/provider/Settings.Global"
    "#STAY_ON_WHILE_PLUGGED_IN"
)
# As a protocol has it unless it says otherwise, and FAI-PEP's benchmarks of phones.
FLOOR_PERCENT: Final = 30
WARM_C: Final = 40.0
# No run of more than a few cells is over sooner.
SCREEN_S: Final = 1800.0


def battery_low(condition: Condition) -> Trouble | None:
    """A battery that does not last."""
    level = condition.table("battery").get("level_percent")
    if not isinstance(level, int) or level >= FLOOR_PERCENT:
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=f"{level} %",
        why="A phone that runs out lowers its clocks, turns its saver on, and ends.",
        source=BATTERY,
        mend="Charge it.",
        edgebench=f"Measures nothing below `battery_floor_percent`, {FLOOR_PERCENT} unless said.",
    )


def charging(condition: Condition) -> Trouble | None:
    """A phone that is fed from outside."""
    battery = condition.table("battery")
    if not battery.get("fed_by"):
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"{battery.get('state') or 'fed'} by {battery['fed_by']}",
        why="Charging warms the phone, and the battery tells no energy: not_discharging.",
        source=BATTERY,
        mend="adb tcpip 5555 && adb connect PHONE:5555   # then pull the cable",
        edgebench="Refuses energy of the battery; rails, as of a Pixel 6, are read all the same.",
    )


def battery_warm(condition: Condition) -> Trouble | None:
    """A battery that has Android slow the phone down."""
    warm = condition.table("battery").get("temp_c")
    if not isinstance(warm, (int, float)) or warm < WARM_C:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"{warm:.1f} °C",
        why="From some 40 °C of its skin on a phone lowers its clocks by itself.",
        source="https://source.android.com/docs/core/power/thermal-mitigation",
        mend="Take it off the charger and out of its case, and let it rest.",
    )


def battery_saver(condition: Condition) -> Trouble | None:
    """Android's own way to be slower."""
    if condition.device.facts.get("battery_saver") is not True:
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found="on",
        why="The battery saver lowers clocks and holds back what runs without a screen.",
        source=POWER,
        mend="adb shell settings put global low_power 0",
    )


def asleep(condition: Condition) -> Trouble | None:
    """A phone whose screen is off."""
    state = condition.table("wakefulness").get("state")
    if state in {None, "Awake"}:
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=str(state),
        why="Asleep, a phone turns cores off, moves work to the small ones, and may stand still.",
        source=POWER,
        mend="adb shell input keyevent KEYCODE_WAKEUP",
        edgebench="`keep_awake = true` in the plan: wakes it, and puts back what was.",
    )


def falls_asleep(condition: Condition) -> Trouble | None:
    """A phone that will turn its screen off before a run is over."""
    found = condition.table("wakefulness")
    off_s = found.get("screen_off_s")
    is_short = isinstance(off_s, (int, float)) and off_s < SCREEN_S
    if found.get("stays_on") is not False or not is_short:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"the screen goes off after {off_s:g} s",
        why="In the middle of a run the phone becomes another device: asleep.",
        source=STAY_ON,
        mend="adb shell svc power stayon true",
        edgebench="`keep_awake = true` in the plan: set and put back.",
    )


def screen_on(condition: Condition) -> Trouble | None:
    """A screen that takes power beside the model."""
    is_lit = condition.table("wakefulness").get("display") == "ON"
    if not is_lit and condition.device.facts.get("screen") != "on":
        return None
    return Trouble(
        severity=Severity.NOTE,
        found="lit",
        why="It takes as much as a model, in gross energy and in heat; above idle it cancels out.",
        source=POWER,
        mend="adb shell settings put system screen_brightness 0" if is_lit else None,
    )
