"""Who else has a say: other work, other guests, limits, an emulator."""

from typing import Final

from edgebench.device.clock_readers import cpu_list
from edgebench.device.share_readers import is_emulated
from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.measure.state.gate import PRESSURE_MAX
from edgebench.measure.state.load import STEAL_MAX

PSI: Final = "https://docs.kernel.org/accounting/psi.html"
VIRTUAL: Final = "https://www.freedesktop.org/software/systemd/man/latest/systemd-detect-virt.html"
CGROUP: Final = "https://docs.kernel.org/admin-guide/cgroup-v2.html"
CPUSET: Final = "https://man7.org/linux/man-pages/man7/cpuset.7.html"
# Share of ten seconds in which somebody waited, and processes that ran, from which on it is clear.
CROWDED_PERCENT: Final = 10.0
RUNNING_DOUBT: Final = 0.5
WHO: Final = "ps -eo pcpu,pid,args --sort=-pcpu | head   # stop what needs most"


def other_load(condition: Condition) -> Trouble | None:
    """Other work, as it was before edgebench asked."""
    seen = condition.table("load")
    waiting, running = seen.get("waiting_percent"), seen.get("running")
    cores = condition.number("cpu_count") or 1
    if isinstance(waiting, (int, float)):
        is_doubt, is_serious = waiting > PRESSURE_MAX, waiting > CROWDED_PERCENT
        found = f"processes waited for a core in {waiting:.1f} % of the last ten seconds"
    elif isinstance(running, (int, float)):
        is_doubt, is_serious = running >= RUNNING_DOUBT, running >= cores
        found = f"{running:.2f} processes at work in the last minute, on {cores:g} cores"
    else:
        return None
    if not is_doubt:
        return None
    return Trouble(
        severity=Severity.SERIOUS if is_serious else Severity.DOUBT,
        found=found,
        why="Who shares a core is slower, by chance: cells are suspect as contended.",
        source=PSI,
        mend=WHO,
        edgebench="Waits before each process until it is quiet, at most gate_wait_s.",
    )


def emulated(condition: Condition) -> Trouble | None:
    """Instructions that are translated."""
    facts = condition.device.facts
    if not is_emulated(facts):
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=str(facts.get("emulator") or "a machine of QEMU's, without the processor's own help"),
        why="Times of translated instructions tell nothing of a board, nor which form is faster.",
        source="https://www.qemu.org/docs/master/devel/index-tcg.html",
        mend="Measure on a real board; outputs, sizes and accuracy are right here.",
        edgebench="Marks its cells as emulated.",
    )


def virtual_machine(condition: Condition) -> Trouble | None:
    """A machine that other guests share."""
    kind = condition.device.facts.get("virtualization")
    if not isinstance(kind, str) or kind in {"none", "qemu"}:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=kind,
        why="Its cores are others' too, and neither clock nor heat can be seen from inside.",
        source=VIRTUAL,
        mend="Measure on a machine of its own, or one whose cores are set aside for this guest.",
        edgebench="Watches what other guests take, where the machine tells it.",
    )


def container(condition: Condition) -> Trouble | None:
    """A container, which shares a kernel with others."""
    kind = condition.device.facts.get("container")
    if not isinstance(kind, str) or kind == "none":
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=kind,
        why="Other containers of the machine are other work that cannot be seen by name.",
        source=VIRTUAL,
        edgebench="Watches what others take of the cores, whoever they are.",
    )


def steal(condition: Condition) -> Trouble | None:
    """Time that other guests took."""
    ratio = condition.number("steal_ratio")
    if ratio is None or ratio <= STEAL_MAX:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"{ratio:.1%} of all time since boot",
        why="Other guests of the machine take its cores while samples are taken: contended.",
        source="https://docs.kernel.org/filesystems/proc.html",
        mend="Measure on a machine of its own, or one whose cores are set aside for this guest.",
        edgebench="Counts it beside the samples.",
    )


def core_limit(condition: Condition) -> Trouble | None:
    """A quota of time, after which everything stands still."""
    cores = condition.table("cgroup_limits").get("cores")
    count = condition.number("cpu_count")
    if not isinstance(cores, (int, float)) or (count is not None and cores >= count):
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=f"{cores:g} of {count:g} cores" if count else f"{cores:g} cores",
        why="Whoever has used up the quota stands still until the next period, 0.1 s later.",
        source=CGROUP,
        mend="Start the container or the service without a quota: docker update --cpus 0 NAME",
    )


def memory_limit(condition: Condition) -> Trouble | None:
    """Less memory than the machine has."""
    limit = condition.table("cgroup_limits").get("memory_bytes")
    total = condition.number("memory_total_bytes")
    if not isinstance(limit, int) or total is None or limit >= total:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=f"{limit / 1e6:.0f} MB of {total / 1e6:.0f} MB",
        why="What is above it is killed, whatever the machine has free.",
        source=CGROUP,
        mend="Start the container or the service without a limit: docker update -m 0 NAME",
    )


def cores_withheld(condition: Condition) -> Trouble | None:
    """Cores that the login's processes may not use, as those of a phone's shell."""
    allowed = condition.device.facts.get("cpus_allowed")
    clusters = [row for row in condition.rows("clusters") if isinstance(row, dict)]
    online = {cpu for row in clusters for cpu in _cpus(row.get("cpus"))}
    withheld = online - cpu_list(allowed) if isinstance(allowed, str) else set()
    if not withheld:
        return None
    where = condition.device.facts.get("cpuset")
    return Trouble(
        severity=Severity.DOUBT,
        found=f"cores {allowed} of {len(online)}" + (f", cpuset {where}" if where else ""),
        why="The fastest cores may be among those that a model never gets.",
        source=CPUSET,
        mend=f"sudo systemctl set-property user.slice AllowedCPUs=0-{max(online)}"
        if not condition.is_phone
        else "Keep the phone awake: Android gives the shell of one that sleeps the small cores.",
        edgebench="`keep_awake = true` in the plan." if condition.is_phone else None,
    )


def _cpus(value: object) -> list[int]:
    return [cpu for cpu in value if isinstance(cpu, int)] if isinstance(value, list) else []
