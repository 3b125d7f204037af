import numpy as np
import pytest

from edgebench.compress.stored import Weight


@pytest.mark.parametrize(
    ("shape", "is_matrix"),
    [
        ((3, 4), True),
        ((3, 3, 1, 8), True),
        ((1, 1, 1, 64), False),
        ((64, 1), False),
        ((2, 48), False),
        ((2, 2, 3), True),
        ((1,), False),
    ],
)
def test_what_may_be_a_bias_is_no_matrix_for_certain(shape, is_matrix):
    assert Weight(name="w", values=np.zeros(shape)).is_matrix is is_matrix


def test_an_integer_is_zero_at_its_zero_point():
    weight = Weight(name="w", values=np.array([[0, 5], [7, 5]]), zero_point=np.array([[5, 7]]))
    assert weight.zeros == 0
    assert Weight(name="w", values=weight.values, zero_point=np.array(5)).zeros == 2
