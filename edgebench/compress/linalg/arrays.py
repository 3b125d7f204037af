"""What the mathematics takes and gives, and the one condition on all of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Mask = NDArray[np.bool_]

# As many numbers are taken at a time where a copy of all of them in float64 would be large.
CHUNK = 1 << 20


def check_finite(weights: Floats) -> None:
    """Raise ValueError where a weight is NaN or infinite: no size and no distance is left then."""
    flat = weights.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        wrong = np.count_nonzero(~np.isfinite(flat[start : start + CHUNK]))
        if wrong:
            msg = f"{wrong} or more of {flat.size} weights are NaN or infinite."
            raise ValueError(msg)


def relative_error(kernel: Floats, other: Floats) -> float:
    """How far the second is from the first: norm of the difference by norm, 0 for two zeros.

    >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    0.1
    """
    ours, theirs = kernel.reshape(-1), other.reshape(-1)
    squares, apart = 0.0, 0.0
    for start in range(0, ours.size, CHUNK):
        part = ours[start : start + CHUNK].astype(np.float64)
        squares += float(part @ part)
        part -= theirs[start : start + CHUNK]
        apart += float(part @ part)
    if squares == 0:
        return 0.0 if apart == 0 else float("inf")
    return float(np.sqrt(apart / squares))
