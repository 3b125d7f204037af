"""When a warm-up has settled."""

import latency  # type: ignore[import-not-found]  # a module of the runner, outside the package
import numpy as np
import pytest


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        ([100.0] * 10, True),
        ([100.0] * 9, False),
        ([300.0, 200.0] + [100.0] * 10, True),
        ([110.0] * 5 + [100.0] * 5, False),
        ([100.0 + 0.2 * k for k in range(10)], False),
        ([100.0 + 0.05 * k for k in range(10)], True),
        ([100.0] * 4 + [500.0] + [100.0] * 5, True),
    ],
    ids=["flat", "too few", "fell, then flat", "step", "drift", "little drift", "one outlier"],
)
def test_steady_is_neither_a_step_nor_a_drift(medians, expected):
    assert latency.is_steady(medians) is expected


def test_noise_of_a_third_of_a_percent_settles():
    random = np.random.default_rng(0)
    settled = [latency.is_steady(list(random.normal(100, 0.3, 10))) for _ in range(200)]
    assert np.mean(settled) > 0.8


def test_samples_end_when_count_and_time_are_both_enough():
    loop = {"sample_min_invokes": 50, "sample_min_s": 0.0, "sample_max_s": 10.0}
    calls = []
    samples = latency.sample(lambda: calls.append(1), loop, typical_ns=100)
    assert len(samples) == len(calls) == 50


def test_the_first_inference_is_no_sample():
    loop = {
        "warmup_min_invokes": 5,
        "warmup_min_s": 0.001,
        "warmup_max_s": 0.01,
        "sample_min_invokes": 20,
        "sample_min_s": 0.0,
        "sample_max_s": 1.0,
    }
    calls = []
    found, samples, _ = latency.measure(lambda: calls.append(1), loop)
    assert len(calls) == 1 + found["warmup_invokes"] + found["group"] * len(samples)
    assert found["samples"] == len(samples) == 20


@pytest.mark.parametrize(
    ("typical_ns", "told", "group"),
    [(50_000, None, 1), (49_999, None, 2), (1_000, None, 50), (70_000, None, 1), (1_000, 7, 7)],
    ids=["at the bound", "below it", "far below", "above", "as the first process had it"],
)
def test_what_is_shorter_than_50_us_is_timed_in_groups(typical_ns, told, group):
    assert latency.group_of({"group": told}, typical_ns) == group
