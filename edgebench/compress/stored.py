"""A weight tensor as a model file stores it, whatever the format of the file."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _zero() -> NDArray[Any]:
    return np.zeros((), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weight:
    """A constant of rank 2 and more, stored once however many operations read it.

    Attributes:
        values: Floats, or the integers that stand for reals by a scale; dense, of the tensor's own
            shape, also where the file holds them packed or sparse.
        axis: The axis along which the scale differs; None where there is one scale or none.
        zero_point: The integer that stands for zero, of a shape that broadcasts over `values`.
        channels: The axis of the output channels of the operation that reads it; None where that
            operation has none, or none that is known here.
    """

    name: str
    values: NDArray[Any]
    axis: int | None = None
    zero_point: NDArray[Any] = field(default_factory=_zero)
    channels: int | None = None

    @property
    def zeros(self) -> int:
        """How many weights stand for exactly zero."""
        return int(np.count_nonzero(self.values == self.zero_point))

    @property
    def is_matrix(self) -> bool:
        """Whether these are weights for certain.

        `(1, 1, 1, 64)` is a vector in disguise, and `(2, 64)` the two biases of a GRU as often as
        the weights of a layer.
        """
        long = sorted(length for length in self.values.shape if length > 1)
        return len(long) > 1 and (len(long) > 2 or long[0] > 2)


def along(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    """A vector as a tensor of this rank that lies along one axis.

    >>> along(np.array([1, 2, 3]), 1, 4).shape
    (1, 3, 1, 1)
    """
    return values.reshape([-1 if index == axis else 1 for index in range(rank)])


def count_different(values: NDArray[Any], axis: int | None = None) -> int:
    """How many different values there are; the most that one index of `axis` has.

    >>> table = np.array([[1, 1, 2], [3, 4, 5]])
    >>> count_different(table), count_different(table, 0), count_different(table, 1)
    (5, 3, 2)
    """
    if not values.size:
        return 0
    count = 1 if axis is None else values.shape[axis]
    rows = values if axis is None else np.moveaxis(values, axis, 0)
    ordered = np.sort(rows.reshape(count, -1), axis=1)
    return int(np.count_nonzero(np.diff(ordered, axis=1), axis=1).max()) + 1
