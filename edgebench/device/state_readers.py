"""What a board's answer about its state means: pure functions, None where the text does not say."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

# Below it the firmware of a Pi 5 counts an under-voltage.
SUPPLY_MIN_V: Final = 4.63
# Swap of a share of the memory differs by some pages from boot to boot.
SWAP_STEP_BYTES: Final = 64 << 20


def _rows(answer: str) -> Iterator[tuple[str, str, str]]:
    """Folder, file and content of lines `PATH CONTENT`."""
    for line in answer.splitlines():
        path, _, content = line.strip().partition(" ")
        folder, _, name = path.rpartition("/")
        if folder:
            yield folder.rpartition("/")[2], name, content.strip()


def _by_folder(answer: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for folder, name, content in _rows(answer):
        found.setdefault(folder, {})[name] = content
    return found


def _hz(kilohertz: str | None) -> int | None:
    return int(kilohertz) * 1000 if kilohertz and kilohertz.isdigit() else None


def policies(answer: str) -> dict[str, JsonValue] | None:
    r"""Governor and limits of the clock, by policy of cpufreq.

    >>> policies("/p/policy0/related_cpus 0 1\n/p/policy0/scaling_max_freq 1500000\n")["policy0"]
    {'cpus': '0 1', 'governor': None, 'min_hz': None, 'max_hz': 1500000000, 'available_hz': None}
    """
    found: dict[str, JsonValue] = {}
    for policy, files in sorted(_by_folder(answer).items()):
        steps = files.get("scaling_available_frequencies")
        found[policy] = {
            "cpus": files.get("related_cpus"),
            "governor": files.get("scaling_governor"),
            "min_hz": _hz(files.get("scaling_min_freq")),
            "max_hz": _hz(files.get("scaling_max_freq")),
            "available_hz": [_hz(step) for step in steps.split()] if steps else None,
        }
    return found or None


def clocks_hz(answer: str) -> dict[str, JsonValue] | None:
    r"""The clock of this moment, by policy.

    >>> clocks_hz("/p/policy4/scaling_cur_freq 729600\n")
    {'policy4': 729600000}
    """
    return {policy: _hz(content) for policy, _, content in _rows(answer)} or None


def boost(answer: str) -> bool | None:
    r"""Whether the clock may rise above its nominal one.

    >>> boost("/c/cpufreq/boost 1\n"), boost("/c/intel_pstate/no_turbo 1\n"), boost("")
    (True, False, None)
    """
    for _, name, content in _rows(answer):
        return (content == "1") is (name == "boost")
    return None


def idle_states(answer: str) -> dict[str, JsonValue] | None:
    r"""Whether each idle state of the first core may be entered.

    >>> idle_states("/i/state0/name WFI\n/i/state0/disable 0\n/i/state1/name c7\n")
    {'WFI': True, 'c7': None}
    """
    allowed: Mapping[str, bool] = {"0": True, "1": False}
    states = _by_folder(answer).values()
    return {s["name"]: allowed.get(s.get("disable", "")) for s in states if "name" in s} or None


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


def clocks_locked(answer: str) -> bool | None:
    r"""Whether no clock may move, as `jetson_clocks` leaves them: each lowest is the highest.

    >>> clocks_locked("/p/policy0/scaling_min_freq 5\n/p/policy0/scaling_max_freq 5\n")
    True
    >>> clocks_locked("/d/gpu/min_freq 3\n/d/gpu/max_freq 6\n"), clocks_locked("")
    (False, None)
    """
    limits = [sorted(files.values()) for files in _by_folder(answer).values() if len(files) == 2]
    return all(low == high for low, high in limits) if limits else None


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
    rows = ((f"{folder}/{name}", text) for folder, name, text in _rows(answer))
    return {name: int(text) for name, text in rows if text.isdigit()} or None


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
    supplies = _by_folder(answer).values()
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
    connectors = _by_folder(answer).values()
    lit = [c for c in connectors if c.get("status") == "connected" and c.get("dpms") == "On"]
    return ("on" if lit else "off") if connectors else None
