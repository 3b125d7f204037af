"""What a board's answer about its share of a machine means: pure functions."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

# What the kernel writes for "no limit", to the page.
NO_LIMIT_BYTES: Final = 1 << 60


def load(answer: str) -> dict[str, JsonValue] | None:
    r"""Runnable processes, mean of a minute, and the share of ten seconds in which some waited.

    >>> load("0.52 0.58 0.59 1/389 12345\nsome avg10=1.25 avg60=0.40 avg300=0.10 total=1\n")
    {'running': 0.52, 'waiting_percent': 1.25}
    >>> load("0.52 0.58 0.59 1/389 12345\n")
    {'running': 0.52, 'waiting_percent': None}
    """
    running = re.search(r"^(\d+\.\d+) \d+\.\d+ \d+\.\d+ ", answer, re.MULTILINE)
    waiting = re.search(r"^some avg10=(\d+\.\d+)", answer, re.MULTILINE)
    if running is None and waiting is None:
        return None
    return {
        "running": float(running[1]) if running else None,
        "waiting_percent": float(waiting[1]) if waiting else None,
    }


def is_emulated(facts: Mapping[str, JsonValue]) -> bool:
    """Whether a device's instructions are translated, so that no time there is a board's.

    >>> is_emulated({"emulator": "qemu-aarch64"}), is_emulated({"virtualization": "qemu"})
    (True, True)
    >>> is_emulated({"virtualization": "kvm", "model": "linux,dummy-virt"}), is_emulated({})
    (False, False)
    """
    kind = facts.get("virtualization")
    is_unnamed = kind in {None, "none"} and facts.get("model") == "linux,dummy-virt"
    return bool(facts.get("emulator")) or kind == "qemu" or is_unnamed


def steal_ratio(answer: str) -> float | None:
    r"""Share of all time since boot that went to other guests, of the first line of /proc/stat.

    >>> steal_ratio("cpu  10 0 10 60 0 0 0 20 0 0\n"), steal_ratio("")
    (0.2, None)
    """
    found = re.match(r"cpu((?: +\d+){8})", answer)
    if found is None:
        return None
    ticks = [int(word) for word in found[1].split()]
    return round(ticks[7] / sum(ticks), 5) if sum(ticks) else None


def limits(answer: str) -> dict[str, JsonValue] | None:
    r"""The lowest limits of control groups, of version 2 or 1; None for what is not limited.

    >>> limits("/sys/fs/cgroup/cpu.max 50000 100000\n/sys/fs/cgroup/memory.max max\n")
    {'cores': 0.5, 'memory_bytes': None}
    >>> limits("/c/cpu/cpu.cfs_quota_us -1\n/c/cpu/cpu.cfs_period_us 100000\n"), limits("")
    ({'cores': None, 'memory_bytes': None}, None)
    """
    rows = [line.split() for line in answer.splitlines() if " " in line]
    if not rows:
        return None
    files = {path: words for path, *words in rows}
    cores: list[float] = []
    memory: list[int] = []
    for path, words in files.items():
        name = path.rpartition("/")[2]
        period = files.get(path.replace("_quota_", "_period_"), [])
        if name == "cpu.max" and len(words) == 2:
            cores += _quotient(*words)
        elif name == "cpu.cfs_quota_us" and period:
            cores += _quotient(words[0], period[0])
        elif name.startswith("memory.") and words[0].isdigit() and int(words[0]) < NO_LIMIT_BYTES:
            memory.append(int(words[0]))
    return {"cores": min(cores, default=None), "memory_bytes": min(memory, default=None)}


def _quotient(quota: str, period: str) -> list[float]:
    """Cores of a quota; none where there is no limit."""
    return [int(quota) / int(period)] if quota.isdigit() and int(period) > 0 else []
