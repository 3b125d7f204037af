"""Forecasts of how many more blocks are needed mostly come true."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.measure.comparison import Comparison
from edgebench.measure.intervals import Interval, exponential, mean_interval_of
from edgebench.measure.replication import (
    blocks_to_decide,
    inner_samples,
    processes_needed,
    processes_to_hold,
)
from tests.measure.launches import remembering

INCONCLUSIVE = Comparison(
    ratio=Interval(value=1.1, low=1.0, high=1.21), verdict="inconclusive", blocks=8
)


def test_a_forecast_of_processes_mostly_comes_true():
    random = np.random.default_rng(0)
    met = []
    for _ in range(400):
        logs = random.normal(0, 0.02, 8)
        interval = exponential(mean_interval_of(logs))
        more = processes_needed(interval, 8, half_width_ratio=0.01)
        assert more is not None
        if more:
            later = exponential(mean_interval_of(np.append(logs, random.normal(0, 0.02, more))))
            met.append(later.half_width_ratio <= 0.01)
    assert 0.75 <= np.mean(met) <= 0.93


def test_what_is_narrow_enough_needs_no_more():
    narrow = Interval(value=1.0, low=0.999, high=1.001)
    assert processes_needed(narrow, 5, half_width_ratio=0.01) == 0


def test_what_nobody_waits_for_is_no_forecast():
    wide = Interval(value=1.0, low=0.5, high=2.0)
    assert processes_needed(wide, 5, half_width_ratio=0.001) is None
    assert processes_needed(wide, 5, half_width_ratio=0.2, most=6) is None


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"verdict": "faster"}, 0),
        ({"verdict": "equivalent"}, 0),
        ({"verdict": "incomparable"}, None),
        ({"blocks": 1}, None),
        ({"margin_ratio": 0.1}, None),
    ],
    ids=["beyond", "within", "apart", "one block", "at the margin"],
)
def test_no_number_of_blocks_is_told_where_none_is_needed_or_enough(changes, more):
    assert blocks_to_decide(replace(INCONCLUSIVE, **changes)) == more


@pytest.mark.parametrize("margin_ratio", [0.0, 0.05, 0.07, 0.2])
def test_blocks_are_added_until_the_interval_would_end_at_the_margin(margin_ratio):
    spread = math.log(1.1) * math.sqrt(8) / stats.t.ppf(0.975, 7)
    feared = spread * math.sqrt(7 / stats.chi2.ppf(0.35, 7))
    reach = abs(math.log(1.1) - math.log1p(margin_ratio))
    totals = np.arange(9, 1000)
    enough = stats.t.ppf(0.975, totals - 1) * feared <= reach * np.sqrt(totals)
    expected = int(totals[np.argmax(enough)]) - 8
    found = blocks_to_decide(replace(INCONCLUSIVE, margin_ratio=margin_ratio))
    assert found == pytest.approx(expected, abs=1)


def test_a_forecast_of_a_verdict_mostly_comes_true():
    random = np.random.default_rng(1)
    decided = []
    for _ in range(300):
        logs = random.normal(0.1, 0.06, 8)
        interval = mean_interval_of(logs)
        ratio = exponential(interval)
        if not interval.low < math.log1p(0.05) < interval.high:
            continue
        more = blocks_to_decide(replace(INCONCLUSIVE, ratio=ratio, margin_ratio=0.05))
        if more is not None:
            later = mean_interval_of(np.append(logs, random.normal(0.1, 0.06, more)))
            decided.append(later.low > math.log1p(0.05))
    assert np.mean(decided) >= 0.7


@pytest.mark.parametrize("limit", [0.98, 1.02], ids=["to fail", "to pass"])
def test_a_forecast_of_a_limit_mostly_comes_true(limit):
    random = np.random.default_rng(5)
    decided = []
    for _ in range(400):
        logs = random.normal(0, 0.03, 6)
        interval = exponential(mean_interval_of(logs))
        is_open = interval.low <= limit < interval.high
        more = processes_to_hold(interval, 6, limit=limit) if is_open else None
        if more is not None:
            later = exponential(mean_interval_of(np.append(logs, random.normal(0, 0.03, more))))
            decided.append(not later.low <= limit < later.high)
    assert np.mean(decided) >= 0.7


def test_a_value_that_is_the_limit_is_never_decided():
    interval = Interval(value=1.0, low=0.9, high=1.1)
    assert processes_to_hold(interval, 5, limit=1.0) is None
    assert processes_to_hold(interval, 5, limit=1.0001) is None


@pytest.mark.parametrize(
    ("within", "between", "memory"),
    [(0.1, 0.02, 0.0), (0.05, 0.05, 0.0), (0.1, 0.02, 0.8)],
    ids=["much within", "much between", "neighbours alike"],
)
def test_the_split_is_that_of_the_variances_behind_the_samples(within, between, memory):
    random = np.random.default_rng(0)
    found = []
    for _ in range(60):
        processes = [
            np.exp(random.normal(0, between))
            * remembering(random, 400, memory=memory, spread=within, median_ns=10**9)
            for _ in range(20)
        ]
        found.append(inner_samples(processes, launch_s=3.0, sample_s=0.01))
    # The variance of a median of independent normal values is pi / 2 that of their mean.
    effective = within**2 * (1 + memory) / (1 - memory) * (math.pi / 2 if memory == 0 else 1.0)
    expected = math.sqrt(3.0 / 0.01 * effective) / between
    assert np.median(found) == pytest.approx(expected, rel=0.25)


def test_launches_that_do_not_differ_leave_no_end_to_a_process():
    random = np.random.default_rng(0)
    same = random.normal(100.0, 5.0, 64)
    assert inner_samples([same, same], launch_s=1.0, sample_s=1.0) == math.inf
