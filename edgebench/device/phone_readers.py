"""What Android says of a phone: pure functions, None where the text does not say.

https://developer.android.com/tools/dumpsys
https://source.android.com/docs/core/power/thermal-mitigation
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

# CPU, GPU, skin, and the accelerator: what the cached block says of them may be old.
HEAT_TYPES: Final = frozenset({0, 1, 3, 9})
# https://developer.android.com/reference/android/os/BatteryManager#BATTERY_STATUS_CHARGING
BATTERY_STATES: Final[Mapping[str, str]] = {
    "1": "unknown",
    "2": "charging",
    "3": "discharging",
    "4": "not charging",
    "5": "full",
}


def battery(answer: str) -> dict[str, JsonValue] | None:
    r"""The state of `dumpsys battery`: what stands indented under its first heading.

    A log of another time may follow it.

    >>> text = "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n"
    >>> battery(text + "  status: 2\n  level: 67\n  scale: 100\n  temperature: 337\n[Log]\n")
    {'level_percent': 67, 'state': 'charging', 'fed_by': 'USB', 'temp_c': 33.7}
    """
    head, *lines = answer.strip("\n").splitlines() or [""]
    if not head.startswith("Current Battery Service state"):
        return None
    ends = (i for i, line in enumerate(lines) if not line.startswith(" "))
    rows = (line.partition(":") for line in lines[: next(ends, len(lines))])
    known = {name.strip(): value.strip() for name, _, value in rows}
    feeds = [n.removesuffix(" powered") for n, v in known.items() if n.endswith("powered")]
    fed = [name for name in feeds if known[f"{name} powered"] == "true"]
    level, scale, tenths = (known.get(name, "") for name in ("level", "scale", "temperature"))
    is_known = level.isdigit() and scale.isdigit() and int(scale) > 0
    return {
        "level_percent": round(100 * int(level) / int(scale)) if is_known else None,
        "state": BATTERY_STATES.get(known.get("status", "")),
        "fed_by": "+".join(fed) or None,
        "temp_c": int(tenths) / 10 if re.fullmatch(r"-?\d+", tenths) else None,
    }


def thermal_status(text: str) -> int | None:
    r"""The severity that Android gives its own heat, 0 to 6.

    >>> thermal_status("IsStatusOverride: false\nThermal Status: 2\n")
    2
    """
    found = re.search(r"^Thermal Status: (\d)", text, re.MULTILINE)
    return int(found[1]) if found else None


def hal_temperatures(text: str) -> dict[str, float]:
    """Temperatures of the block that is read now; the cached one above it lags behind.

    >>> hal_temperatures('''Cached temperatures:
    ...  Temperature{mValue=84.2, mType=0, mName=CPU, mStatus=0}
    ... Current temperatures from HAL:
    ...  Temperature{mValue=57.9, mType=0, mName=CPU, mStatus=0}
    ...  Temperature{mValue=31.0, mType=2, mName=BATTERY, mStatus=0}
    ... Temperature static thresholds from HAL:''')
    {'CPU': 57.9}
    """
    _, _, rest = text.partition("Current temperatures from HAL:")
    block, _, _ = rest.partition("from HAL:")
    rows = re.findall(r"mValue=([-\d.]+), mType=(\d+), mName=([^,}]+)", block)
    return {name: float(value) for value, kind, name in rows if int(kind) in HEAT_TYPES}


def thermal(answer: str) -> dict[str, JsonValue] | None:
    r"""Severity and temperatures of `dumpsys thermalservice`.

    >>> thermal("IsStatusOverride: false\nThermal Status: 0\n"), thermal("")
    ({'status': 0, 'temperatures_c': {}}, None)
    """
    status = thermal_status(answer)
    if status is None:
        return None
    return {"status": status, "temperatures_c": {**hal_temperatures(answer)}}


def wakefulness(answer: str) -> dict[str, JsonValue] | None:
    r"""Whether a phone is awake and stays so, of `dumpsys power`.

    The time is the one in force: a setting of -1 may be no "never" but the shortest there is.

    >>> wakefulness("  mWakefulness=Awake\n  mStayOn=false\nScreen off timeout: 60000 ms\n")
    {'state': 'Awake', 'display': None, 'stays_on': False, 'screen_off_s': 60.0}
    """
    state = re.search(r"^\s*mWakefulness=(\w+)", answer, re.MULTILINE)
    if state is None:
        return None
    display = re.search(r"^\s*Display Power: state=(\w+)", answer, re.MULTILINE)
    stays = re.search(r"^\s*mStayOn=(true|false)", answer, re.MULTILINE)
    off = re.search(r"^\s*Screen off timeout: (\d+) ms", answer, re.MULTILINE)
    return {
        "state": state[1],
        "display": display[1] if display else None,
        "stays_on": stays[1] == "true" if stays else None,
        "screen_off_s": int(off[1]) / 1000 if off else None,
    }


def switch(answer: str) -> bool | None:
    r"""A setting of Android's that is on or off; one that nobody has set is off.

    >>> switch("1\n"), switch("null\n"), switch("")
    (True, False, None)
    """
    return {"1": True, "0": False, "null": False}.get(answer.strip())
