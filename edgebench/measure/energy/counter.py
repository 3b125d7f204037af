"""Counters of energy: where they wrap, and the power between two of their readings."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# A driver that was loaded anew looks like a wrap. What a true wrap adds is the energy of one period
# and small beside the range, or the counter is read too seldom to know how often it wrapped.
STEP_MAX: Final = 0.25


def unwrapped(energy_j: NDArray[np.float64], range_j: float | None) -> NDArray[np.float64]:
    """A counter that begins anew at `range_j`, made to rise on.

    Args:
        energy_j: Readings in order of time, `(sample,)`.
        range_j: None where it is not known: falls are left as they are, for `estimate` to refuse.
            So are those that would be a step of more than a quarter of the range.

    >>> unwrapped(np.array([8.0, 9.0, 0.5]), 10.0).tolist()
    [8.0, 9.0, 10.5]
    """
    if range_j is None or energy_j.size < 2:
        return energy_j
    steps = np.diff(energy_j)
    wrapped = np.where(steps < 0, steps + range_j, steps)
    steps = np.where((wrapped >= 0) & (wrapped <= STEP_MAX * range_j), wrapped, steps)
    return np.concatenate(([energy_j[0]], energy_j[0] + np.cumsum(steps)))


def power_between(
    time_ns: NDArray[np.int64], energy_j: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Mean power between neighbouring readings, `(sample - 1,)`, at the times between them."""
    middle_ns = time_ns[:-1] + np.diff(time_ns) // 2
    return middle_ns, np.diff(energy_j) / (np.diff(time_ns) / 1e9)
