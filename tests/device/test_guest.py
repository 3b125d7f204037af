"""Whole machines as devices: what they say of themselves, and what a power cut leaves of a runtime.

They are emulated, so that nothing here asks how long something took.
"""

import time

import pytest

from edgebench.device.provision import provision
from edgebench.device.wheels import MANIFEST
from edgebench.measure.doctor.registry import examine

pytestmark = pytest.mark.guest

MIB = 1 << 20
# https://docs.kernel.org/admin-guide/ext4.html: `commit` is 5 s, and files wait for 30 s.
COMMIT_S = 8.0
WORK = "/home/pi/.cache/edgebench"
# Whoever logs in has no more than a slice and a service in it let him; root gives its server back.
CONFINED = f"""
cd /sys/fs/cgroup
echo "+cpu +memory +cpuset" > cgroup.subtree_control
mkdir -p slice
echo {300 * MIB} > slice/memory.max
echo 1 > slice/cpuset.cpus
echo "+cpu +memory +cpuset" > slice/cgroup.subtree_control
mkdir -p slice/service
echo {900 * MIB} > slice/service/memory.max
echo "150000 100000" > slice/service/cpu.max
pgrep -o -x sshd > slice/service/cgroup.procs
"""

CHECK = f"""
for folder in {WORK}/runtimes/*/; do
  [ -d "$folder" ] || continue
  cd "$folder"
  sha256sum --check --quiet {MANIFEST} 2>&1 || echo "$folder is broken"
done
"""


def test_a_machine_says_what_it_has_and_that_it_is_emulated(virt, reached):
    device = reached(virt)
    facts = device.facts
    assert device.profile.name == "linux-board"
    assert facts["architecture"] == "aarch64"
    assert facts["cpus"] == ["CPU implementer 0x41", "CPU part 0xd08"]
    assert facts["kernel"] == virt.as_root("uname -r").strip()
    assert facts["cpu_count"] == 2
    # The kernel keeps a part for itself.
    assert 900 * MIB < facts["memory_total_bytes"] <= 1024 * MIB
    assert abs(facts["clock_skew_s"]) < 600
    assert (facts["virtualization"], facts["emulator"]) == ("qemu", None)
    assert examine(device)["emulated"].severity == "serious"


def test_a_pi_3_has_a_thermal_zone_a_clock_from_1970_and_a_card_of_qemu_s(pi3, reached):
    device = reached(pi3)
    facts = device.facts
    assert device.profile.name == "raspberry-pi-3"
    assert facts["model"] == "Raspberry Pi 3 Model B"
    assert facts["cpus"] == ["CPU implementer 0x41", "CPU part 0xd03"]
    assert facts["cpu_count"] == 4
    temp_c = int(pi3.as_root("cat /sys/class/thermal/thermal_zone0/temp")) / 1000
    assert facts["temperatures_c"] == {"cpu-thermal": temp_c}
    assert facts["clock_skew_s"] < -50 * 365 * 86_400
    assert facts["emulator"] == "qemu-system"
    found = examine(device)
    assert found["emulated"].severity == "serious"
    assert "behind" in found["clock_off"].found


def test_limits_of_a_control_group_are_told_as_they_were_set(virt, reached):
    virt.as_root(CONFINED)
    try:
        facts = reached(virt).facts
    finally:
        virt.as_root("pgrep -o -x sshd > /sys/fs/cgroup/cgroup.procs")
    assert facts["cgroup_limits"] == {"cores": 1.5, "memory_bytes": 300 * MIB}
    assert (facts["cpus_allowed"], facts["cpuset"]) == ("1", "/slice/service")
    assert reached(virt).facts["cgroup_limits"] is None


def test_a_power_cut_leaves_a_runtime_whole_or_not_there(virt, reached, wheels):
    device = reached(virt)
    virt.as_root(f"rm -rf {WORK}; sync")
    cache = wheels / "fleet"
    launch = provision(device, "litert-native", cache=cache, progress=print)
    # By then names are on the disk, and what is in the files is not, unless somebody asked for it.
    time.sleep(COMMIT_S)
    virt.reset()
    assert virt.answers()
    assert virt.as_root(CHECK) == ""
    assert launch == provision(reached(virt), "litert-native", cache=cache, progress=print)
