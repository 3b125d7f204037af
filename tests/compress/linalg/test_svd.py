import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.svd import svd_channel, svd_dense, svd_spatial
from edgebench.compress.linalg.unfold import unfold
from tests.compress.linalg.planted import matrix

few = settings(max_examples=25, deadline=None)
SIDES = array_shapes(min_dims=2, max_dims=2, max_side=40)
KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))
CONVOLUTIONS = [("channel", svd_channel), ("spatial", svd_spatial)]


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def product(method, factors):
    terms = {"channel": "hwir,abro->hwio", "spatial": "hair,bwro->hwio"}
    return np.einsum(terms[method], *factors)


@few
@given(SIDES, st.data())
def test_no_other_factors_of_this_rank_come_nearer(shape, data):
    """Eckart and Young: what is missed is the norm of the singular values left out."""
    rank = data.draw(st.integers(1, min(shape)))
    weights = drawn(shape)
    first, last = svd_dense(weights, rank)
    assert (first.shape, last.shape) == ((shape[0], rank), (rank, shape[1]))
    assert first.dtype == last.dtype == np.float32
    values = np.linalg.svd(weights.astype(np.float64), compute_uv=False)
    best = np.linalg.norm(values[rank:]) / np.linalg.norm(values)
    assert relative_error(weights, first @ last) == pytest.approx(best, rel=1e-4, abs=2e-6)


@few
@given(SIDES)
def test_full_rank_gives_the_matrix_back(shape):
    weights = drawn(shape)
    first, last = svd_dense(weights, min(shape))
    assert first @ last == pytest.approx(weights, abs=1e-5)


@pytest.mark.parametrize(("method", "decompose"), CONVOLUTIONS)
@few
@given(KERNELS)
def test_full_rank_gives_the_kernel_back(method, decompose, shape):
    kernel = drawn(shape)
    rank = min(unfold(kernel, method)[0].shape)
    factors = decompose(kernel, rank)
    assert product(method, factors) == pytest.approx(kernel, abs=1e-5)


@pytest.mark.parametrize(("method", "decompose"), CONVOLUTIONS)
def test_a_convolution_is_met_as_its_unfolding_is(method, decompose):
    kernel = drawn((3, 5, 8, 6))
    (unfolded,) = unfold(kernel, method)
    first, last = svd_dense(unfolded, 4)
    expected = relative_error(unfolded, first @ last)
    assert relative_error(kernel, product(method, decompose(kernel, 4))) == pytest.approx(expected)


def test_the_factors_of_a_convolution_are_kernels():
    kernel = drawn((3, 5, 8, 6))
    assert [factor.shape for factor in svd_channel(kernel, 4)] == [(3, 5, 8, 4), (1, 1, 4, 6)]
    assert [factor.shape for factor in svd_spatial(kernel, 4)] == [(3, 1, 8, 4), (1, 5, 4, 6)]


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_the_singular_values_are_shared_out_evenly(shape):
    weights = drawn(shape)
    first, last = svd_dense(weights, 5)
    roots = np.sqrt(np.linalg.svd(weights, compute_uv=False)[:5])
    assert np.linalg.norm(first, axis=0) == pytest.approx(roots, rel=1e-4)
    assert np.linalg.norm(last, axis=1) == pytest.approx(roots, rel=1e-4)


def test_a_planted_rank_is_met_to_the_noise():
    weights = matrix((60, 40), 7, noise=0.01, seed=0)
    first, last = svd_dense(weights, 7)
    assert relative_error(weights, first @ last) < 0.01


def test_zeros_give_zeros():
    first, last = svd_dense(np.zeros((6, 4), np.float32), 2)
    assert np.isfinite(first).all()
    assert not (first @ last).any()


@pytest.mark.parametrize("rank", [0, 5])
def test_a_rank_that_the_matrix_does_not_allow_is_refused_in_numbers(rank):
    with pytest.raises(ValueError, match=rf"Rank {rank} .* 4"):
        svd_dense(drawn((6, 4)), rank)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        svd_dense(np.full((3, 3), np.nan, np.float32), 1)
