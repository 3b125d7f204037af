import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.tucker import tucker2
from tests.compress.linalg.planted import tucker_kernel

few = settings(max_examples=25, deadline=None)
KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8))


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def product(factors):
    return np.einsum("abir,hwrs,cdso->hwio", *factors)


@few
@given(KERNELS)
def test_full_rank_gives_the_kernel_back(shape):
    kernel = drawn(shape)
    assert product(tucker2(kernel, *shape[2:])) == pytest.approx(kernel, abs=1e-5)


@few
@given(KERNELS, st.data())
def test_any_ranks_give_kernels_and_never_more_than_the_norm_is_missed(shape, data):
    height, width, inputs, outputs = shape
    rank_in = data.draw(st.integers(1, inputs))
    rank_out = data.draw(st.integers(1, outputs))
    kernel = drawn(shape)
    factors = tucker2(kernel, rank_in, rank_out)
    assert [factor.shape for factor in factors] == [
        (1, 1, inputs, rank_in),
        (height, width, rank_in, rank_out),
        (1, 1, rank_out, outputs),
    ]
    assert {factor.dtype for factor in factors} == {np.dtype(np.float32)}
    assert relative_error(kernel, product(factors)) <= 1 + 1e-6


@pytest.mark.converter
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("shape", "planted", "ranks", "noise"),
    [
        ((3, 3, 16, 24), (4, 6), (4, 6), 0.01),
        ((3, 3, 32, 32), (12, 12), (6, 8), 0.1),
        ((5, 5, 8, 40), (8, 20), (3, 20), 0.2),
        ((1, 1, 24, 32), (9, 9), (9, 9), 0.05),
        ((3, 1, 20, 20), (20, 20), (7, 7), 0.5),
    ],
)
def test_it_comes_as_near_as_tensorly(shape, planted, ranks, noise, seed):
    from tensorly.decomposition import partial_tucker

    kernel = tucker_kernel(shape, planted, noise=noise, seed=seed)
    wide = kernel.astype(np.float64)
    (core, (first, last)), _ = partial_tucker(wide, rank=list(ranks), modes=[2, 3], n_iter_max=100)
    theirs = relative_error(kernel, np.einsum("hwrs,ir,os->hwio", core, first, last))
    assert relative_error(kernel, product(tucker2(kernel, *ranks))) <= theirs * 1.001 + 1e-6


def test_iterations_only_bring_it_nearer():
    kernel = drawn((3, 3, 24, 24))
    errors = [
        relative_error(kernel, product(tucker2(kernel, 8, 8, iterations=count)))
        for count in (0, 1, 5, 20)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[-1]


def test_a_planted_rank_is_met_to_the_noise():
    kernel = tucker_kernel((3, 3, 32, 48), (5, 9), noise=0.01, seed=0)
    assert relative_error(kernel, product(tucker2(kernel, 5, 9))) < 0.01


def test_zeros_give_zeros():
    factors = tucker2(np.zeros((3, 3, 4, 6), np.float32), 2, 3)
    assert all(np.isfinite(factor).all() for factor in factors)
    assert not product(factors).any()


@pytest.mark.parametrize("ranks", [(0, 3), (5, 3), (2, 7)])
def test_a_rank_of_more_than_the_channels_is_refused(ranks):
    with pytest.raises(ValueError, match=r"Rank (0|5|7) .* (4|6), the channels"):
        tucker2(drawn((3, 3, 4, 6)), *ranks)


def test_weights_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        tucker2(np.full((3, 3, 4, 4), np.inf, np.float32), 2, 2)
