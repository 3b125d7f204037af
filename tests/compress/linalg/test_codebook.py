import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edgebench.compress.linalg.codebook import fit_codebook, fit_codebooks

SHAPES = array_shapes(min_dims=1, max_dims=4, max_side=6)
WEIGHTS = arrays(np.float32, SHAPES, elements=st.floats(-10, 10, width=32))
FEW_VALUES = arrays(np.float32, SHAPES, elements=st.sampled_from([-1.5, -0.0, 0.0, 0.1, 2.0, 7.0]))
INITS = st.sampled_from(["kmeans++", "linear", "density"])
few = settings(max_examples=25, deadline=None)


def heavy_tailed(*shape, seed=0):
    return (np.random.default_rng(seed).standard_t(4, shape) * 0.05).astype(np.float32)


def squared_distance(weights, book):
    return float(np.sum(np.square(weights.astype(np.float64) - book.decode())))


def least_squared_distance(weights, k):
    """By dynamic programming over the sorted weights: the true least, in O(k n^2)."""
    values = np.sort(weights.ravel()).astype(np.float64)
    sums = np.concatenate([[0], np.cumsum(values)])
    squares = np.concatenate([[0], np.cumsum(np.square(values))])
    ends = np.arange(values.size + 1)
    spans = ends[np.newaxis] - ends[:, np.newaxis]
    cost = squares[np.newaxis] - squares[:, np.newaxis]
    cost -= np.square(sums[np.newaxis] - sums[:, np.newaxis]) / np.maximum(spans, 1)
    cost[spans < 0] = np.inf
    best = cost[0]
    for _ in range(k - 1):
        best = np.min(best[:, np.newaxis] + cost, axis=0)
    return float(best[-1])


@few
@given(FEW_VALUES, st.integers(6, 300), INITS, st.booleans())
def test_with_a_value_for_each_the_weights_stay_as_they_are(weights, k, init, keep_zeros):
    book = fit_codebook(weights, k, init=init, keep_zeros=keep_zeros)
    assert np.array_equal(book.decode(), weights)
    assert np.array_equal(book.values, np.unique(weights))


@few
@given(WEIGHTS, st.integers(2, 8), INITS)
def test_each_weight_has_the_nearest_value_of_at_most_k(weights, k, init):
    book = fit_codebook(weights, k, init=init)
    assert book.indices.shape == weights.shape
    assert book.indices.dtype == np.uint8
    assert book.values.size <= k
    assert (np.diff(book.values) >= 0).all()
    assert book.decode().dtype == np.float32
    apart = np.abs(weights[..., np.newaxis].astype(np.float64) - book.values).min(axis=-1)
    assert np.abs(weights - book.decode()) == pytest.approx(apart, abs=1e-5)


@few
@given(WEIGHTS, st.integers(2, 5), INITS)
def test_zeros_stay_and_nothing_else_gets_their_value(weights, k, init):
    weights[weights < -3] = 0
    book = fit_codebook(weights, k, init=init, keep_zeros=True)
    assert book.values.size <= k
    assert (book.decode()[weights == 0] == 0).all()
    if weights.any() and not weights.all():
        zero = book.indices[weights == 0].flat[0]
        assert (book.indices[weights != 0] != zero).all()


def test_without_zeros_there_is_nothing_to_keep():
    weights = heavy_tailed(500) + 10
    kept = fit_codebook(weights, 4, keep_zeros=True)
    assert np.array_equal(kept.decode(), fit_codebook(weights, 4).decode())


@pytest.mark.parametrize("init", ["kmeans++", "linear", "density"])
@pytest.mark.parametrize("size", [600, 2_500_000])
def test_each_value_is_the_mean_of_its_weights(init, size):
    weights = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    book = fit_codebook(weights, 6, init=init)
    counts = np.bincount(book.indices, minlength=6)
    means = np.bincount(book.indices, weights=weights, minlength=6) / counts
    assert counts.min() > 0
    assert book.values == pytest.approx(means, abs=1e-4)


@pytest.mark.parametrize("k", [2, 4, 8, 16])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_values_are_near_the_best_there_are(k, seed):
    weights = heavy_tailed(300, seed=seed)
    found = squared_distance(weights, fit_codebook(weights, k, seed=seed))
    best = least_squared_distance(weights, k)
    assert best * (1 - 1e-5) <= found <= best * 1.3


@pytest.mark.parametrize("init", ["kmeans++", "linear", "density"])
def test_no_value_is_left_unused_where_outliers_stretch_the_range(init):
    weights = np.concatenate([heavy_tailed(2000), np.array([40.0], np.float32)])
    book = fit_codebook(weights, 16, init=init)
    assert np.unique(book.indices).size == 16


@pytest.mark.parametrize("init", ["kmeans++", "linear", "density"])
def test_values_go_where_weights_are_that_differ(init):
    weights = np.concatenate([np.zeros(5000, np.float32), heavy_tailed(50)])
    book = fit_codebook(weights, 8, init=init)
    assert np.unique(book.decode()).size == 8


@pytest.mark.parametrize(("k", "dtype"), [(256, np.uint8), (257, np.uint16)])
@pytest.mark.parametrize("keep_zeros", [False, True])
def test_indices_take_the_smallest_type(k, dtype, keep_zeros):
    weights = heavy_tailed(3000)
    weights[:100] = 0
    book = fit_codebook(weights, k, keep_zeros=keep_zeros)
    assert book.values.size == k
    assert book.indices.dtype == dtype
    assert (book.decode()[:100] == 0).all() or not keep_zeros


def test_the_same_seed_gives_the_same_values():
    weights = heavy_tailed(40, 50)
    books = [fit_codebook(weights, 16, seed=3) for _ in range(2)]
    assert np.array_equal(books[0].values, books[1].values)
    assert np.array_equal(books[0].indices, books[1].indices)


def test_the_weights_given_are_not_touched():
    weights = heavy_tailed(40, 50)
    before = weights.copy()
    fit_codebook(weights, 4, keep_zeros=True)
    assert np.array_equal(weights, before)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_each_channel_has_a_codebook_of_its_own(axis):
    weights = heavy_tailed(5, 40, 30)
    together = fit_codebooks(weights, 4, axis)
    assert together.shape == weights.shape
    for index, channel in enumerate(np.moveaxis(weights, axis, 0)):
        alone = fit_codebook(channel, 4).decode()
        assert np.array_equal(np.moveaxis(together, axis, 0)[index], alone)


def test_channels_keep_their_zeros():
    weights = heavy_tailed(60, 4)
    weights[:20] = 0
    assert (fit_codebooks(weights, 3, -1, keep_zeros=True)[:20] == 0).all()


@pytest.mark.parametrize(
    ("weights", "k", "keep_zeros"),
    [
        ([1.0, np.nan], 2, False),
        ([1.0, -np.inf], 2, True),
        ([1.0, 2.0], 0, False),
        ([], 4, False),
        ([0.0, 1.0, 2.0], 1, True),
    ],
)
def test_what_has_no_codebook_is_refused(weights, k, keep_zeros):
    with pytest.raises(ValueError, match=r"NaN|No codebook|codebook of two"):
        fit_codebook(np.array(weights, np.float32), k, keep_zeros=keep_zeros)


def test_the_starts_end_in_different_places_for_they_begin_in_different_ones():
    weights = heavy_tailed(400)
    books = [fit_codebook(weights, 16, init=init) for init in ("kmeans++", "linear", "density")]
    for ours, theirs in itertools.combinations(books, 2):
        assert not np.array_equal(ours.values, theirs.values)
