"""When a cell has enough blocks, and how long its next process samples.

The width of the median's interval ends a cell, and hardly depends on what the cell comes to. A
verdict is looked at once, after the fewest blocks: to look at it after every block, and to end with
the first that is not `inconclusive`, would find differences where there are none.
"""

from dataclasses import replace

import numpy as np

from edgebench.core import MeasureProtocol, Recorded
from edgebench.measure.changepoints import settled
from edgebench.measure.comparison import compare_recorded
from edgebench.measure.replication import HOPE, blocks_to_decide, inner_samples, processes_needed
from edgebench.measure.stats import summarize


def is_wide(recorded: Recorded, protocol: MeasureProtocol) -> bool:
    """Whether the interval of the median is wider than the protocol asks, or is not there."""
    latency = summarize(recorded.samples, recorded.measurement.processes)
    return latency is None or latency.p50.half_width_ratio > protocol.ci_ratio


def may_narrow(recorded: Recorded, protocol: MeasureProtocol) -> bool:
    """Whether the interval is too wide, and the blocks that are left may make it narrow enough.

    By a spread so small that only one in twenty true ones lies below: to give up is final.
    """
    latency = summarize(recorded.samples, recorded.measurement.processes)
    if latency is None or latency.processes < 2:
        return True
    more = processes_needed(
        latency.p50,
        latency.processes,
        half_width_ratio=protocol.ci_ratio,
        most=protocol.blocks_max,
        assurance=HOPE,
    )
    # 0 where it is narrow, None where there is no hope.
    return bool(more)


def may_decide(
    recorded: Recorded, reference: Recorded, protocol: MeasureProtocol, *, floor_ratio: float
) -> bool:
    """Whether the fewest blocks left the verdict open, and the most of them may decide it."""
    first = compare_recorded(
        _first(recorded, protocol),
        _first(reference, protocol),
        margin_ratio=protocol.margin_ratio,
        floor_ratio=floor_ratio,
    )
    if first.verdict != "inconclusive":
        return False
    return blocks_to_decide(first, most=protocol.blocks_max, assurance=HOPE) is not None


def _first(recorded: Recorded, protocol: MeasureProtocol) -> Recorded:
    kept = {block: ns for block, ns in recorded.samples.items() if block < protocol.blocks_min}
    return replace(recorded, samples=kept)


def sampling_s(recorded: Recorded, protocol: MeasureProtocol) -> float:
    """How long the next process is to sample at least, within the protocol's bounds.

    Longer than the least only after the fewest blocks, where their spread owes much to the samples
    within them: `inner_samples`.
    """
    processes = [p for p in recorded.measurement.processes if p.block in recorded.samples]
    known = [p for p in processes if p.wall_s is not None and p.sampled_s and p.samples > 1]
    if len(known) < max(protocol.blocks_min, 2) or len(known) < len(processes):
        return protocol.sample_min_s
    launch_s = float(np.median([(p.wall_s or 0.0) - (p.sampled_s or 0.0) for p in known]))
    sample_s = float(np.median([(p.sampled_s or 0.0) / p.samples for p in known]))
    steady = [settled(recorded.samples[p.block]) for p in known]
    wanted_s = sample_s * inner_samples(steady, launch_s=max(launch_s, 0.0), sample_s=sample_s)
    return min(max(wanted_s, protocol.sample_min_s), protocol.sample_max_s)
