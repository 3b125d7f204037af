import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.cp import cp
from tests.compress.linalg.planted import cp_kernel

few = settings(max_examples=25, deadline=None)
KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def product(factors):
    first, area, last = factors
    return np.einsum("ir,hwr,ro->hwio", first[0, 0], area[..., 0], last[0, 0])


@few
@given(KERNELS, st.integers(1, 12))
def test_any_rank_gives_kernels_of_numbers_that_are_no_farther_than_zero(shape, rank):
    height, width, inputs, outputs = shape
    kernel = drawn(shape)
    factors = cp(kernel, rank, seed=0)
    assert [factor.shape for factor in factors] == [
        (1, 1, inputs, rank),
        (height, width, rank, 1),
        (1, 1, rank, outputs),
    ]
    assert all(np.isfinite(factor).all() for factor in factors)
    assert {factor.dtype for factor in factors} == {np.dtype(np.float32)}
    assert relative_error(kernel, product(factors)) <= 1.001


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("shape", "rank", "noise"),
    [((3, 3, 16, 24), 6, 0.01), ((5, 5, 12, 24), 20, 0.01), ((3, 3, 32, 32), 24, 0.1)],
)
def test_a_planted_rank_is_met_to_the_noise(shape, rank, noise, seed):
    kernel = cp_kernel(shape, rank, noise=noise, seed=seed)
    assert relative_error(kernel, product(cp(kernel, rank, seed=0))) < noise * 1.1


@pytest.mark.converter
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("shape", "planted", "rank", "noise"),
    [
        ((3, 3, 16, 24), 8, 8, 0.05),
        ((3, 3, 24, 24), 30, 16, 0.1),
        ((5, 5, 8, 16), 12, 12, 0.3),
        ((3, 3, 16, 16), 60, 40, 0.02),
    ],
)
def test_it_comes_as_near_as_tensorly_with_as_many_iterations(shape, planted, rank, noise, seed):
    import tensorly
    from tensorly.decomposition import parafac

    kernel = cp_kernel(shape, planted, noise=noise, seed=seed)
    wide = kernel.astype(np.float64).reshape(-1, *shape[2:])
    # Its own start by singular vectors warns where there are fewer of them than terms.
    theirs = parafac(wide, rank, n_iter_max=50, init="random", random_state=seed)
    missed = relative_error(kernel, tensorly.cp_to_tensor(theirs))
    assert relative_error(kernel, product(cp(kernel, rank, seed=seed))) <= missed * 1.05


def test_a_pointwise_kernel_is_met_as_a_matrix_is():
    kernel = drawn((1, 1, 24, 16))
    values = np.linalg.svd(kernel[0, 0], compute_uv=False)
    best = np.linalg.norm(values[5:]) / np.linalg.norm(values)
    assert relative_error(kernel, product(cp(kernel, 5, seed=0))) == pytest.approx(best, rel=1e-4)


def test_terms_do_not_grow_to_cancel_each_other_where_there_is_no_best():
    """Rank 3, and yet as near as one likes to rank 2 (de Silva and Lim 2008)."""
    kernel = np.zeros((1, 2, 2, 2), np.float32)
    kernel[0, 0, 0, 1] = kernel[0, 0, 1, 0] = kernel[0, 1, 0, 0] = 1
    factors = cp(kernel, 2, seed=0)
    assert max(float(np.abs(factor).max()) for factor in factors) < 20
    assert relative_error(kernel, product(factors)) < 0.2


def test_the_columns_of_a_term_have_one_norm():
    first, area, last = cp(cp_kernel((3, 3, 12, 20), 4, noise=0.05, seed=0), 4, seed=0)
    norms = np.linalg.norm(first[0, 0], axis=0)
    assert np.linalg.norm(area[..., 0], axis=(0, 1)) == pytest.approx(norms, rel=1e-4)
    assert np.linalg.norm(last[0, 0], axis=1) == pytest.approx(norms, rel=1e-4)


def test_the_scale_of_a_kernel_changes_nothing():
    kernel = cp_kernel((3, 3, 12, 20), 4, noise=0.05, seed=0)
    error = relative_error(kernel, product(cp(kernel, 4, seed=0)))
    large = kernel * np.float32(1000)
    assert relative_error(large, product(cp(large, 4, seed=0))) == pytest.approx(error, rel=1e-3)


def test_the_same_seed_gives_the_same_factors():
    kernel = drawn((3, 3, 8, 8))
    for ours, theirs in zip(cp(kernel, 6, seed=1), cp(kernel, 6, seed=1), strict=True):
        assert np.array_equal(ours, theirs)
    assert not np.array_equal(cp(kernel, 6, seed=1)[0], cp(kernel, 6, seed=2)[0])


def test_zeros_give_zeros():
    assert not product(cp(np.zeros((3, 3, 4, 6), np.float32), 3, seed=0)).any()


def test_no_iterations_end_in_no_numbers_and_that_is_said():
    with pytest.raises(ValueError, match="no numbers"):
        cp(drawn((3, 3, 4, 4)), 2, seed=0, iterations=0)


@pytest.mark.parametrize(
    ("kernel", "rank"),
    [
        (drawn((3, 3, 4, 4)), 0),
        (np.full((3, 3, 4, 4), np.nan, np.float32), 2),
        (drawn((4, 4)), 2),
    ],
)
def test_what_has_no_decomposition_is_refused(kernel, rank):
    with pytest.raises(ValueError, match=r"Rank 0|NaN|height"):
        cp(kernel, rank, seed=0)
