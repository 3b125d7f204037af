"""Outliers are few, and far away."""

import numpy as np
import pytest

from edgebench.measure.outliers import outliers


@pytest.mark.parametrize(
    ("samples", "count"),
    [
        (np.arange(1000, 1100), 0),
        (np.append(np.arange(1000, 1100), [5000, 1]), 2),
        (np.append(np.full(100, 1000), 1001), 0),
        (np.append(np.full(100, 1000), 2000), 1),
        (np.array([7]), 0),
    ],
    ids=["none", "both sides", "a step of the clock", "beside equals", "one sample"],
)
def test_outliers_are_far_from_the_median(samples, count):
    assert outliers(samples) == count


def test_normal_noise_has_none():
    random = np.random.default_rng(0)
    assert outliers((1e6 + 1e4 * random.normal(size=100_000)).astype(np.int64)) == 0
