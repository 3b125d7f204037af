"""Memory and disk that do not suffice."""

import shlex
from typing import Final

from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.units import show_size

MEMINFO: Final = "https://docs.kernel.org/filesystems/proc.html#meminfo"
ZRAM: Final = "https://docs.kernel.org/admin-guide/blockdev/zram.html"
AVAILABLE_SERIOUS: Final = 0.10
AVAILABLE_DOUBT: Final = 0.20
# A runtime with numpy takes 110 MB where it is unpacked and 40 MB as it is sent; a model comes on
# top of it.
DISK_LEAST_BYTES: Final = 256_000_000
DISK_SCARCE_BYTES: Final = 1_000_000_000


def memory_low(condition: Condition) -> Trouble | None:
    """Too little memory for a model beside what is there."""
    total, free = (condition.number(f"memory_{name}_bytes") for name in ("total", "available"))
    if not total or free is None or free / total >= AVAILABLE_DOUBT:
        return None
    is_serious = free / total < AVAILABLE_SERIOUS
    return Trouble(
        severity=Severity.SERIOUS if is_serious else Severity.DOUBT,
        found=f"{show_size(round(free))} of {show_size(round(total))} are available",
        why="Models are swapped out or killed, and pages that come back are in the times.",
        source=MEMINFO,
        mend="ps -eo rss,pid,args --sort=-rss | head   # stop what needs most",
    )


def swap_used(condition: Condition) -> Trouble | None:
    """Something that lies in swap, and may come back in the middle of a sample."""
    used = condition.number("swap_used_bytes")
    if not used:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"{show_size(round(used))} in swap",
        why="Pages that come back while samples are taken make them long; such cells are suspect.",
        source=MEMINFO,
        mend="sudo swapoff -a && sudo swapon -a",
        edgebench="Counts pages that come back beside the samples.",
    )


def zram(condition: Condition) -> Trouble | None:
    """Memory that is compressed by the cores that are measured."""
    kinds = [row.get("kind") for row in condition.rows("swaps") if isinstance(row, dict)]
    if "zram" not in kinds:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found="zram",
        why="What is swapped is compressed by the very cores that are measured.",
        source=ZRAM,
        mend=None if condition.is_phone else "sudo swapoff /dev/zram*",
    )


def disk_low(condition: Condition) -> Trouble | None:
    """Too little space for a runtime and a model."""
    free = condition.number("work_free_bytes")
    if free is None or free >= DISK_SCARCE_BYTES:
        return None
    folder = shlex.quote(str(condition.device.work_folder))
    return Trouble(
        severity=Severity.SERIOUS if free < DISK_LEAST_BYTES else Severity.NOTE,
        found=f"{show_size(round(free))} are free for {condition.device.work_folder}",
        why="A runtime takes up to 150 MB, and each model its own size: cells end with no_space.",
        source="edgebench/device/README.md",
        mend=f"rm -rf {folder}   # all of it may go when nothing runs; then: df -h",
    )
