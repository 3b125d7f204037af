"""Arrays that a runner wrote on a device; what it sends may be anything."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Reason, Times
from edgebench.errors import JobFailed
from edgebench.untrusted import read_arrays

LATENCY_NS_MAX: Final = 10**15


def arrays_of(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a `.npz`.

    Raises:
        JobFailed: It is none, or larger than all that a runner writes.
    """
    try:
        return read_arrays(path)
    except ValueError as error:
        msg = f"The runner's {path.name!r} holds no arrays: {error}."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR) from error


def samples_of(path: Path, *, count: int) -> Times:
    """The samples of a latency pass, `(count,)`, in nanoseconds; raises as `arrays_of` does."""
    samples = arrays_of(path).get("latency_ns")
    is_list = samples is not None and samples.shape == (count,) and samples.dtype.kind in "iu"
    if samples is None or not is_list or not _are_times(samples):
        msg = f"The runner's {path.name!r} does not hold the {count} times that it speaks of."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return samples.astype(np.int64)


def _are_times(samples: NDArray[np.generic]) -> bool:
    found = samples.astype(np.float64)
    return bool(found.size and found.min() >= 0 and found.max() < LATENCY_NS_MAX)
