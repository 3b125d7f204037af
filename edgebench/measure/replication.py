"""How many more processes a question needs: whether it is worth the device's time to go on.

After Kalibera and Jones (ISMM 2013, "Rigorous benchmarking in reasonable time"): what the interval
between processes owes to each level of repetition tells how often to repeat. Here the upper level
is all that there is to choose: the runner takes as many samples as its seconds hold, and of these
more do not help once launches differ.
"""

import math
from statistics import NormalDist
from typing import Final

from edgebench.measure.comparison import Comparison
from edgebench.measure.intervals import TAIL, Interval
from edgebench.student_t import t_quantile

# Of the true spreads behind the spread that was seen, how many it reckons with. So four in five
# forecasts came true in simulated blocks, and half of them with the spread as it was seen.
ASSURANCE: Final = 0.65
# What nobody waits for.
PROCESSES_MAX: Final = 1000


def processes_needed(
    interval: Interval, processes: int, *, half_width_ratio: float, most: int = PROCESSES_MAX
) -> int | None:
    """How many more processes likely bring an interval to a width.

    Args:
        interval: Of a latency, by t on logs, as `LatencySummary.p50` or `Comparison.ratio`.
        processes: How many it is of; at least two.
        half_width_ratio: Half of its width over its value, as it should become.

    Returns:
        0 where it is narrow enough; None where more than `most` would be needed in all.

    >>> processes_needed(Interval(value=1.0, low=0.96, high=1.04), 5, half_width_ratio=0.02)
    14
    """
    if interval.half_width_ratio <= half_width_ratio:
        return 0
    return _more(interval, processes, math.asinh(half_width_ratio), most)


def blocks_to_decide(comparison: Comparison, *, most: int = PROCESSES_MAX) -> int | None:
    """How many more blocks likely lead to a verdict, if the ratio stays what it is.

    Until the whole interval lies on one side of the margin, be it beyond or within.

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
    return _more(comparison.ratio, comparison.blocks, reach, most)


def _more(interval: Interval, count: int, reach: float, most: int) -> int | None:
    """How many more values bring the interval of the mean of logs to `reach` on either side."""
    t = t_quantile(1 - TAIL, count - 1)
    spread = math.log(interval.high / interval.low) / 2 / t * math.sqrt(count)
    feared = spread * math.sqrt((count - 1) / _chi_square(1 - ASSURANCE, count - 1))
    for total in range(count + 1, most + 1):
        if t_quantile(1 - TAIL, total - 1) * feared <= reach * math.sqrt(total):
            return total - count
    return None


def _chi_square(share: float, dof: int) -> float:
    """Quantile of the chi-square distribution, by Wilson and Hilferty (1931)."""
    step = 2 / (9 * dof)
    return dof * (1 - step + NormalDist().inv_cdf(share) * math.sqrt(step)) ** 3
