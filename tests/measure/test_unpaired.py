"""Two runs share no block: what may be said of their cells all the same."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Format, Measurement, Recorded, Status
from edgebench.measure.intervals import Interval, mean_interval_of
from edgebench.measure.unpaired import compare_apart, compare_runs_recorded, difference_of
from tests.measure.launches import launches

# Of a true share of 2.5 %, at most so many are seen in this many trials, but for one time in 1,000.
TRIALS = 8000
BOUND = 0.025 + 3.1 * math.sqrt(0.025 * 0.975 / TRIALS)


def by_logs(*logs):
    """A process a log, whose samples are all alike."""
    return {block: np.full(9, 1e6 * math.exp(log)) for block, log in enumerate(logs)}


@pytest.mark.parametrize(
    ("counts", "spreads"),
    [
        ((3, 3), (1.0, 1.0)),
        ((5, 5), (1.0, 4.0)),
        ((8, 8), (1.0, 1.0)),
        ((20, 3), (1.0, 1.0)),
        ((3, 20), (4.0, 1.0)),
        ((2, 10), (3.0, 1.0)),
    ],
    ids=str,
)
def test_of_two_equal_runs_the_interval_is_seldom_above_one(counts, spreads):
    random = np.random.default_rng(sum(counts))
    above = below = 0
    for _ in range(TRIALS):
        sides = (random.normal(0, s, n) for n, s in zip(counts, spreads, strict=True))
        found = difference_of(*(mean_interval_of(side) for side in sides))
        above += found.low > 0
        below += found.high < 0
    assert max(above, below) / TRIALS <= BOUND


@pytest.mark.parametrize(("slowdown", "margin_ratio"), [(0.0, 0.0), (0.05, 0.05)])
@pytest.mark.parametrize("blocks", [(5, 5), (3, 12)], ids=str)
def test_slower_is_seldom_said_of_what_is_not_slower_than_the_margin(
    blocks, slowdown, margin_ratio
):
    random = np.random.default_rng(blocks[1])
    trials, called = 600, 0
    for _ in range(trials):
        ours = launches(random, blocks[0], n=30, median_ns=100_000 * (1 + slowdown))
        theirs = launches(random, blocks[1], n=30)
        called += compare_apart(ours, theirs, margin_ratio=margin_ratio).verdict == "slower"
    assert called / trials <= 0.025 + 3.1 * math.sqrt(0.025 * 0.975 / trials)


@pytest.mark.parametrize(("factor", "verdict"), [(0.88, "faster"), (1.13, "slower")])
def test_a_difference_of_a_tenth_is_found_between_two_runs(factor, verdict):
    random = np.random.default_rng(4)
    found = 0
    for _ in range(200):
        ours = launches(random, 8, n=30, median_ns=100_000 * factor)
        theirs = launches(random, 8, n=30)
        found += compare_apart(ours, theirs, margin_ratio=0.05).verdict == verdict
    assert found / 200 > 0.9


def test_welchs_interval_of_few_against_many_misses_more_often_than_it_says():
    random = np.random.default_rng(7)
    ours, theirs = random.normal(0, 1, (TRIALS, 3)), random.normal(0, 1, (TRIALS, 20))
    found = stats.ttest_ind(ours, theirs, axis=1, equal_var=False)
    assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) > BOUND


def test_of_equally_many_with_equal_spread_it_is_the_t_interval_of_both():
    ours, theirs = [0.0, 0.02, 0.04, 0.06], [0.10, 0.12, 0.14, 0.16]
    found = compare_apart(by_logs(*ours), by_logs(*theirs), margin_ratio=0.0)
    reach = stats.t.ppf(0.975, 3) * math.sqrt(2 * np.var(ours, ddof=1) / 4)
    assert math.log(found.ratio.value) == pytest.approx(-0.1)
    assert math.log(found.ratio.low) == pytest.approx(-0.1 - reach)
    assert math.log(found.ratio.high) == pytest.approx(-0.1 + reach)
    assert found.blocks == 4
    # The p at which its own interval would end at 1.
    t = 0.1 / math.sqrt(2 * np.var(ours, ddof=1) / 4)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 3), rel=1e-6)


@pytest.mark.parametrize(("log", "p"), [(0.0, 1.0), (0.3, 0.0)])
def test_runs_whose_processes_are_all_alike_have_a_p(log, p):
    assert compare_apart(by_logs(log, log), by_logs(0.0, 0.0), margin_ratio=0.0).p == p


@pytest.mark.parametrize(("ours", "theirs"), [(1, 5), (5, 1), (1, 1)])
def test_a_single_process_decides_nothing(ours, theirs):
    found = compare_apart(by_logs(*[0.7] * ours), by_logs(*[0.0] * theirs), margin_ratio=0.05)
    assert found.verdict == "inconclusive"
    assert found.blocks == 1
    assert found.p is None
    assert found.ratio.value == pytest.approx(math.exp(0.7))


def test_blocks_of_the_same_number_are_not_paired():
    # Paired they would differ by just as much in each block.
    found = compare_apart(by_logs(0.1, 0.9, 0.5), by_logs(0.0, 0.8, 0.4), margin_ratio=0.02)
    assert found.verdict == "inconclusive"


def test_the_difference_of_two_shares_is_newcombes():
    # Newcombe 1998, table II, (a): 56/70 against 48/80; method 10 without continuity correction.
    found = difference_of(wilson(56, 70), wilson(48, 80))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def wilson(hits, n):
    bounds = stats.binomtest(hits, n).proportion_ci(method="wilson")
    return Interval(value=hits / n, low=bounds.low, high=bounds.high)


def test_other_conditions_have_a_ratio_and_no_verdict():
    measurement = Measurement(
        key="a",
        created="2026-01-01T00:00:00+00:00",
        seed=0,
        variant="a",
        format=Format.ONNX,
        device="board",
        runtime="onnxruntime",
        runtime_version="1.27.0",
        threads=1,
        accelerator="cpu",
        sha256="0",
        size_bytes=1,
        gzip_bytes=1,
        status=Status.OK,
        fingerprint={"hw": "a", "sw": "a", "state": "a"},
    )
    ours = Recorded(measurement=measurement, samples=by_logs(0.5, 0.5))
    found = compare_runs_recorded(ours, ours, margin_ratio=0.05)
    assert found.verdict == "equivalent"
    newer = replace(measurement, runtime_version="1.28.0")
    theirs = Recorded(measurement=newer, samples=by_logs(0.0, 0.0))
    found = compare_runs_recorded(ours, theirs, margin_ratio=0.05)
    assert (found.verdict, found.differs) == ("incomparable", ("runtime",))
    assert found.ratio.value == pytest.approx(math.exp(0.5))
