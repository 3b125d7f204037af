"""On which cores a model runs, and on which the watcher: clusters are not mixed in silence.

https://docs.kernel.org/admin-guide/pm/cpufreq.html (policies),
https://docs.kernel.org/scheduler/sched-capacity.html (`cpu_capacity`)
"""

import re
from dataclasses import dataclass
from typing import Final

from edgebench.device.clock_readers import cpu_list
from edgebench.device.look import Listing

CPUS: Final = "/sys/devices/system/cpu"
GLOBS: Final = (
    f"{CPUS}/online",
    f"{CPUS}/cpu[0-9]*/cpu_capacity",
    f"{CPUS}/cpufreq/policy*/related_cpus",
    f"{CPUS}/cpufreq/policy*/cpuinfo_max_freq",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Where things run.

    Attributes:
        model: None for wherever the kernel likes, where all cores are alike.
        watcher: Cores that the model has no part in; None where there are none.
        is_mixed: Whether the model was given more threads than its fastest cluster has cores.
    """

    model: tuple[int, ...] | None
    watcher: tuple[int, ...] | None
    is_mixed: bool = False


def clusters(listing: Listing) -> tuple[tuple[int, ...], ...]:
    """Cores that are alike, the fastest first; one cluster where the kernel tells none apart.

    By capacity where the kernel gives one, else by the highest clock of the policies.
    """
    online = cpu_list(listing.files.get(f"{CPUS}/online", ""))
    speeds: dict[int, int] = {}
    for path, text in listing.files.items():
        found = re.fullmatch(rf"{CPUS}/cpu(\d+)/cpu_capacity", path)
        if found and text.strip().isdigit():
            speeds[int(found[1])] = int(text)
    if not speeds:
        speeds = _clocks(listing)
    known = {cpu: speed for cpu, speed in speeds.items() if cpu in online}
    if set(known) != set(online):
        return (tuple(sorted(online)),) if online else ()
    return tuple(
        tuple(sorted(cpu for cpu in known if known[cpu] == speed))
        for speed in sorted(set(known.values()), reverse=True)
    )


def _clocks(listing: Listing) -> dict[int, int]:
    found: dict[int, int] = {}
    for path, text in listing.files.items():
        folder, _, name = path.rpartition("/")
        if name == "cpuinfo_max_freq" and text.strip().isdigit():
            for cpu in cpu_list(listing.files.get(f"{folder}/related_cpus", "")):
                found[cpu] = int(text)
    return found


def cores_for(threads: int, alike: tuple[tuple[int, ...], ...]) -> Cores:
    """The fastest cluster for the model, and others for the watcher.

    >>> cores_for(2, ((4, 5, 6, 7), (0, 1, 2, 3)))
    Cores(model=(4, 5, 6, 7), watcher=(0, 1, 2, 3), is_mixed=False)
    >>> cores_for(6, ((4, 5, 6, 7), (0, 1, 2, 3)))
    Cores(model=None, watcher=None, is_mixed=True)
    >>> cores_for(1, ((0, 1, 2, 3),))
    Cores(model=None, watcher=None, is_mixed=False)
    """
    if len(alike) < 2:
        return Cores(model=None, watcher=None)
    fastest = alike[0]
    if threads > len(fastest):
        return Cores(model=None, watcher=None, is_mixed=True)
    rest = tuple(sorted(cpu for cluster in alike[1:] for cpu in cluster))
    return Cores(model=fastest, watcher=rest)
