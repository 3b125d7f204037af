"""What part of a machine a device is, and who else has a say: other work, guests, limits.

https://docs.kernel.org/accounting/psi.html, https://docs.kernel.org/admin-guide/cgroup-v2.html
https://www.freedesktop.org/software/systemd/man/latest/systemd-detect-virt.html
"""

from collections.abc import Mapping
from typing import Final

from edgebench.device import fact_readers as read
from edgebench.device import share_readers as share
from edgebench.device.fact import Fact

# Before everything else, for what asks is itself work. One second more in the middle would be a
# second for whoever waits for the facts.
LOAD_FACTS: Final[Mapping[str, Fact]] = {
    "load": Fact(command="cat /proc/loadavg; cat /proc/pressure/cpu", read=share.load),
}
# A limit may stand at any level above the one that the shell is in.
_LIMITS: Final = """
show() { for f in "$@"; do [ -r "$f" ] && read -r v < "$f" && echo "$f $v"; done; }
below=$(sed -n 's/^0:://p' /proc/self/cgroup)
below=${below%/}
while :; do
  show "/sys/fs/cgroup$below/cpu.max" "/sys/fs/cgroup$below/memory.max"
  [ -n "$below" ] || break
  below=${below%/*}
done
cpu=$(sed -n 's/^[0-9]*:\\(cpu\\|cpu,.*\\|.*,cpu\\|.*,cpu,.*\\)://p' /proc/self/cgroup)
for folder in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu${cpu%/}; do
  show $folder/cpu.cfs_quota_us $folder/cpu.cfs_period_us
done
show /sys/fs/cgroup/memory/memory.limit_in_bytes
"""
# A machine of qemu's is named for what runs it; one without a name has a channel to qemu.
_VIRTUALIZATION: Final = """
systemd-detect-virt --vm && exit
grep -o -m 1 -w hypervisor /proc/cpuinfo && exit
cat /sys/hypervisor/type && exit
read -r name < /sys/class/dmi/id/product_name
case $name in
  KVM*) echo kvm;;
  QEMU*) echo qemu;;
  *) ls -d /proc/device-tree/fw-cfg@* > /dev/null && echo qemu;;
esac
"""
# qemu shows a process its own maps as they would be on the board, and to others the truth. Of a
# board that it plays whole, the card is its own.
_EMULATOR: Final = """
cat /proc/$$/maps | grep -o -m 1 'qemu-[a-z0-9_]*' && exit
grep -q QEMU /sys/block/mmcblk*/device/name && echo qemu-system
"""
SHARE_FACTS: Final[Mapping[str, Fact]] = {
    "steal_ratio": Fact(command="head -n 1 /proc/stat", read=share.steal_ratio),
    "cpus_allowed": Fact(
        command="sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status", read=read.text
    ),
    "cpuset": Fact(command="cat /proc/self/cpuset", read=read.text),
    "cgroup_limits": Fact(command=_LIMITS, read=share.limits),
    "virtualization": Fact(command=_VIRTUALIZATION, read=read.text),
    "container": Fact(command="systemd-detect-virt --container", read=read.text),
    "emulator": Fact(command=_EMULATOR, read=read.text, part="hw"),
}
