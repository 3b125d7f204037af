"""Intervals against scipy's distributions, and against their own promise."""

import math

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.measure.intervals import mean_interval, quantile_ranks


def test_the_mean_interval_is_that_of_t():
    values = np.array([1.0, 2.0, 4.0])
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))
    assert mean_interval(values[:1]) is None


@pytest.mark.parametrize(
    ("share", "least"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)]
)
def test_an_interval_of_order_statistics_needs_its_samples(share, least):
    assert quantile_ranks(least - 1, share) is None
    ranks = quantile_ranks(least, share)
    assert ranks is not None
    assert ranks[1] == least


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [400, 5000, 1_000_000])
def test_the_ranks_are_those_of_the_binomial_distribution(n, share):
    ranks = quantile_ranks(n, share)
    assert ranks is not None
    low, high = ranks
    below = stats.binom(n, share)
    # As near to the middle as 2.5 % on either side allow, and no nearer.
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
    assert below.sf(high - 1) <= 0.025 < below.sf(high - 2)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_order_statistics_hold_the_quantile_as_often_as_they_say(share):
    random = np.random.default_rng(2)
    low, high = quantile_ranks(200, share) or (0, 0)
    ordered = np.sort(random.exponential(size=(4000, 200)), axis=1)
    truth = -math.log(1 - share)
    held = (ordered[:, low - 1] <= truth) & (truth <= ordered[:, high - 1])
    assert 0.94 <= held.mean() <= 0.98
