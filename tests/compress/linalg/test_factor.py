import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.factor import factorize, reconstruct
from edgebench.compress.linalg.ranks import RankRule, parameters, parse_rank
from tests.compress.linalg.planted import cp_kernel, matrix, tucker_kernel

few = settings(max_examples=25, deadline=None)
METHODS = st.sampled_from(["dense", "channel", "spatial", "tucker", "cp"])
SIDES = st.integers(2, 16)
AREAS = st.integers(1, 5)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@st.composite
def cases(draw):
    method = draw(METHODS)
    sides = (draw(SIDES), draw(SIDES))
    return method, sides if method == "dense" else (draw(AREAS), draw(AREAS), *sides)


@few
@given(cases(), st.sampled_from(["30 %", "90 %", "energy 0.8", "evbmf", 2]))
def test_factors_are_fewer_weights_and_know_how_near_they_come(case, rule):
    method, shape = case
    kernel = drawn(shape)
    before = kernel.copy()
    factors = factorize(kernel, method, parse_rank(rule))
    assert np.array_equal(kernel, before)
    if factors is None:
        return
    size = sum(array.size for array in factors.arrays)
    assert size == parameters(shape, method, factors.ranks) < math.prod(shape)
    assert all(array.flags.c_contiguous for array in factors.arrays)
    assert {array.dtype for array in factors.arrays} == {np.dtype(np.float32)}
    met = reconstruct(factors)
    assert met.shape == shape
    assert met.flags.c_contiguous
    assert factors.error == pytest.approx(relative_error(kernel, met))
    assert factors.error <= 1.001


@pytest.mark.parametrize(
    ("kernel", "method", "rank"),
    [
        (matrix((60, 50), 6, noise=0.01, seed=0), "dense", 6),
        (cp_kernel((3, 3, 20, 30), 6, noise=0.01, seed=0), "channel", 6),
        (cp_kernel((3, 3, 20, 30), 6, noise=0.01, seed=0), "cp", 6),
        (tucker_kernel((3, 3, 20, 30), (6, 6), noise=0.01, seed=0), "tucker", 6),
        (tucker_kernel((3, 3, 20, 30), (4, 6), noise=0.01, seed=0), "spatial", 12),
    ],
)
def test_a_planted_rank_is_met_to_the_noise(kernel, method, rank):
    factors = factorize(kernel, method, parse_rank(rank))
    assert factors is not None
    assert factors.error < 0.01
    smaller = factorize(kernel, method, parse_rank(rank - 1))
    assert smaller is not None
    assert smaller.error > 0.02


@pytest.mark.parametrize(
    ("shape", "method"),
    [((20, 20), "dense"), ((3, 3, 8, 8), "channel"), ((1, 1, 8, 8), "tucker")],
)
def test_where_nothing_would_be_saved_there_are_no_factors(shape, method):
    assert factorize(drawn(shape), method, RankRule(kind="energy", amount=1.0)) is None


@pytest.mark.parametrize("method", ["channel", "spatial", "tucker", "cp"])
def test_pointwise_kernels_are_matrices_to_every_method(method):
    kernel = matrix((24, 32), 4, noise=0.01, seed=0)[np.newaxis, np.newaxis]
    factors = factorize(kernel, method, parse_rank(4))
    assert factors is not None
    assert factors.error < 0.01


@pytest.mark.parametrize("method", ["channel", "spatial", "tucker", "cp"])
def test_the_same_seed_gives_the_same_factors(method):
    kernel = drawn((3, 3, 12, 12))
    ours, theirs = (factorize(kernel, method, parse_rank("40 %"), seed=5) for _ in range(2))
    assert ours is not None
    assert theirs is not None
    for one, other in zip(ours.arrays, theirs.arrays, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("method", ["channel", "spatial", "tucker", "cp"])
def test_half_precision_is_factorized_in_full(method):
    kernel = cp_kernel((3, 3, 16, 16), 4, noise=0.01, seed=0).astype(np.float16)
    factors = factorize(kernel, method, parse_rank("60 %"))
    assert factors is not None
    assert factors.error < 0.02


def shared_state():
    state = np.random.get_state(legacy=False)
    return state["state"]["pos"], state["state"]["key"].tolist()


def test_nothing_is_drawn_from_the_shared_generator():
    before = shared_state()
    factorize(drawn((3, 3, 8, 8)), "cp", parse_rank(3))
    factorize(drawn((3, 3, 8, 8)), "tucker", parse_rank(3))
    assert shared_state() == before


@pytest.mark.parametrize("method", ["channel", "spatial", "tucker", "cp"])
def test_a_kernel_of_zeros_is_met(method):
    factors = factorize(np.zeros((3, 3, 8, 8), np.float32), method, parse_rank("50 %"))
    assert factors is not None
    assert factors.error == 0


@pytest.mark.parametrize(
    ("kernel", "method", "rule", "words"),
    [
        (drawn((3, 3, 4, 4)), "dense", "50 %", "is for kernels"),
        (drawn((4, 4)), "tucker", "50 %", "is for kernels"),
        (np.full((8, 8), np.nan, np.float32), "dense", "evbmf", "NaN"),
        (drawn((8, 6)), "dense", 7, r"Rank 7 .* 6,"),
    ],
)
def test_what_has_no_factors_is_refused(kernel, method, rule, words):
    with pytest.raises(ValueError, match=words):
        factorize(kernel, method, parse_rank(rule))
