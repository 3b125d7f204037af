"""What a device gets done: inferences a second, and queries in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebench.core import Process, Times
from edgebench.data.metric import wilson
from edgebench.measure.intervals import Interval, exponential, mean_interval_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Queries that came at a rate, each to be done before the next.

    Attributes:
        missed: Were late, or dropped because the one before was at work.
        missed_share: Of `due`; its interval is the wider of that between processes and that of
            independent queries.
    """

    due: int
    missed: int
    missed_share: Interval


def throughput_of(samples: Sequence[Times], processes: Sequence[Process]) -> Interval | None:
    """Inferences a second, over all the time that was sampled: slow ones and interrupted ones too.

    Geometric mean over the processes, with the t interval of their logs; None where there are fewer
    than two, or where the pace was not theirs to set.
    """
    if len(samples) < 2 or any(process.due is not None for process in processes):
        return None
    inferences = max((process.inferences for process in processes), default=1)
    rates = [1e9 * inferences / max(float(block.mean()), 1.0) for block in samples]
    return exponential(mean_interval_of(np.log(rates)))


def deadlines_of(processes: Sequence[Process]) -> Deadlines | None:
    """How many queries were not done in time; None where they did not come at a rate."""
    counts = [(p.due, p.missed) for p in processes if p.due and p.missed is not None]
    if not counts:
        return None
    due, missed = sum(due for due, _ in counts), sum(missed for _, missed in counts)
    share = missed / due
    low, high = wilson(share, due)
    if len(counts) > 1:
        between = mean_interval_of(np.array([missed / due for due, missed in counts]))
        low, high = min(low, between.low), max(high, between.high)
    interval = Interval(value=share, low=max(low, 0.0), high=min(high, 1.0))
    return Deadlines(due=due, missed=missed, missed_share=interval)
