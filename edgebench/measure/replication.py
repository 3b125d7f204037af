"""How many more processes a question needs: whether it is worth the device's time to go on.

After Kalibera and Jones (ISMM 2013, "Rigorous benchmarking in reasonable time"): what the interval
between processes owes to each level of repetition tells how often to repeat at each: launches, and
samples of a launch.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.measure.comparison import Comparison
from edgebench.measure.intervals import TAIL, Interval
from edgebench.student_t import t_quantile

# Of the true spreads behind the spread that was seen, how many it reckons with. So four in five
# forecasts came true in simulated blocks, and half of them with the spread as it was seen.
ASSURANCE: Final = 0.65
# The same for whether to give up: of the true spreads only one in twenty is smaller still.
HOPE: Final = 0.05
# Of a process: so many that their medians tell how they vary, and each longer than its memory.
PIECES: Final = 8
# What nobody waits for.
PROCESSES_MAX: Final = 1000


def processes_needed(
    interval: Interval,
    processes: int,
    *,
    half_width_ratio: float,
    most: int = PROCESSES_MAX,
    assurance: float = ASSURANCE,
) -> int | None:
    """How many more processes likely bring an interval to a width.

    Args:
        interval: Of a latency, by t on logs, as `LatencySummary.p50` or `Comparison.ratio`.
        processes: How many it is of; at least two.
        half_width_ratio: Half of its width over its value, as it should become.
        assurance: Of the true spreads behind the one that was seen, how many it reckons with.

    Returns:
        0 where it is narrow enough; None where more than `most` would be needed in all.

    >>> processes_needed(Interval(value=1.0, low=0.96, high=1.04), 5, half_width_ratio=0.02)
    14
    """
    if interval.half_width_ratio <= half_width_ratio:
        return 0
    return _more(interval, processes, math.asinh(half_width_ratio), (most, assurance))


def blocks_to_decide(
    comparison: Comparison, *, most: int = PROCESSES_MAX, assurance: float = ASSURANCE
) -> int | None:
    """How many more blocks likely lead to a verdict, if the ratio stays what it is.

    Until the whole interval lies on one side of the margin, be it beyond or within; `assurance` is
    that of `processes_needed`.

    Returns:
        0 where there is a verdict; None where the ratio is so near to the margin that more than
        `most` blocks would be needed in all, or where there is no interval between blocks.
    """
    if comparison.verdict != "inconclusive":
        return None if comparison.verdict == "incomparable" else 0
    if comparison.blocks < 2:
        return None
    margin = math.log1p(comparison.margin_ratio)
    reach = abs(abs(math.log(comparison.ratio.value)) - margin)
    return _more(comparison.ratio, comparison.blocks, reach, (most, assurance))


def processes_to_hold(
    interval: Interval,
    processes: int,
    *,
    limit: float,
    most: int = PROCESSES_MAX,
    assurance: float = ASSURANCE,
) -> int | None:
    """How many more processes likely tell on which side of a limit a latency lies, if it stays.

    Args:
        interval: Of a latency, by t on logs; it has the limit in it.
        processes: How many it is of; at least two.
        assurance: That of `processes_needed`.

    Returns:
        None where the value is so near to the limit that more than `most` would be needed in all.

    >>> processes_to_hold(Interval(value=1.0, low=0.96, high=1.04), 5, limit=1.02)
    14
    """
    reach = abs(math.log(limit / interval.value))
    return _more(interval, processes, reach, (most, assurance))


def inner_samples(
    processes: Sequence[NDArray[np.number]], *, launch_s: float, sample_s: float
) -> float:
    """How many samples a process should take for the narrowest interval in the time there is.

    `sqrt(launch_s / sample_s * within / between)` (Kalibera and Jones 2013, section 6), of the
    variances of logs. That within a process is taken from the medians of its pieces, since
    neighbouring samples are alike and a few are interrupted.

    Args:
        processes: Samples of at least two processes, `(sample,)` each, in order of time.
        launch_s: What a process costs before its first sample.
        sample_s: What a sample costs.

    Returns:
        Infinity where launches do not differ by more than their samples explain.

    >>> inner_samples([np.array([8, 8, 9, 9])] * 2, launch_s=1, sample_s=1)
    inf
    """
    logs = [np.log(np.maximum(np.asarray(process, np.float64), 1.0)) for process in processes]
    errors = [_squared_error_of_median(values) for values in logs]
    between = float(np.var([np.median(values) for values in logs], ddof=1) - np.mean(errors))
    if between <= 0:
        return math.inf
    within = float(np.mean([e * v.size for e, v in zip(errors, logs, strict=True)]))
    return math.sqrt(launch_s / sample_s * within / between)


def _squared_error_of_median(values: NDArray[np.float64]) -> float:
    """How far the median of a process likely is from that of a longer one, squared."""
    pieces = np.array_split(values, max(min(PIECES, values.size // 2), 2))
    return float(np.var([np.median(piece) for piece in pieces], ddof=1)) / len(pieces)


def _more(interval: Interval, count: int, reach: float, bounds: tuple[int, float]) -> int | None:
    """How many more values bring the interval of the mean of logs to `reach` on either side."""
    most, assurance = bounds
    t = t_quantile(1 - TAIL, count - 1)
    spread = math.log(interval.high / interval.low) / 2 / t * math.sqrt(count)
    feared = spread * math.sqrt((count - 1) / _chi_square(1 - assurance, count - 1))
    for total in range(count + 1, most + 1):
        if t_quantile(1 - TAIL, total - 1) * feared <= reach * math.sqrt(total):
            return total - count
    return None


def _chi_square(share: float, dof: int) -> float:
    """Quantile of the chi-square distribution, by Wilson and Hilferty (1931)."""
    step = 2 / (9 * dof)
    return dof * (1 - step + NormalDist().inv_cdf(share) * math.sqrt(step)) ** 3
