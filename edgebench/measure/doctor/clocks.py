"""Clocks that may move, or that are held lower than they could be."""

import re
from typing import Final

from pydantic import JsonValue

from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.units import show_hz

CPUFREQ: Final = "https://docs.kernel.org/admin-guide/pm/cpufreq.html"
CPUIDLE: Final = "https://docs.kernel.org/admin-guide/pm/cpuidle.html"
CAPACITY: Final = "https://docs.kernel.org/scheduler/sched-capacity.html"
NVIDIA: Final = (
    "https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/SD/PlatformPowerAndPerformance/"
    "JetsonOrinNanoSeriesJetsonOrinNxSeriesAndJetsonAgxOrinSeries.html"
)
FIXED_MODE: Final = "https://source.android.com/docs/core/power/performance"
CPU: Final = "/sys/devices/system/cpu"
POLICY: Final = re.compile(r"policy\d+")
# The first steps of x86 and ARM, from which a core is back in a microsecond or two.
SHALLOW: Final = re.compile(r".*POLL.*|WFI|C1E?|C1_ACPI")
# A limit of the firmware's own may lie a step below what the kernel calls the highest.
CAPPED: Final = 0.98


def governor(condition: Condition) -> Trouble | None:
    """A governor that moves the clock while samples are taken."""
    found = {
        name: str(policy["governor"])
        for name, policy in _policies(condition)
        if policy.get("governor") not in {None, "performance"}
    }
    if not found:
        return None
    why = "The clock follows the load: times differ by what ran before, and cells are suspect."
    shown = ", ".join(f"{name} {word}" for name, word in sorted(found.items()))
    if condition.is_phone and not condition.device.facts.get("is_root"):
        return Trouble(
            severity=Severity.DOUBT,
            found=shown,
            why=f"{why} Only root may set it; the fixed mode of performance is the next best.",
            source=FIXED_MODE,
            mend="adb shell cmd power set-fixed-performance-mode-enabled true",
            edgebench="`fixed_performance = true` in the plan: set and put back.",
        )
    return Trouble(
        severity=Severity.SERIOUS,
        found=shown,
        why=why,
        source=CPUFREQ,
        mend=_governor_command(condition, list(found)),
        edgebench='`governor = "performance"` in the plan: set and put back, by root or sudo -n.',
    )


def _policies(condition: Condition) -> list[tuple[str, dict[str, JsonValue]]]:
    """Policies by a name that may stand in a command."""
    named = condition.table("frequency_policies").items()
    return [(n, p) for n, p in sorted(named) if POLICY.fullmatch(n) and isinstance(p, dict)]


def _governor_command(condition: Condition, policies: list[str]) -> str | None:
    known = condition.table("governors_available")
    able = [p for p in policies if p not in known or "performance" in str(known[p])]
    paths = " ".join(f"{CPU}/cpufreq/{policy}/scaling_governor" for policy in sorted(able))
    return f"echo performance | sudo tee {paths}" if able else None


def capped(condition: Condition) -> Trouble | None:
    """A policy whose highest clock is below what its cores can do."""
    highest = {cpu: hz for cpus, hz in _clusters(condition) for cpu in cpus}
    lower: dict[str, tuple[int, int]] = {}
    for name, policy in _policies(condition):
        limit = policy.get("max_hz")
        if not isinstance(limit, int):
            continue
        first = str(policy.get("cpus") or "").replace("-", " ").split()[:1]
        able = highest.get(int(first[0])) if first and first[0].isdigit() else None
        if able is not None and limit < CAPPED * able:
            lower[name] = (limit, able)
    if not lower:
        return None
    commands = [
        f"echo {able // 1000} | sudo tee {CPU}/cpufreq/{name}/scaling_max_freq"
        for name, (_, able) in sorted(lower.items())
    ]
    shown = [f"{n} up to {show_hz(a)} of {show_hz(b)}" for n, (a, b) in sorted(lower.items())]
    return Trouble(
        severity=Severity.NOTE if condition.table("power_mode") else Severity.DOUBT,
        found=", ".join(shown),
        why="The board can be faster than heat, its supply, or somebody lets it be.",
        source=CPUFREQ,
        mend="; ".join(commands),
    )


def locked_clocks(condition: Condition) -> Trouble | None:
    """A Jetson whose clocks may move."""
    if (
        not condition.table("power_mode")
        or condition.device.facts.get("clocks_locked") is not False
    ):
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found="jetson_clocks is off",
        why="Clocks of cores, GPU and memory follow the load, below what the power mode allows.",
        source=NVIDIA,
        mend="sudo jetson_clocks",
        edgebench="`jetson_clocks = true` in the plan: set and put back, by root or sudo -n.",
    )


def power_mode(condition: Condition) -> Trouble | None:
    """A Jetson in a mode below its highest."""
    now = condition.table("power_mode")
    modes = condition.table("power_modes")
    best = next((n for n, m in modes.items() if n.isdigit() and str(m).startswith("MAXN")), None)
    if not now or best is None or str(now.get("id")) == best:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=f"{now.get('name')}, of {', '.join(str(name) for name in modes.values())}",
        why="The power mode decides how many cores run, and how fast: numbers are of this mode.",
        source=NVIDIA,
        mend=f"sudo nvpmodel -m {best}",
        edgebench='`power_mode = "NAME"` in the plan: set and put back, where no reboot is due.',
    )


def idle_states(condition: Condition) -> Trouble | None:
    """Sleep from which a core takes long to wake."""
    deep = [
        name
        for name, is_allowed in condition.table("idle_states").items()
        if is_allowed is True and not SHALLOW.fullmatch(name.upper())
    ]
    if not deep:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=", ".join(deep),
        why="A core that slept deeply wakes late: the first inference after a pause takes longer.",
        source=CPUIDLE,
        mend=f"echo 1 | sudo tee {CPU}/cpu*/cpuidle/state[1-9]*/disable",
        edgebench="Each sample follows the last at once; `periodic` tells how late the wake was.",
    )


def boost(condition: Condition) -> Trouble | None:
    """A clock above the nominal one, for as long as heat allows."""
    if condition.device.facts.get("boost") is not True:
        return None
    no_turbo = f"{CPU}/intel_pstate/no_turbo"
    return Trouble(
        severity=Severity.DOUBT,
        found="on",
        why="How long the clock stays above its nominal one depends on heat and on other cores.",
        source=CPUFREQ,
        mend=f"if [ -e {no_turbo} ]; then echo 1 | sudo tee {no_turbo}; "
        f"else echo 0 | sudo tee {CPU}/cpufreq/boost; fi",
    )


def cores_offline(condition: Condition) -> Trouble | None:
    """Cores that are there and turned off."""
    off = condition.rows("cpus_offline")
    if not off:
        return None
    paths = " ".join(f"{CPU}/cpu{cpu}/online" for cpu in off if isinstance(cpu, int))
    return Trouble(
        severity=Severity.NOTE,
        found=f"cores {', '.join(map(str, off))}",
        why="Runs with many threads have fewer cores than the board has.",
        source="https://docs.kernel.org/core-api/cpu_hotplug.html",
        mend=f"echo 1 | sudo tee {paths}",
    )


def unlike_cores(condition: Condition) -> Trouble | None:
    """Clusters of different speed."""
    clusters = [row for row in condition.rows("clusters") if isinstance(row, dict)]
    if len({(str(row.get("capacity")), str(row.get("max_hz"))) for row in clusters}) < 2:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found="; ".join(map(_described, clusters)),
        why="A process that wanders between clusters is two kinds of slow.",
        source=CAPACITY,
        edgebench="Runs on the fastest cluster, and says so where threads are more than its cores.",
    )


def _described(cluster: dict[str, JsonValue]) -> str:
    cpus, hz, capacity = (cluster.get(name) for name in ("cpus", "max_hz", "capacity"))
    text = f"cores {', '.join(map(str, cpus))}" if isinstance(cpus, list) else "cores"
    text += f" up to {show_hz(hz)}" if isinstance(hz, int) else ""
    return text + (f" (capacity {capacity})" if capacity is not None else "")


def _clusters(condition: Condition) -> list[tuple[list[int], int]]:
    found: list[tuple[list[int], int]] = []
    for row in condition.rows("clusters"):
        cpus, hz = (row.get("cpus"), row.get("max_hz")) if isinstance(row, dict) else (None, None)
        if isinstance(cpus, list) and isinstance(hz, int):
            found.append(([cpu for cpu in cpus if isinstance(cpu, int)], hz))
    return found
