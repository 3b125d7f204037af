"""Samples far from their process's median: counted, never deleted."""

from typing import Final

import numpy as np

from edgebench.core import Times

# Ten standard deviations of a normal distribution, as hyperfine has it:
# https://github.com/sharkdp/hyperfine/blob/master/src/outlier_detection.rs
DISTANCE_MAX: Final = 14.826
# Where most samples are equal, for the clock is coarse, the median distance alone would make
# outliers of all others.
DISTANCE_RATIO_MIN: Final = 0.001


def outliers(samples: Times) -> int:
    """How many samples of a process are further than 14.8 median distances from its median.

    >>> outliers(np.array([10, 11, 12, 11, 10, 12, 11, 900]))
    1
    """
    middle = float(np.median(samples))
    distances = np.abs(samples - middle)
    typical = max(float(np.median(distances)), DISTANCE_RATIO_MIN * middle)
    return int(np.count_nonzero(distances > DISTANCE_MAX * typical))
