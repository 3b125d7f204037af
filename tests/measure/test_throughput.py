"""What a device gets done."""

from dataclasses import replace

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.measure.stats import summarize
from edgebench.measure.throughput import deadlines_of, throughput_of
from tests.measure.launches import PROCESS, launches

GROUPED = {"group": 4}


def processes(count, **changes):
    return [replace(PROCESS, block=block, **changes) for block in range(count)]


def test_the_interval_of_the_throughput_holds_the_truth():
    random = np.random.default_rng(0)
    # The mean of `launches` is 5 % above its level; of logs of levels the spread is 2 %.
    truth = 1e9 / (100_000 * 1.05)
    held = []
    for _ in range(300):
        found = throughput_of(list(launches(random, 8, n=400).values()), processes(8))
        assert found is not None
        held.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_of_several_inferences_a_query_the_throughput_is_so_many_times_higher():
    samples = [np.full(10, 1_000_000), np.full(10, 1_000_000)]
    found = throughput_of(samples, processes(2, inferences=8, batch=8))
    assert found is not None
    assert found.value == pytest.approx(8000)


def test_one_process_has_no_interval_and_a_rate_that_is_given_is_no_throughput():
    samples = [np.full(10, 1_000_000)] * 2
    assert throughput_of(samples[:1], processes(1)) is None
    assert throughput_of(samples, processes(2, due=30, missed=0)) is None


def test_misses_are_counted_over_all_queries_that_were_due():
    told = deadlines_of([*processes(2, due=90, missed=0), *processes(1, due=90, missed=27)])
    assert told is not None
    assert (told.due, told.missed) == (270, 27)
    assert told.missed_share.value == pytest.approx(0.1)
    # One process of three had them all: that is less sure than 270 queries would be.
    assert told.missed_share.low == 0.0
    assert told.missed_share.high > 0.5
    assert deadlines_of(processes(3)) is None


def test_no_miss_is_not_proof_of_none():
    told = deadlines_of(processes(5, due=90, missed=0))
    assert told is not None
    assert told.missed_share.value == told.missed_share.low == 0.0
    assert 0.005 < told.missed_share.high < 0.02


def test_means_of_several_hide_every_percentile_and_bound_it():
    random = np.random.default_rng(1)
    single = {block: 20_000 * (1 + 0.1 * random.exponential(size=4000)) for block in range(5)}
    means = {block: ns.reshape(-1, 4).mean(axis=1) for block, ns in single.items()}
    latency = summarize(means, processes(5, **GROUPED))
    assert latency is not None
    assert latency.p90 is None
    assert latency.group == 4
    assert set(latency.missing.values()) == {Reason.PERCENTILE_N}
    assert latency.p50.value == pytest.approx(20_000 * 1.1, rel=0.02)
    pooled = np.concatenate(list(single.values()))
    for name, share in (("p90", 0.9), ("p99", 0.99)):
        assert np.quantile(pooled, share) <= latency.ceilings[name]
    assert summarize(single, processes(5)).ceilings == {}  # type: ignore[union-attr]  # has samples
