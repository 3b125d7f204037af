import numpy as np
import pytest

from edgebench.compress.linalg.arrays import CHUNK, check_finite, relative_error


@pytest.mark.parametrize("place", [0, CHUNK - 1, CHUNK, CHUNK + 7])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_number_is_seen_wherever_it_stands(place, value):
    weights = np.zeros((1, CHUNK + 8), np.float32)
    weights[0, place] = value
    with pytest.raises(ValueError, match=f"1 or more of {CHUNK + 8} weights"):
        check_finite(weights)


def test_numbers_pass():
    check_finite(np.ones((3, CHUNK // 2), np.float32))
    check_finite(np.zeros(0, np.float32))


def test_the_error_is_relative_to_the_first():
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal((2, 2, CHUNK)).astype(np.float32)
    expected = np.linalg.norm(ours - theirs) / np.linalg.norm(ours)
    assert relative_error(ours, theirs) == pytest.approx(expected, rel=1e-4)


def test_from_zero_to_anything_is_infinitely_far_and_to_zero_is_not():
    zeros, ones = np.zeros(3), np.ones(3)
    assert relative_error(zeros, zeros) == 0
    assert relative_error(zeros, ones) == np.inf
    assert relative_error(ones, zeros) == 1
