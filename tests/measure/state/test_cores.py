"""Which cores a model gets, by what the kernel of a board says of them."""

import pytest

from edgebench.device.look import Listing
from edgebench.measure.state.cores import CPUS, Cores, clusters, cores_for


def listing(online, *, capacities=None, policies=None):
    files = {f"{CPUS}/online": f"{online}\n"}
    for cpu, capacity in enumerate(capacities or []):
        files[f"{CPUS}/cpu{cpu}/cpu_capacity"] = f"{capacity}\n"
    for first, (cpus, clock) in (policies or {}).items():
        files[f"{CPUS}/cpufreq/policy{first}/related_cpus"] = f"{cpus}\n"
        files[f"{CPUS}/cpufreq/policy{first}/cpuinfo_max_freq"] = f"{clock}\n"
    return Listing(files=files)


@pytest.mark.parametrize(
    ("found", "alike"),
    [
        (listing("0-3", capacities=[1024] * 4), ((0, 1, 2, 3),)),
        (
            listing("0-7", capacities=[160, 160, 160, 160, 498, 498, 1024, 1024]),
            ((6, 7), (4, 5), (0, 1, 2, 3)),
        ),
        # A core that was taken off line has no part in it.
        (listing("0-2,4", capacities=[160, 160, 160, 160, 1024]), ((4,), (0, 1, 2))),
        (
            listing("0-7", policies={0: ("0 1 2 3", 1800000), 4: ("4 5 6 7", 2400000)}),
            ((4, 5, 6, 7), (0, 1, 2, 3)),
        ),
        # A kernel that tells of some cores only is not believed.
        (listing("0-3", capacities=[1024, 1024]), ((0, 1, 2, 3),)),
        (listing("0-1"), ((0, 1),)),
        (Listing(), ()),
    ],
    ids=["pi", "phone", "one off line", "by clock", "half told", "told nothing", "no linux"],
)
def test_cores_that_are_alike_are_a_cluster_and_the_fastest_stands_first(found, alike):
    assert clusters(found) == alike


def test_threads_that_the_fastest_cluster_cannot_hold_are_mixed_and_that_is_said():
    alike = ((6, 7), (0, 1, 2, 3, 4, 5))
    assert cores_for(2, alike) == Cores(model=(6, 7), watcher=(0, 1, 2, 3, 4, 5))
    assert cores_for(3, alike) == Cores(model=None, watcher=None, is_mixed=True)
