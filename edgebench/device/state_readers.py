"""What a board's answer about its state means: pure functions, None where the text does not say."""

import re
from typing import Final

from pydantic import JsonValue

from edgebench.device.listed import by_folder, listed_rows

# Below it the firmware of a Pi 5 counts an under-voltage.
SUPPLY_MIN_V: Final = 4.63
# Bits of `vcgencmd get_throttled`: of this moment, and from the 16th on since boot.
THROTTLED: Final = ("under-voltage", "clock capped", "throttled", "soft temperature limit")
# Swap of a share of the memory differs by some pages from boot to boot.
SWAP_STEP_BYTES: Final = 64 << 20


def power_mode(answer: str) -> dict[str, JsonValue] | None:
    r"""The mode of `nvpmodel -q`, which complains among its lines where the user is not root.

    >>> power_mode("NV Fan Mode:quiet\nNV Power Mode: MODE_15W\n2\nNVPM ERROR: no access: 13\n")
    {'id': 2, 'name': 'MODE_15W', 'fan': 'quiet'}
    """
    name = re.search(r"NV Power Mode:[ \t]*(\S+)\s+(\d+)\s*$", answer, re.MULTILINE)
    fan = re.search(r"^NV Fan Mode:[ \t]*(\S+)", answer, re.MULTILINE)
    if name is None:
        return None
    return {"id": int(name[2]), "name": name[1], "fan": fan[1] if fan else None}


def power_modes(answer: str) -> dict[str, JsonValue] | None:
    """Names of the modes by their number, of /etc/nvpmodel.conf.

    >>> power_modes("< POWER_MODEL ID=0 NAME=15W >")
    {'0': '15W'}
    """
    return dict(re.findall(r"POWER_MODEL ID=(\d+) NAME=([^\s>]+)", answer)) or None


def service(answer: str) -> str | None:
    r"""What systemd says of a unit; None where there is no systemd.

    >>> service("active\n"), service("unknown\n"), service("")
    ('active', None, None)
    """
    word = answer.strip()
    return word if word in {"active", "inactive", "failed"} else None


def pwms(answer: str) -> dict[str, JsonValue] | None:
    r"""Duty cycle of each fan, 0 to 255.

    >>> pwms("/sys/class/hwmon/hwmon2/pwm1 66\n")
    {'hwmon2/pwm1': 66}
    """
    rows = ((f"{folder}/{name}", text) for folder, name, text in listed_rows(answer))
    return {name: int(text) for name, text in rows if text.isdigit()} or None


def trips(answer: str) -> dict[str, JsonValue] | None:
    r"""The lowest passive trip point of each zone, in °C.

    >>> trips("cpu-thermal 80000\ncpu-thermal 85000\ngpu 0\n")
    {'cpu-thermal': 80.0}
    """
    lowest: dict[str, float] = {}
    for zone, milli in re.findall(r"^(\S+) (\d+)$", answer, re.MULTILINE):
        if int(milli) > 0:
            lowest[zone] = min(int(milli) / 1000, lowest.get(zone, int(milli) / 1000))
    return {**lowest} or None


def throttled(answer: str) -> dict[str, JsonValue] | None:
    r"""What the firmware of a Pi says of this moment, and of the time since it was started.

    https://www.raspberrypi.com/documentation/computers/os.html#get_throttled

    >>> throttled("throttled=0x50005\n")["now"], throttled("error=1\n")
    (['under-voltage', 'throttled'], None)
    """
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", answer)
    if found is None:
        return None
    mask = int(found[1], 16)
    return {
        "now": [name for bit, name in enumerate(THROTTLED) if mask >> bit & 1],
        "since_boot": [name for bit, name in enumerate(THROTTLED, 16) if mask >> bit & 1],
    }


def counts(answer: str) -> dict[str, JsonValue] | None:
    r"""Counters, by the name of their file.

    >>> counts("/h/hwmon3/oc1_event_cnt 0\n/h/hwmon3/oc3_event_cnt 7\n")
    {'oc1_event_cnt': 0, 'oc3_event_cnt': 7}
    """
    return {name: int(text) for _, name, text in listed_rows(answer) if text.isdigit()} or None


def chosen(answer: str) -> str | None:
    r"""The word in brackets.

    >>> chosen("always [madvise] never\n")
    'madvise'
    """
    found = re.search(r"\[(\w+)\]", answer)
    return found[1] if found else None


def swaps(answer: str) -> list[JsonValue] | None:
    r"""Kind and size of each swap, of /proc/swaps; an empty list where there is none.

    >>> swaps("Filename Type Size Used Priority\n/dev/zram0 partition 1942144 12 100\n")
    [{'kind': 'zram', 'size_bytes': 2013265920}]
    """
    head, *rows = answer.strip().splitlines() or [""]
    if not head.startswith("Filename"):
        return None
    found: list[JsonValue] = []
    for row in rows:
        name, kind, size_kib, *_ = row.split()
        size_bytes = round(int(size_kib) * 1024 / SWAP_STEP_BYTES) * SWAP_STEP_BYTES
        found.append({"kind": "zram" if "zram" in name else kind, "size_bytes": size_bytes})
    return found


def swap_used_bytes(answer: str) -> int | None:
    r"""What lies in all swaps together.

    >>> swap_used_bytes("Filename Type Size Used Priority\n/swap file 524284 2048 -2\n")
    2097152
    """
    head, *rows = answer.strip().splitlines() or [""]
    if not head.startswith("Filename"):
        return None
    return sum(int(row.split()[3]) * 1024 for row in rows)


def supply(answer: str) -> str | None:
    """What class a Pi 5's supply is of, by its voltage; the voltage itself moves all the time.

    >>> supply("     EXT5V_V volt(24)=5.11032000V"), supply("EXT5V_V volt(24)=4.60100000V")
    ('normal', 'low')
    """
    found = re.search(r"EXT5V_V volt\(\d+\)=([\d.]+)V", answer)
    if found is None:
        return None
    return "normal" if float(found[1]) >= SUPPLY_MIN_V else "low"


def power_source(answer: str) -> str | None:
    r"""`battery` where one is being discharged, else `mains` where a supply is seen.

    >>> power_source("/s/BAT0/type Battery\n/s/BAT0/status Discharging\n/s/AC/type Mains\n")
    'battery'
    >>> power_source("/s/AC/type Mains\n/s/AC/online 1\n"), power_source("")
    ('mains', None)
    """
    supplies = by_folder(answer).values()
    if any(s.get("type") == "Battery" and s.get("status") == "Discharging" for s in supplies):
        return "battery"
    is_fed = any(s.get("online") == "1" or s.get("type") == "Battery" for s in supplies)
    return "mains" if is_fed else None


def screen(answer: str) -> str | None:
    r"""Whether a screen that is connected is lit; None where the kernel shows no connector.

    >>> screen("/d/card0-HDMI-A-1/status connected\n/d/card0-HDMI-A-1/dpms On\n")
    'on'
    >>> screen("/d/card0-HDMI-A-1/status disconnected\n/d/card0-HDMI-A-1/dpms On\n"), screen("")
    ('off', None)
    """
    connectors = by_folder(answer).values()
    lit = [c for c in connectors if c.get("status") == "connected" and c.get("dpms") == "On"]
    return ("on" if lit else "off") if connectors else None
