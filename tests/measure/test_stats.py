"""What samples come to, by tables and by simulation."""

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Process, Reason
from edgebench.measure.stats import compare, mean_interval, summarize

PROCESS = Process(
    block=0,
    position=0,
    started="2026-01-01T00:00:00+00:00",
    load_ns=2_000_000,
    first_ns=300_000,
    warmup_invokes=100,
    warmup_s=1.0,
    is_steady=True,
    samples=100,
)


def launches(random, blocks, *, n=100, median_ns=100_000, between=0.02, drift=None):
    """Samples of processes whose medians differ by `between`, skewed as latencies are."""
    drift = np.zeros(blocks) if drift is None else drift
    level = median_ns * np.exp(random.normal(0, between, blocks) + drift)
    return {
        block: (level[block] * (1 + 0.05 * random.exponential(size=n))).astype(np.int64)
        for block in range(blocks)
    }


def test_one_outlier_does_not_move_the_median():
    block = np.full(101, 100_000)
    spoiled = np.append(block[:-1], 100_000_000)
    clean = summarize({0: block, 1: block}, [PROCESS])
    dirty = summarize({0: block, 1: spoiled}, [PROCESS])
    assert clean is not None
    assert dirty is not None
    assert dirty.p50 == clean.p50
    assert dirty.mean > 4 * clean.mean


def test_the_interval_is_that_of_t_on_the_logs_of_the_medians():
    samples = {b: np.array([m - 10, m, m + 10]) for b, m in enumerate((900, 1000, 1150, 1020))}
    logs = np.log([900, 1000, 1150, 1020])
    low, high = stats.t.interval(0.95, 3, logs.mean(), stats.sem(logs))
    found = summarize(samples, [PROCESS] * 4)
    assert found is not None
    assert found.p50.value == pytest.approx(np.exp(logs.mean()))
    assert (found.p50.low, found.p50.high) == pytest.approx((np.exp(low), np.exp(high)))
    assert found.processes == 4
    assert found.n == 12
    assert found.min == 890


@pytest.mark.parametrize(
    ("n", "p90", "p99"),
    [(31, False, False), (32, True, False), (330, True, False), (331, True, True)],
)
def test_a_percentile_needs_its_samples(n, p90, p99):
    samples = {block: np.arange(1000, 1000 + n) for block in range(2)}
    found = summarize(samples, [PROCESS] * 2)
    assert found is not None
    assert (found.p90 is not None) is p90
    assert (found.p99 is not None) is p99
    hidden = {name for name, shown in (("p90", p90), ("p99", p99)) if not shown}
    assert found.missing == dict.fromkeys(hidden, Reason.PERCENTILE_N)
    assert found.reasons == ()


def test_no_samples_come_to_nothing():
    assert summarize({}, []) is None
    assert summarize({0: np.array([], dtype=np.int64)}, [PROCESS]) is None


def test_one_process_has_an_interval_of_its_own_and_a_doubt():
    found = summarize({0: np.arange(1, 1001)}, [PROCESS])
    assert found is not None
    assert found.p50.low < found.p50.value < found.p50.high
    assert found.reasons == (Reason.TOO_FEW_SAMPLES,)
    assert found.cv_between is None


def test_load_and_first_are_medians_over_processes():
    from dataclasses import replace

    processes = [replace(PROCESS, load_ns=ns, first_ns=2 * ns) for ns in (1, 5, 100)]
    found = summarize({b: np.full(5, 10) for b in range(3)}, processes)
    assert found is not None
    assert (found.load_ns, found.first_ns) == (5, 10)


def test_a_latency_that_did_not_settle_in_most_processes_is_doubted():
    from dataclasses import replace

    shaky = replace(PROCESS, is_steady=False)
    samples = {b: np.full(100, 10) for b in range(3)}
    one, two = (
        summarize(samples, [PROCESS, PROCESS, shaky]),
        summarize(samples, [PROCESS, shaky, shaky]),
    )
    assert one is not None
    assert two is not None
    assert Reason.NO_STEADY_STATE not in one.reasons
    assert Reason.NO_STEADY_STATE in two.reasons


def test_an_interval_that_is_too_wide_is_doubted_where_a_width_was_asked():
    samples = {b: np.full(100, 1000 + 100 * b) for b in range(5)}
    narrow, wide = summarize(samples, [PROCESS]), summarize(samples, [PROCESS], ci_ratio=0.01)
    assert narrow is not None
    assert wide is not None
    assert narrow.reasons == ()
    assert wide.reasons == (Reason.CI_NOT_MET,)


@pytest.mark.parametrize("blocks", [5, 8, 20])
def test_the_interval_holds_the_truth_as_often_as_it_says(blocks):
    random = np.random.default_rng(blocks)
    truth = 100_000 * (1 + 0.05 * np.log(2))
    held = 0
    for _ in range(600):
        found = summarize(launches(random, blocks), [PROCESS] * blocks)
        assert found is not None
        held += found.p50.low <= truth <= found.p50.high
    assert 0.92 <= held / 600 <= 0.98


@pytest.mark.parametrize("drift_ratio", [0.0, 0.2], ids=["calm", "drifting"])
@pytest.mark.parametrize("blocks", [5, 8, 20])
def test_two_runs_of_one_file_are_seldom_called_different(blocks, drift_ratio):
    random = np.random.default_rng(blocks)
    drift = np.linspace(0, drift_ratio, blocks)
    called = 0
    for _ in range(400):
        ours = launches(random, blocks, drift=drift)
        theirs = launches(random, blocks, drift=drift)
        verdict = compare(ours, theirs, margin_ratio=0.02).verdict
        called += verdict in {"faster", "slower"}
    assert called / 400 < 0.02


@pytest.mark.parametrize(("factor", "verdict"), [(0.88, "faster"), (1.13, "slower")])
def test_a_difference_of_a_tenth_is_found_through_drift(factor, verdict):
    random = np.random.default_rng(3)
    drift = np.linspace(0, 0.3, 10)
    found = 0
    for _ in range(200):
        theirs = launches(random, 10, drift=drift)
        ours = launches(random, 10, drift=drift, median_ns=100_000 * factor)
        found += compare(ours, theirs, margin_ratio=0.05).verdict == verdict
    assert found / 200 > 0.9


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.80, 0.81, 0.79, 0.80], "faster"),
        ([1.20, 1.21, 1.19, 1.20], "slower"),
        ([1.00, 1.01, 0.99, 1.00], "equivalent"),
        ([1.03, 1.031, 1.029, 1.03], "different_but_small"),
        ([0.97, 0.971, 0.969, 0.97], "different_but_small"),
        ([0.90, 1.10, 1.00, 1.05], "inconclusive"),
        ([0.94, 0.97, 0.93, 0.96], "inconclusive"),
    ],
)
def test_the_verdict_is_where_the_whole_interval_lies(ratios, verdict):
    theirs = {b: np.full(9, 100_000) for b in range(4)}
    ours = {b: np.full(9, round(100_000 * ratio)) for b, ratio in enumerate(ratios)}
    found = compare(ours, theirs, margin_ratio=0.05)
    assert found.verdict == verdict
    assert found.blocks == 4
    assert found.ratio.low <= found.ratio.value <= found.ratio.high


def test_only_blocks_that_both_have_are_paired():
    ours = {0: np.full(9, 100), 1: np.full(9, 100), 2: np.full(9, 9000)}
    theirs = {0: np.full(9, 100), 1: np.full(9, 100), 3: np.full(9, 1)}
    found = compare(ours, theirs, margin_ratio=0.05)
    assert found.blocks == 2
    assert found.ratio.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("block", "verdict"), [(0, "inconclusive"), (1, "incomparable")], ids=["one", "none"]
)
def test_less_than_two_common_blocks_have_no_verdict(block, verdict):
    found = compare({0: np.arange(50, 60)}, {block: np.arange(100, 120)}, margin_ratio=0.05)
    assert found.verdict == verdict
    assert np.isfinite([found.ratio.low, found.ratio.value, found.ratio.high]).all()


def test_nothing_against_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="samples on both sides"):
        compare({}, {0: np.arange(5)}, margin_ratio=0.05)


def test_the_mean_interval_is_that_of_t():
    values = np.array([1.0, 2.0, 4.0])
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))
    assert mean_interval(values[:1]) is None
