"""The mean of a stretch of readings, and how well it is known."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.measure.energy.counter import power_between
from edgebench.measure.energy.trace import Trace, Window
from edgebench.student_t import t_quantile

CORRELATION_MAX: Final = 0.99
BATCHES: Final = (5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """Power over a stretch in which it should not change.

    Attributes:
        mean_w: Weighted by time; of a counter, joules over seconds from first to last reading.
        random_w: Half of the 95 % interval of the mean.
        step_w: By how much the meter's steps may have moved the mean.
        drift_w: Rise from begin to end, by a straight line.
        drift_error_w: Half of the 95 % interval of that rise.
        n_eff: Independent readings that the samples come to.
        covered_s: From first to last reading.
    """

    mean_w: float
    random_w: float
    step_w: float
    drift_w: float
    drift_error_w: float
    n_eff: float
    samples: int
    covered_s: float

    @property
    def reach_w(self) -> float:
        """Half of the interval that holds chance, the meter's steps and half of the drift.

        Half: where the power, or the meter, had not settled, the plateau's end is right and its
        mean is off by half of a rise that is even, and by less of one that levels off.
        """
        return math.hypot(self.random_w, self.step_w, self.drift_w / 2)


def plateau(trace: Trace, window: Window) -> Plateau | None:
    """The mean power in a window; None with fewer than three readings there."""
    inside = trace.within(window)
    if inside.time_ns.size < 3:
        return None
    time_ns, power_w = inside.time_ns, inside.values
    covered_s = float(time_ns[-1] - time_ns[0]) / 1e9
    if trace.kind == "counter":
        mean_w = float(power_w[-1] - power_w[0]) / covered_s
        step_w = (trace.resolution or 0.0) / covered_s
        time_ns, power_w = power_between(time_ns, power_w)
    else:
        mean_w = time_weighted_mean(time_ns, power_w)
        step_w = _undithered(power_w, trace.resolution)
    n_eff = effective_samples(power_w)
    drift_w, drift_error_w = _drift(time_ns, power_w)
    return Plateau(
        mean_w=mean_w,
        random_w=max(_by_correlation(power_w, n_eff), _by_batches(power_w)),
        step_w=step_w,
        drift_w=drift_w,
        drift_error_w=drift_error_w,
        n_eff=n_eff,
        samples=int(inside.time_ns.size),
        covered_s=covered_s,
    )


def time_weighted_mean(time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Each reading stands for the time that is nearer to it than to its neighbours.

    >>> time_weighted_mean(np.array([0, 1, 2, 4]), np.array([1.0, 1.0, 1.0, 12.0]))
    5.0
    """
    steps = np.diff(time_ns) / 2
    weights = np.concatenate((steps[:1], steps)) + np.concatenate((steps, steps[-1:]))
    return float(np.average(values, weights=weights))


def effective_samples(values: NDArray[np.float64]) -> float:
    """How many independent readings hold as much as these, by how alike neighbours are.

    >>> effective_samples(np.array([1.0, -1.0] * 20))
    40.0
    """
    off = values - values.mean()
    square = float(off @ off)
    correlation = float(off[1:] @ off[:-1]) / square if square > 0 else -1.0
    # Kendall 1954: what a short series shows is too small by this much.
    correlation += (1 + 4 * correlation) / values.size
    correlation = min(max(correlation, 0.0), CORRELATION_MAX)
    return values.size * (1 - correlation) / (1 + correlation)


def _by_correlation(values: NDArray[np.float64], n_eff: float) -> float:
    reach = t_quantile(0.975, max(int(n_eff) - 1, 1))
    return reach * float(values.std(ddof=1)) / math.sqrt(n_eff)


def _by_batches(values: NDArray[np.float64]) -> float:
    """Sees what wanders slowly under noise that hides it from neighbours."""
    if values.size < 2 * max(BATCHES):
        return 0.0
    return max(_over_batches(values, count) for count in BATCHES)


def _over_batches(values: NDArray[np.float64], count: int) -> float:
    means = np.array([batch.mean() for batch in np.array_split(values, count)])
    return t_quantile(0.975, count - 1) * float(means.std(ddof=1)) / math.sqrt(count)


def _undithered(power_w: NDArray[np.float64], resolution_w: float | None) -> float:
    """Half a step where the readings vary by less than half a step, and do not average it out."""
    levels = np.unique(power_w)
    step = resolution_w
    if step is None:
        step = float(np.diff(levels).min()) if levels.size > 1 else 0.0
    return step / 2 if float(power_w.std()) < step / 2 else 0.0


def _drift(time_ns: NDArray[np.int64], power_w: NDArray[np.float64]) -> tuple[float, float]:
    """Rise over the window by least squares, and half of its 95 % interval.

    As if all readings were independent: what levels off is no straight line, and its rest alike
    from neighbour to neighbour, which would hide the rise that is looked for.
    """
    x = (time_ns - time_ns[0]) / (time_ns[-1] - time_ns[0])
    x = x - x.mean()
    square = float(x @ x)
    slope = float(x @ power_w) / square
    rest = power_w - power_w.mean() - slope * x
    dof = max(rest.size - 2, 1)
    return slope, t_quantile(0.975, dof) * math.sqrt(float(rest @ rest) / dof / square)
