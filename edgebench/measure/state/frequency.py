"""Whether the cores ran at their full clock.

https://docs.kernel.org/cpu-freq/cpufreq-stats.html
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edgebench.core import DeviceProfile, Reason
from edgebench.device.clock_readers import cpu_list
from edgebench.device.look import Listing
from edgebench.measure.state.monitor import PERIOD_S, Finding, Monitor, Seen, Watch
from edgebench.measure.watch import Reading, Source

if TYPE_CHECKING:
    from pydantic import JsonValue

PREFIX: Final = "time_in_state "
POLICY: Final = "/sys/devices/system/cpu/cpufreq/policy*"
GOVERNOR: Final = "governor "
# Read at the beginning and at the end alone.
ONCE_S: Final = 3600.0
TOP_STATES: Final = 2
SHARE_MIN: Final = 0.99
# The kernel counts in ticks of 10 ms: a span of fewer says nothing.
TICKS_MIN: Final = 10


def time_in_state(text: str) -> dict[int, int]:
    r"""Ticks by frequency in kHz.

    >>> time_in_state("600000 100\n1500000 250\n")
    {600000: 100, 1500000: 250}
    """
    rows = (line.split() for line in text.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if len(row) == 2 and "".join(row).isdigit()}


def top_share(readings: Sequence[Reading]) -> float | None:
    """Share of the time between first and last reading in the two highest clocks."""
    if len(readings) < 2:
        return None
    first, last = time_in_state(readings[0].text or ""), time_in_state(readings[-1].text or "")
    spent = {clock: ticks - first.get(clock, 0) for clock, ticks in last.items()}
    total = sum(spent.values())
    if total < TICKS_MIN:
        return None
    return sum(spent[clock] for clock in sorted(spent)[-TOP_STATES:]) / total


def _arm(listing: Listing, _: DeviceProfile) -> Watch | None:
    cpus: dict[str, frozenset[int]] = {}
    sources = []
    for path in sorted(listing.files):
        folder = path.partition("/stats/")[0] if "/stats/" in path else path.rpartition("/")[0]
        name = folder.rpartition("/")[2]
        if path.endswith("/stats/time_in_state"):
            cpus[name] = cpu_list(listing.files.get(f"{folder}/related_cpus", ""))
            sources.append(Source(name=f"{PREFIX}{name}", path=path, period_s=PERIOD_S))
        elif path.endswith("/scaling_governor"):
            sources.append(Source(name=f"{GOVERNOR}{name}", path=path, period_s=ONCE_S))
    return Watch(sources=tuple(sources), judge=lambda seen: judge(seen, cpus)) if sources else None


def judge(seen: Seen, cpus: Mapping[str, frozenset[int]]) -> Finding:
    """The governors, and the share of time at full clock of the cluster that was kept busiest.

    A runner that may use several clusters keeps one busy; the others rest at low clocks.
    """
    named = {(r.text or "").strip() for _, readings in seen.of(GOVERNOR) for r in readings}
    facts: dict[str, JsonValue] = {"governor": "+".join(sorted(named))} if named else {}
    shares = {}
    for name, readings in seen.of(PREFIX):
        share = top_share(readings)
        if share is not None and cpus.get(name, frozenset()) & set(seen.state.cpus):
            shares[name] = share
    if not shares:
        return Finding(facts=facts)
    best = max(shares.values())
    unstable = (Reason.FREQ_UNSTABLE,) if best < SHARE_MIN else ()
    return Finding(facts={**facts, "full_clock_ratio": round(best, 4)}, suspect=unstable)


FREQUENCY: Final = Monitor(
    arm=_arm,
    globs=(
        f"{POLICY}/stats/time_in_state",
        f"{POLICY}/related_cpus",
        f"{POLICY}/scaling_governor",
    ),
)
