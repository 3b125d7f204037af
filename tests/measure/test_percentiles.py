"""Percentiles are where they should be, as often as their intervals say."""

import math

import numpy as np
import pytest

from edgebench.measure.percentiles import PERCENTILES, median_over, percentiles_over


@pytest.mark.parametrize(("name", "sizes"), [("p90", [64]), ("p99", [662]), ("p99_9", [6636])])
def test_one_process_has_an_interval_of_its_own(name, sizes):
    (n,) = sizes
    found = percentiles_over([np.arange(1, n + 1)])[name]
    assert found is not None
    assert found.low < found.value <= found.high


def test_a_process_that_is_too_short_for_a_percentile_hides_it():
    # 20 processes have enough together, but the 99th of each would be its slowest.
    assert percentiles_over([np.arange(1, 61)] * 20)["p99"] is None
    assert percentiles_over([np.arange(1, 68)] * 20)["p99"] is not None


@pytest.mark.parametrize(("name", "least"), [("p90", 7), ("p95", 13), ("p99", 67), ("p99_9", 667)])
def test_the_fewest_samples_of_a_process_hold_the_rank(name, least):
    wanted = PERCENTILES[name]
    rank = wanted.share * (least + 1 / 3) + 1 / 3
    assert wanted.process_min == least
    assert rank <= least + 1e-9


@pytest.mark.parametrize(("n", "processes"), [(70, 20), (400, 5), (400, 20)])
def test_the_interval_of_p99_holds_the_truth_as_often_as_it_says(n, processes):
    random = np.random.default_rng(n + processes)
    truth = 1e6 * (1 - 0.05 * math.log(0.01))
    held = 0
    for _ in range(400):
        level = 1e6 * np.exp(random.normal(0, 0.02, (processes, 1)))
        samples = (level * (1 + 0.05 * random.exponential(size=(processes, n)))).astype(np.int64)
        found = percentiles_over(list(samples))["p99"]
        assert found is not None
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_the_median_of_very_few_samples_lies_between_its_extremes():
    found = median_over([np.array([3, 1, 2])])
    assert (found.low, found.value, found.high) == (1, 2, 3)
