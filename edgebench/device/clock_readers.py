"""What a board's answer about its cores and their clocks means: pure functions.

None where the text does not say.
"""

import re
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from edgebench.device.listed import by_folder, listed_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

CPUS_MAX: Final = 8192  # as many as Linux knows


def _hz(kilohertz: str | None) -> int | None:
    return int(kilohertz) * 1000 if kilohertz and kilohertz.isdigit() else None


def policies(answer: str) -> dict[str, JsonValue] | None:
    r"""Governor and limits of the clock, by policy of cpufreq.

    >>> policies("/p/policy0/related_cpus 0 1\n/p/policy0/scaling_max_freq 1500000\n")["policy0"]
    {'cpus': '0 1', 'governor': None, 'min_hz': None, 'max_hz': 1500000000, 'available_hz': None}
    """
    found: dict[str, JsonValue] = {}
    for policy, files in sorted(by_folder(answer).items()):
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
    return {policy: _hz(content) for policy, _, content in listed_rows(answer)} or None


def governors(answer: str) -> dict[str, JsonValue] | None:
    r"""What each policy's governor may be set to.

    >>> governors("/p/policy0/scaling_available_governors ondemand performance\n")
    {'policy0': ['ondemand', 'performance']}
    """
    return {policy: [*content.split()] for policy, _, content in listed_rows(answer)} or None


def cpu_list(text: str) -> frozenset[int]:
    r"""CPUs as the kernel lists them.

    >>> sorted(cpu_list("0-2,5\n")), sorted(cpu_list("4 5 6\n"))
    ([0, 1, 2, 5], [4, 5, 6])
    """
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", text):
        beyond = min(int(last or first), int(first) + CPUS_MAX)
        found |= set(range(int(first), beyond + 1))
    return frozenset(found)


def clusters(answer: str) -> list[JsonValue] | None:
    r"""Cores that share a clock and a capacity, with the limits of the hardware; slowest first.

    >>> clusters("/c/cpu/online 0-1\n/c/cpu0/cpu_capacity 446\n/c/cpu1/cpu_capacity 1024\n")
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'cpus': [0], 'capacity': 446, 'min_hz': None, 'max_hz': None},
     {'cpus': [1], 'capacity': 1024, 'min_hz': None, 'max_hz': None}]
    """
    folders = by_folder(answer)
    online = cpu_list(folders.get("cpu", {}).get("online", ""))
    policy_of = {
        cpu: name
        for name, files in folders.items()
        for cpu in cpu_list(files.get("related_cpus", ""))
    }
    alike: dict[tuple[int, str], list[int]] = {}
    for cpu in sorted(online):
        capacity = folders.get(f"cpu{cpu}", {}).get("cpu_capacity", "")
        key = (int(capacity) if capacity.isdigit() else -1, policy_of.get(cpu, ""))
        alike.setdefault(key, []).append(cpu)
    return [
        {
            "cpus": [*cpus],
            "capacity": capacity if capacity >= 0 else None,
            "min_hz": _hz(folders.get(policy, {}).get("cpuinfo_min_freq")),
            "max_hz": _hz(folders.get(policy, {}).get("cpuinfo_max_freq")),
        }
        for (capacity, policy), cpus in sorted(alike.items())
    ] or None


def cpus_offline(answer: str) -> list[JsonValue] | None:
    r"""Cores that are there and turned off.

    >>> cpus_offline("/c/cpu/present 0-3\n/c/cpu/online 0-1\n"), cpus_offline("")
    ([2, 3], None)
    """
    files = by_folder(answer).get("cpu", {})
    if "present" not in files or "online" not in files:
        return None
    return [*sorted(cpu_list(files["present"]) - cpu_list(files["online"]))]


def boost(answer: str) -> bool | None:
    r"""Whether the clock may rise above its nominal one.

    >>> boost("/c/cpufreq/boost 1\n"), boost("/c/intel_pstate/no_turbo 1\n"), boost("")
    (True, False, None)
    """
    for _, name, content in listed_rows(answer):
        return (content == "1") is (name == "boost")
    return None


def idle_states(answer: str) -> dict[str, JsonValue] | None:
    r"""Whether each idle state of the first core may be entered.

    >>> idle_states("/i/state0/name WFI\n/i/state0/disable 0\n/i/state1/name c7\n")
    {'WFI': True, 'c7': None}
    """
    allowed: Mapping[str, bool] = {"0": True, "1": False}
    states = by_folder(answer).values()
    return {s["name"]: allowed.get(s.get("disable", "")) for s in states if "name" in s} or None


def clocks_locked(answer: str) -> bool | None:
    r"""Whether no clock may move, as `jetson_clocks` leaves them: each lowest is the highest.

    >>> clocks_locked("/p/policy0/scaling_min_freq 5\n/p/policy0/scaling_max_freq 5\n")
    True
    >>> clocks_locked("/d/gpu/min_freq 3\n/d/gpu/max_freq 6\n"), clocks_locked("")
    (False, None)
    """
    limits = [sorted(files.values()) for files in by_folder(answer).values() if len(files) == 2]
    return all(low == high for low, high in limits) if limits else None
