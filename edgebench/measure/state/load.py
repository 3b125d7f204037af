"""Who else was at work: other processes, other guests of the same machine, the disk.

/proc/stat and /proc/vmstat: https://docs.kernel.org/filesystems/proc.html
Pressure: https://docs.kernel.org/accounting/psi.html
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.measure.state.monitor import PERIOD_S, Finding, Monitor, Seen, Watch, numbers
from edgebench.measure.watch import Reading, Source

if TYPE_CHECKING:
    from pydantic import JsonValue

STAT: Final = "/proc/stat"
VMSTAT: Final = "/proc/vmstat"
# What the runner had to wait for a core, over what it ran; switches forced on it, an inference.
WAIT_MAX: Final = 0.01
SWITCHES_MAX: Final = 0.1
STEAL_MAX: Final = 0.005
# Of one core, by processes other than the runner.
OTHERS_MAX: Final = 0.05
CANARY_SUSPECT: Final = 0.03
# Fields of the line `cpu` of /proc/stat, in the order of the kernel.
FIELDS: Final = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
BUSY: Final = ("user", "nice", "system", "irq", "softirq")
# The kernel's USER_HZ is 100 on every architecture that Linux boards have.
TICK_S: Final = 0.01


def cpu_ticks(text: str) -> dict[str, int] | None:
    r"""Ticks of all cores together, by what they did.

    >>> cpu_ticks("cpu  10 0 5 100 1 0 2 3 0 0\ncpu0 5 0 2 50 1 0 1 1 0 0\n")["steal"]
    3
    """
    words = text.split("\n", 1)[0].split()
    if words[:1] != ["cpu"] or len(words) < 9 or not all(w.isdigit() for w in words[1:9]):
        return None
    return dict(zip(FIELDS, map(int, words[1:9]), strict=True))


def _ends(readings: Sequence[Reading]) -> tuple[Reading, Reading] | None:
    return (readings[0], readings[-1]) if len(readings) >= 2 else None


def judge_stat(seen: Seen) -> Finding:
    """What other guests took from all cores, and what other processes took of one."""
    ends = next((_ends(readings) for _, readings in seen.of("stat")), None)
    before = cpu_ticks(ends[0].text or "") if ends else None
    after = cpu_ticks(ends[1].text or "") if ends else None
    if ends is None or before is None or after is None:
        return Finding()
    spent = {name: after[name] - before[name] for name in FIELDS}
    total = sum(spent.values())
    span_s = (ends[1].time_ns - ends[0].time_ns) / 1e9
    if total <= 0 or span_s <= 0:
        return Finding()
    steal = spent["steal"] / total
    facts: dict[str, JsonValue] = {"steal_ratio": round(steal, 5)}
    is_crowded = steal > STEAL_MAX
    run_ns = seen.state.scheduling.run_ns
    sampled_s = (seen.state.end_ns - seen.state.begin_ns) / 1e9
    # Where readings and samples span nearly the same time, what the runner used is taken away.
    if run_ns is not None and sampled_s > 0:
        own_s = run_ns / 1e9 * span_s / sampled_s
        others = (sum(spent[name] for name in BUSY) * TICK_S - own_s) / span_s
        facts["others_cores"] = round(max(others, 0.0), 3)
        is_crowded |= others > OTHERS_MAX + 2 * TICK_S / span_s
    return Finding(facts=facts, suspect=(Reason.CONTENDED,) if is_crowded else ())


def judge_scheduling(seen: Seen) -> Finding:
    """What the kernel counted of the runner itself."""
    own = seen.state.scheduling
    facts: dict[str, JsonValue] = {}
    is_contended = False
    if own.run_ns and own.wait_ns is not None:
        ratio = own.wait_ns / own.run_ns
        facts["wait_ratio"] = round(ratio, 5)
        is_contended |= ratio > WAIT_MAX
    switches = own.involuntary_switches / max(seen.samples, 1)
    facts["switches_per_inference"] = round(switches, 4)
    is_contended |= switches > SWITCHES_MAX
    facts["major_faults"] = own.major_faults
    contended = (Reason.CONTENDED,) if is_contended else ()
    swapped = (Reason.SWAP,) if own.major_faults else ()
    return Finding(facts=facts, suspect=contended + swapped)


def judge_canary(seen: Seen) -> Finding:
    """Whether a fixed piece of work took as long after the samples as before."""
    before, after = seen.state.canary_ns
    if before <= 0 or after <= 0:
        return Finding()
    ratio = after / before
    unstable = (Reason.FREQ_UNSTABLE,) if abs(ratio - 1) > CANARY_SUSPECT else ()
    return Finding(facts={"canary_ratio": round(ratio, 4)}, suspect=unstable)


def judge_swap(seen: Seen) -> Finding:
    """Pages that came back from swap while samples were taken, of whatever process."""
    ends = next((_ends(readings) for _, readings in seen.of("vmstat")), None)
    if ends is None:
        return Finding()
    before, after = (numbers(reading.text or "").get("pswpin") for reading in ends)
    if before is None or after is None:
        return Finding()
    swapped = (Reason.SWAP,) if after > before else ()
    return Finding(facts={"swapped_in_pages": after - before}, suspect=swapped)


def _arm_stat(listing: Listing, _: DeviceProfile) -> Watch | None:
    source = Source(name="stat", path=STAT, period_s=PERIOD_S)
    return Watch(sources=(source,), judge=judge_stat) if STAT in listing.files else None


def _arm_swap(listing: Listing, _: DeviceProfile) -> Watch | None:
    source = Source(name="vmstat", path=VMSTAT, period_s=PERIOD_S)
    return Watch(sources=(source,), judge=judge_swap) if VMSTAT in listing.files else None


OTHERS: Final = Monitor(arm=_arm_stat, globs=(STAT,))
SWAPPING: Final = Monitor(arm=_arm_swap, globs=(VMSTAT,))
SCHEDULING: Final = Monitor(arm=lambda *_: Watch(sources=(), judge=judge_scheduling))
CANARY: Final = Monitor(arm=lambda *_: Watch(sources=(), judge=judge_canary))
