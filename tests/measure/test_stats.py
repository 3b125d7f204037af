"""What samples come to, by tables and by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Reason
from edgebench.measure.stats import summarize
from tests.measure.launches import PROCESS, launches


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
    ("n", "shown"),
    [
        (31, set()),
        (32, {"p90"}),
        (64, {"p90"}),
        (65, {"p90", "p95"}),
        (330, {"p90", "p95"}),
        (331, {"p90", "p95", "p99"}),
        (3317, {"p90", "p95", "p99"}),
        (3318, {"p90", "p95", "p99", "p99_9"}),
    ],
)
def test_a_percentile_needs_its_samples(n, shown):
    random = np.random.default_rng(0)
    samples = {block: random.permutation(np.arange(100_000, 100_000 + n)) for block in range(2)}
    found = summarize(samples, [PROCESS] * 2)
    assert found is not None
    names = {"p90", "p95", "p99", "p99_9"}
    assert {name for name in names if getattr(found, name) is not None} == shown
    assert found.missing == dict.fromkeys(names - shown, Reason.PERCENTILE_N)
    assert found.reasons == ()


def test_no_samples_come_to_nothing():
    assert summarize({}, []) is None
    assert summarize({0: np.array([], dtype=np.int64)}, [PROCESS]) is None


def test_one_process_has_an_interval_of_its_own_and_a_doubt():
    found = summarize({0: np.random.default_rng(0).permutation(np.arange(1, 1001))}, [PROCESS])
    assert found is not None
    assert found.p50.low < found.p50.value < found.p50.high
    assert found.reasons == (Reason.TOO_FEW_SAMPLES,)
    assert found.cv_between is None


def test_load_and_first_are_medians_over_processes():
    processes = [replace(PROCESS, load_ns=ns, first_ns=2 * ns) for ns in (1, 5, 100)]
    found = summarize({b: np.full(5, 10) for b in range(3)}, processes)
    assert found is not None
    assert (found.load_ns, found.first_ns) == (5, 10)


def test_a_latency_that_did_not_settle_in_most_processes_is_doubted():
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


def test_outliers_are_counted_and_stay():
    block = np.append(np.arange(1000, 1100), [9000, 9001])
    found = summarize({0: block, 1: block}, [PROCESS] * 2)
    assert found is not None
    assert found.outliers == 4
    assert found.outliers_share == pytest.approx(4 / 204)
    assert found.n == 204
    assert found.before_change == 0


def test_a_slow_start_is_left_out_of_the_percentiles_alone():
    block = np.repeat([2000, 1000], [300, 700])
    found = summarize({0: block, 1: block}, [PROCESS] * 2)
    assert found is not None
    assert found.p90 is not None
    assert (found.p50.value, found.p90.value) == pytest.approx((1000, 1000))
    assert (found.n, found.before_change) == (2000, 600)
    assert found.mean == 1300
    assert found.reasons == ()


@pytest.mark.parametrize(("restless", "is_doubted"), [(1, False), (2, True)])
def test_what_changes_until_the_end_in_most_processes_is_doubted(restless, is_doubted):
    calm, changing = np.full(1000, 1000), np.repeat([1000, 2000], [600, 400])
    samples = {b: changing if b < restless else calm for b in range(3)}
    found = summarize(samples, [PROCESS] * 3)
    assert found is not None
    assert (Reason.MULTIMODAL in found.reasons) is is_doubted
    assert found.before_change == 0


def test_launches_of_a_healthy_cell_are_seldom_multimodal():
    random = np.random.default_rng(5)
    doubted = 0
    for _ in range(100):
        found = summarize(launches(random, 5, n=400), [PROCESS] * 5)
        assert found is not None
        doubted += Reason.MULTIMODAL in found.reasons
    assert doubted <= 2
