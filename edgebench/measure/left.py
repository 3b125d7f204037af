"""How much longer a device works: by the blocks that are left, and how long the earlier took."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgebench.core import MeasureProtocol, Recorded
from edgebench.measure.cell import is_finished
from edgebench.measure.replication import processes_needed
from edgebench.measure.stats import summarize


def blocks_left(recorded: Recorded, protocol: MeasureProtocol) -> int:
    """How many more processes a cell likely takes: to the fewest, or to the width that is asked."""
    measured = len(recorded.samples)
    if is_finished(recorded.measurement):
        return 0
    likely = protocol.blocks_min
    latency = summarize(recorded.samples, recorded.measurement.processes)
    if latency is not None and latency.processes >= 2:
        more = processes_needed(
            latency.p50,
            latency.processes,
            half_width_ratio=protocol.ci_ratio,
            most=protocol.blocks_max,
        )
        # None where no number of blocks is likely to be enough: then none are added.
        likely = max(likely, measured + (more or 0))
    return max(min(likely, protocol.blocks_max) - measured, 0)


def left_s(took_s: Mapping[str, Sequence[float]], left: Mapping[str, int]) -> float | None:
    """Seconds until all blocks are in; None where no process has told how long one takes.

    Args:
        took_s: Of each cell how long its processes took, with all that is done around them.
        left: Of each cell how many are to come. One that has none yet takes as long as the others.

    >>> left_s({"float": [2.0, 4.0], "int8": [1.0]}, {"float": 1, "int8": 2, "new": 1})
    7.0
    """
    means = {key: float(np.mean(times)) for key, times in took_s.items() if times}
    if not means:
        return None
    usual_s = float(np.mean(list(means.values())))
    return sum(count * means.get(key, usual_s) for key, count in left.items())
