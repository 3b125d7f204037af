"""What a model costs in memory, from the checkpoints of the runner."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from edgebench.core import MemoryCheckpoint, MemoryProcess, Reason

# Growth between first and steady inference that is more than an allocator settling.
LEAK_BYTES: Final = 1 << 20
LEAK_RATIO: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySummary:
    """What a model adds to a process that has its runtime loaded; medians over the processes.

    Attributes:
        model_bytes: After the first inference, its share of what is mapped together with others.
        anonymous_bytes: The part of it that cannot be dropped under pressure; the rest is file.
        load_peak_bytes: Highest resident size while the model was opened; None where the kernel
            does not let the high-water mark be reset; likewise `run_peak_bytes`.
        run_peak_bytes: Highest resident size from opening to steady inference.
        total_bytes: The whole process after the first inference, interpreter and runtime included.
        spread_bytes: Largest less smallest `model_bytes` of the processes.
        reasons: Why a number is missing or deserves doubt.
    """

    model_bytes: int | None
    anonymous_bytes: int | None
    load_peak_bytes: int | None
    run_peak_bytes: int | None
    total_bytes: int | None
    spread_bytes: int | None
    reasons: tuple[Reason, ...] = ()


def summarize_memory(processes: Sequence[MemoryProcess]) -> MemorySummary | None:
    """The memory of a cell; None where there was no memory pass.

    Every number is None where a process was swapped out: the kernel then counts what is left of it.
    """
    if not processes:
        return None
    if any(p.s4.swap_bytes > p.s0.swap_bytes for p in processes):
        return MemorySummary(
            model_bytes=None,
            anonymous_bytes=None,
            load_peak_bytes=None,
            run_peak_bytes=None,
            total_bytes=None,
            spread_bytes=None,
            reasons=(Reason.SWAP,),
        )
    models = [p.s3.pss_bytes - p.s1.pss_bytes for p in processes]
    load_peak = _median([_peak(p, (p.s2,)) for p in processes])
    return MemorySummary(
        model_bytes=_median(models),
        anonymous_bytes=_median([p.s3.anonymous_bytes - p.s1.anonymous_bytes for p in processes]),
        load_peak_bytes=load_peak,
        run_peak_bytes=_median([_peak(p, (p.s2, p.s3, p.s4)) for p in processes]),
        total_bytes=_median([p.s3.pss_bytes for p in processes]),
        spread_bytes=max(models) - min(models),
        reasons=tuple(_doubts(processes, load_peak)),
    )


def _median(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return int(median(known)) if known else None


def _peak(process: MemoryProcess, points: Sequence[MemoryCheckpoint]) -> int | None:
    known = [peak for peak in map(peak_bytes, points) if peak is not None]
    return max(max(known) - process.s1.rss_bytes, 0) if len(known) == len(points) else None


def peak_bytes(point: MemoryCheckpoint) -> int | None:
    """The highest resident size since the checkpoint before, and never below the present one.

    The kernel's high-water mark follows behind what it has mapped, by half a megabyte where that is
    seen; what is resident is counted page by page. https://docs.kernel.org/filesystems/proc.html
    """
    return None if point.peak_bytes is None else max(point.peak_bytes, point.rss_bytes)


def _doubts(processes: Sequence[MemoryProcess], load_peak: int | None) -> list[Reason]:
    doubts = []
    if load_peak is None:
        doubts.append(Reason.PERMISSION)
    growths = [p.s4.anonymous_bytes - p.s3.anonymous_bytes for p in processes]
    limits = [max(LEAK_BYTES, LEAK_RATIO * p.s3.anonymous_bytes) for p in processes]
    # In every process: the allocator of one may happen to take a new arena.
    if all(growth > limit for growth, limit in zip(growths, limits, strict=True)):
        doubts.append(Reason.LEAK_SUSPECT)
    return doubts
