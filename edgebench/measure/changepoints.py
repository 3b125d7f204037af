"""When a process changed its pace for good: what came before is no steady state.

The samples are cut into blocks, and the logs of the medians of these into segments of one level
each, so that the squared distances to the levels, over the noise, with a penalty for every change,
are least. With 50 blocks the exact search (Jackson et al. 2005, "An algorithm for optimal
partitioning of data on an interval") needs none of the pruning by which PELT is named, and finds
what PELT finds. The penalty is that of Barrett et al. (OOPSLA 2017), "Virtual machine warmup blows
hot and cold".
"""

import itertools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Times

BLOCKS: Final = 50
# A median of fewer is as noisy as a sample; of fewer samples than two segments hold, none is cut.
BLOCK_SAMPLES_MIN: Final = 5
PENALTY: Final = 15.0
# What passes sooner is an outlier, and those are counted apart. With 5, a slow start of up to a
# tenth of the samples stayed in and moved p90; with 2, one burst made a healthy process restless.
SEGMENT_BLOCKS_MIN: Final = 3
# The runner calls a latency steady that changes by no more.
LEVEL_RATIO: Final = 0.01
LAST_SHARE_MIN: Final = 0.6
# Of the noise's autocorrelation; a walk at random would have 1, and no level at all.
MEMORY_MAX: Final = 0.9


def last_change(samples: Times) -> int:
    """Index of the first sample after the last change of level; 0 where there was none.

    A change of at most 1 % is none: the runner calls such a latency steady.

    >>> last_change(np.repeat([200, 100], [300, 700]))
    300
    """
    medians, first, size = _blocks(samples)
    if medians.size < 2 * SEGMENT_BLOCKS_MIN:
        return 0
    logs = np.log(np.maximum(medians, 1.0))
    if float(np.ptp(logs)) <= LEVEL_RATIO:
        return 0
    scale = noise_scale(logs)
    changes = segments(logs / scale, penalty=PENALTY * math.log(logs.size))
    edges = [0, *changes, logs.size]
    levels = [float(np.median(logs[a:b])) for a, b in itertools.pairwise(edges)]
    last = len(levels) - 1
    while last > 0 and abs(levels[last - 1] - levels[-1]) <= math.log1p(LEVEL_RATIO):
        last -= 1
    return first + size * edges[last] if last else 0


def is_multimodal(samples: int, change: int) -> bool:
    """Whether too few samples came after the last change for that to be the level of the process.

    >>> is_multimodal(1000, 300), is_multimodal(1000, 700)
    (False, True)
    """
    return samples - change < LAST_SHARE_MIN * samples


def settled(samples: Times, change: int | None = None) -> Times:
    """The samples after the last change, or all of them where less than 60 % came after it.

    Args:
        change: What `last_change` found, where it is known already.

    >>> settled(np.repeat([200, 100], [300, 700])).size
    700
    >>> settled(np.repeat([200, 100], [700, 300])).size
    1000
    """
    first = last_change(samples) if change is None else change
    return samples if is_multimodal(samples.size, first) else samples[first:]


def _blocks(samples: Times) -> tuple[NDArray[np.float64], int, int]:
    """Medians of blocks of one size, the index of the first block, and the size.

    What is left over belongs to no block; it lies before the first.
    """
    count = min(BLOCKS, samples.size // BLOCK_SAMPLES_MIN)
    if not count:
        return np.empty(0), 0, 1
    size = samples.size // count
    first = samples.size - count * size
    medians = np.median(samples[first:].reshape(count, size), axis=1)
    return medians.astype(np.float64), first, size


def noise_scale(values: NDArray[np.float64]) -> float:
    """Standard deviation of the noise, as large as its memory makes it for the mean of a segment.

    From the steps between neighbours, which a few changes of level do not move. In noise of first
    order with autocorrelation `r` a step has the variance `2 (1 - r)`, and the mean of a segment
    that of `(1 + r) / (1 - r)` times as much noise without memory. Left at `r` = 0, noise that has
    0.97 from sample to sample had a change in 75 % of simulated processes of 200 samples.

    Steps over one and two blocks have variances in the ratio `1 + r` (Chakar et al. 2017, "A robust
    approach for estimating change-points in the mean of an AR(1) process"). Of this estimate and
    one around two levels the lower counts, for each is at times far too high: that of the steps
    by chance, in one of six processes with a slow start, and that around two levels wherever there
    are more than two.
    """
    near = _spread(np.diff(values))
    if near == 0:
        # Most medians are equal: the clock's step is all the noise there is.
        return LEVEL_RATIO / 10
    of_steps = (_spread(values[2:] - values[:-2]) / near) ** 2 - 1
    memory = min(max(min(of_steps, _memory(values)), 0.0), MEMORY_MAX)
    return near * math.sqrt((1 + memory) / 2) / (1 - memory)


def _memory(values: NDArray[np.float64]) -> float:
    """Autocorrelation between neighbours, around the two levels that fit best."""
    n = values.size
    sums = np.cumsum(values)
    at = np.arange(SEGMENT_BLOCKS_MIN, n - SEGMENT_BLOCKS_MIN + 1)
    saved = (sums[at - 1] - sums[-1] * at / n) ** 2 / (at * (n - at))
    split = int(at[np.argmax(saved)])
    rest = np.concatenate([part - part.mean() for part in (values[:split], values[split:])])
    # What two fitted means take from it is about 3 / n.
    return float((rest[1:] * rest[:-1]).sum() / max(float((rest**2).sum()), 1e-300)) + 3 / n


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation by Qn: a low quantile of the distances between all pairs.

    Half of the values may be wild, and it still has 82 % of the efficiency of the usual estimate,
    where the median distance has 37 % (Rousseeuw and Croux 1993).
    """
    half = values.size // 2 + 1
    rank = half * (half - 1) // 2
    # Every pair twice, and every value with itself.
    distances = np.abs(values[:, None] - values).ravel()
    at = values.size + 2 * (rank - 1)
    return 2.2219 * float(np.partition(distances, at)[at])


def segments(values: NDArray[np.float64], *, penalty: float) -> tuple[int, ...]:
    """Where segments of one level begin, but for the first: the cheapest of all partitions.

    Args:
        values: In units of their noise, shape `(n,)`.
        penalty: What a change must save in squared distances.
    """
    n = values.size
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    if squares[n] - sums[n] ** 2 / n <= penalty:
        # No change can save more than all the distances that there are.
        return ()
    least = np.full(n + 1, np.inf)
    least[0] = -penalty
    begins = np.zeros(n + 1, dtype=np.int64)
    for end in range(SEGMENT_BLOCKS_MIN, n + 1):
        at = np.arange(end - SEGMENT_BLOCKS_MIN + 1)
        distances = squares[end] - squares[at] - (sums[end] - sums[at]) ** 2 / (end - at)
        costs = least[at] + distances + penalty
        begins[end] = best = int(np.argmin(costs))
        least[end] = costs[best]
    found: list[int] = []
    end = int(begins[n])
    while end > 0:
        found.append(end)
        end = int(begins[end])
    return tuple(reversed(found))
