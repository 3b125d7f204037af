"""Changes of level are found where they are, and not in noise, however long its memory."""

import itertools

import numpy as np
import pytest

from edgebench.measure.changepoints import is_multimodal, last_change, segments, settled
from tests.measure.launches import remembering


def noisy(random, levels, counts, *, spread=0.02):
    level = np.repeat(np.asarray(levels, np.float64), counts)
    return (level * np.exp(random.normal(0, spread, level.size))).astype(np.int64)


@pytest.mark.parametrize(
    ("levels", "counts", "change"),
    [
        ([1.2e6, 1e6], [300, 700], 300),
        ([1e6, 1.2e6], [300, 700], 300),
        ([1e6, 1.2e6, 1e6], [200, 100, 700], 300),
        ([1e6, 1.2e6, 1e6], [300, 300, 400], 600),
        ([1.4e6, 1.2e6, 1e6], [200, 200, 600], 400),
        ([1e6, 1.2e6], [800, 200], 800),
        ([1e6], [1000], 0),
        ([1.005e6, 1e6], [500, 500], 0),
    ],
)
def test_the_last_change_is_found_where_it_is(levels, counts, change):
    samples = noisy(np.random.default_rng(0), levels, counts)
    assert last_change(samples) == pytest.approx(change, abs=samples.size // 50)


def test_the_search_finds_the_cheapest_partition_of_all():
    random = np.random.default_rng(4)
    values = random.normal(0, 1, 12) + np.repeat([0, 4, -2], 4)

    def cost(edges):
        parts = [values[a:b] for a, b in itertools.pairwise(edges)]
        return sum(((p - p.mean()) ** 2).sum() for p in parts) + 5 * (len(parts) - 1)

    def partitions(begin):
        yield (12,)
        for end in range(begin + 3, 10):
            yield from ((end, *rest) for rest in partitions(end))

    cheapest = min(partitions(0), key=lambda ends: cost((0, *ends)))
    assert (*segments(values, penalty=5.0), 12) == cheapest
    assert segments(values, penalty=1e6) == ()


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("n", [64, 200, 1000])
def test_noise_with_a_memory_has_no_level_to_change(n, memory):
    random = np.random.default_rng(n)
    runs = [remembering(random, n, memory=memory) for _ in range(300)]
    restless = sum(is_multimodal(samples.size, last_change(samples)) for samples in runs)
    # At 0.97, 200 samples tell as much as 3 of noise without a memory.
    assert restless / 300 <= (0.06 if memory > 0.9 else 0.02)


def test_a_step_of_a_tenth_is_found_in_noise_of_a_twentieth():
    random = np.random.default_rng(7)
    found = 0
    for _ in range(50):
        samples = remembering(random, 1000, memory=0.3)
        samples[:300] = samples[:300] * 11 // 10
        found += abs(last_change(samples) - 300) <= 40
    assert found >= 40


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_slow_start_is_seldom_missed(share):
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(100):
        count = round(400 * share)
        missed += last_change(noisy(random, [1.2e6, 1e6], [count, 400 - count], spread=0.05)) == 0
    assert missed <= 2


@pytest.mark.parametrize("n", [0, 1, 4, 5, 29])
def test_too_few_samples_have_no_change(n):
    assert last_change(np.arange(1, n + 1) ** 3) == 0


def test_a_burst_is_no_level():
    samples = np.full(1000, 1000)
    samples[400:420] = 9000
    assert last_change(samples) == 0


def test_a_clock_of_coarse_steps_is_no_change():
    random = np.random.default_rng(1)
    samples = 20_000 + 52 * (random.random(2000) < 0.2)
    assert last_change(samples.astype(np.int64)) == 0


def test_too_little_after_the_change_is_no_level_of_the_process():
    samples = np.repeat([100, 200], [500, 500])
    assert is_multimodal(samples.size, last_change(samples))
    assert settled(samples) is samples
