"""What may be said of a cell and its reference, and how often it is wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Format, Measurement, Recorded, Status
from edgebench.measure.comparison import (
    Comparison,
    adjusted,
    compare,
    compare_recorded,
    differences,
    holm,
    noise_floor,
)
from edgebench.measure.intervals import Interval
from tests.measure.launches import PROCESS, launches

MEASUREMENT = Measurement(
    key="m",
    created="2026-01-01T00:00:00+00:00",
    seed=0,
    variant="float",
    format=Format.TFLITE,
    device="board",
    runtime="litert",
    runtime_version="2.3.0",
    threads=1,
    accelerator="cpu",
    sha256="0" * 64,
    size_bytes=1,
    gzip_bytes=1,
    status=Status.OK,
    fingerprint={"hw": "a", "sw": "b"},
)


def of_ratios(*ratios):
    """A cell and its reference, whose medians have these ratios block by block."""
    theirs = {b: np.full(9, 1_000_000) for b in range(len(ratios))}
    ours = {b: np.full(9, round(1_000_000 * ratio)) for b, ratio in enumerate(ratios)}
    return ours, theirs


def of_p(p, verdict="faster"):
    ratio = Interval(value=0.8, low=0.7, high=0.9)
    return Comparison(ratio=ratio, verdict=verdict, blocks=5, margin_ratio=0.05, p=p)


def under(governor):
    state = {} if governor is None else {"governor": governor}
    return replace(MEASUREMENT, processes=(replace(PROCESS, state=state),))


def built(**builds):
    return replace(MEASUREMENT, fingerprint={**MEASUREMENT.fingerprint, **builds})


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


def test_the_margin_of_a_restless_device_is_its_own():
    ours, theirs = of_ratios(0.90, 0.91, 0.89, 0.90)
    calm = compare(ours, theirs, margin_ratio=0.05, floor_ratio=0.02)
    restless = compare(ours, theirs, margin_ratio=0.05, floor_ratio=0.15)
    assert (calm.verdict, calm.margin_ratio) == ("faster", 0.05)
    assert (restless.verdict, restless.margin_ratio) == ("different_but_small", 0.15)


def test_p_is_that_of_the_paired_t_test():
    ratios = [0.91, 0.97, 0.93, 0.99, 0.95]
    found = compare(*of_ratios(*ratios), margin_ratio=0.05)
    expected = stats.ttest_1samp(np.log(ratios), 0).pvalue
    assert found.p == pytest.approx(expected, rel=1e-3)
    assert found.p_holm is None


@pytest.mark.parametrize(("ratio", "p"), [(1.0, 1.0), (0.9, 0.0)])
def test_ratios_that_are_all_equal_have_a_p(ratio, p):
    assert compare(*of_ratios(*[ratio] * 4), margin_ratio=0.05).p == p


def test_a_slow_start_is_no_part_of_the_ratio():
    theirs = {b: np.full(1000, 100_000) for b in range(3)}
    ours = {b: np.repeat([300_000, 90_000], [350, 650]) for b in range(3)}
    assert compare(ours, theirs, margin_ratio=0.05).ratio.value == pytest.approx(0.9)


def test_holm_is_the_step_down_of_bonferroni():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


@pytest.mark.parametrize(
    ("verdict", "alone", "among_many"),
    [
        ("faster", "faster", "inconclusive"),
        ("slower", "slower", "inconclusive"),
        ("different_but_small", "different_but_small", "equivalent"),
        ("equivalent", "equivalent", "equivalent"),
    ],
)
def test_a_verdict_must_survive_that_it_is_one_of_many(verdict, alone, among_many):
    (one,) = adjusted([of_p(0.02, verdict)])
    first, *_ = adjusted([of_p(0.02, verdict), *(of_p(p) for p in (0.3, 0.5, 0.9))])
    assert (one.verdict, one.p_holm) == (alone, 0.02)
    assert (first.verdict, first.p_holm) == (among_many, 0.08)


def test_what_has_no_p_is_left_as_it_is_and_counts_for_nothing():
    unpaired = replace(of_p(None), verdict="inconclusive", blocks=1)
    other = replace(of_p(0.01), verdict="incomparable", differs=("hw",))
    found = adjusted([unpaired, of_p(0.04), other])
    assert found == (unpaired, replace(of_p(0.04), p_holm=0.04), other)


def test_of_many_cells_that_are_their_reference_seldom_one_is_called_different():
    # 20 at once, in noise that often makes a difference of a fifth by chance; no margin protects.
    random = np.random.default_rng(8)
    once = {"by itself": 0, "adjusted": 0}
    for _ in range(60):
        reference = launches(random, 8, n=20)
        found = [compare(launches(random, 8, n=20), reference, margin_ratio=0.0) for _ in range(20)]
        called = {"faster", "slower"}
        once["by itself"] += any(c.verdict in called for c in found)
        once["adjusted"] += any(c.verdict in called for c in adjusted(found))
    assert once["by itself"] > 20
    assert once["adjusted"] <= 7


@pytest.mark.parametrize(
    ("theirs", "names"),
    [
        (MEASUREMENT, ()),
        (replace(MEASUREMENT, variant="int8", sha256="1" * 64), ()),
        (replace(MEASUREMENT, fingerprint={"hw": "x", "sw": "b"}), ("hw",)),
        (replace(MEASUREMENT, fingerprint={"hw": "x", "sw": "y"}), ("hw", "sw")),
        (replace(MEASUREMENT, fingerprint={}), ("hw", "sw")),
        (replace(MEASUREMENT, fingerprint={"hw": "a", "sw": "b", "state": "c"}), ("state",)),
        (replace(MEASUREMENT, runtime="tflite-runtime"), ("runtime",)),
        (replace(MEASUREMENT, runtime_version="2.4.0"), ("runtime",)),
        (replace(MEASUREMENT, runtime_version=None), ()),
        (built(runtime="r", delegate="d"), ()),
        (replace(MEASUREMENT, threads=4), ("threads",)),
        (replace(MEASUREMENT, scenario="multi:8"), ("scenario",)),
    ],
)
def test_what_makes_two_measurements_incomparable_is_named(theirs, names):
    assert differences(MEASUREMENT, theirs) == names


@pytest.mark.parametrize("part", ["runtime", "delegate"])
def test_two_builds_that_are_known_must_be_one(part):
    assert differences(built(**{part: "x"}), built(**{part: "x"})) == ()
    assert differences(built(**{part: "x"}), built(**{part: "y"})) == (part,)


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        ("performance", "performance", ()),
        ("performance", "ondemand", ("governor",)),
        ("performance", None, ()),
        (None, None, ()),
    ],
)
def test_two_governors_that_are_known_must_be_one(ours, theirs, names):
    assert differences(under(ours), under(theirs)) == names


def test_other_hardware_has_a_ratio_and_no_verdict():
    ours, theirs = of_ratios(0.5, 0.5, 0.5)
    other = replace(MEASUREMENT, fingerprint={"hw": "x", "sw": "b"})
    same = compare_recorded(
        Recorded(measurement=MEASUREMENT, samples=ours),
        Recorded(measurement=MEASUREMENT, samples=theirs),
        margin_ratio=0.05,
    )
    apart = compare_recorded(
        Recorded(measurement=other, samples=ours),
        Recorded(measurement=MEASUREMENT, samples=theirs),
        margin_ratio=0.05,
    )
    assert (same.verdict, same.differs) == ("faster", ())
    assert (apart.verdict, apart.differs) == ("incomparable", ("hw",))
    assert apart.ratio == same.ratio


def test_the_floor_is_what_a_device_shows_between_a_cell_and_itself():
    ratios = [*np.exp(np.linspace(-0.03, 0.03, 39)), 1.5]
    comparisons = [replace(of_p(0.5), ratio=Interval(value=r, low=r, high=r)) for r in ratios]
    assert noise_floor(comparisons) == pytest.approx(math.expm1(0.03))
    assert noise_floor(comparisons[-3:]) == pytest.approx(0.5)
