import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.compress.linalg.ranks import (
    RankRule,
    largest_rank,
    parameters,
    parse_rank,
    ranks_for,
)
from edgebench.compress.linalg.unfold import unfold
from tests.compress.linalg.planted import cp_kernel, matrix, tucker_kernel

few = settings(max_examples=25, deadline=None)
METHODS = st.sampled_from(["dense", "channel", "spatial", "tucker", "cp"])
SIDES = st.integers(1, 24)
AREAS = st.integers(1, 5)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@st.composite
def cases(draw):
    method = draw(METHODS)
    sides = (draw(SIDES), draw(SIDES))
    return method, sides if method == "dense" else (draw(AREAS), draw(AREAS), *sides)


@pytest.mark.parametrize(
    ("value", "kind", "amount"),
    [
        ("50 %", "share", 0.5),
        ("12.5%", "share", 0.125),
        ("100 %", "share", 1.0),
        ("energy 0.9", "energy", 0.9),
        (" energy .95 ", "energy", 0.95),
        ("energy 1", "energy", 1.0),
        ("evbmf", "evbmf", 0),
        (16, "fixed", 16),
        ("24", "fixed", 24),
    ],
)
def test_a_rank_is_read(value, kind, amount):
    assert parse_rank(value) == RankRule(kind=kind, amount=amount)


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, 0, -3, 2.5, None, "", "-0", "half", [16], {"rank": 16}),
        *("0 %", "101 %", "-5 %", "energy", "energy 0", "energy 1.1", "energy -1", "evbmf 3"),
    ],
)
def test_what_is_no_rank_is_refused(value):
    with pytest.raises(ValueError, match=r"ranks are given|a rank is|a share|an energy"):
        parse_rank(value)


@pytest.mark.parametrize(
    ("shape", "method", "ranks", "expected"),
    [
        ((100, 40), "dense", (8,), 8 * 140),
        ((3, 5, 16, 32), "channel", (8,), 3 * 5 * 16 * 8 + 8 * 32),
        ((3, 5, 16, 32), "spatial", (8,), 3 * 16 * 8 + 5 * 8 * 32),
        ((3, 5, 16, 32), "tucker", (4, 8), 16 * 4 + 15 * 4 * 8 + 8 * 32),
        ((3, 5, 16, 32), "cp", (8,), 16 * 8 + 15 * 8 + 8 * 32),
    ],
)
def test_the_weights_of_factors_are_counted(shape, method, ranks, expected):
    assert parameters(shape, method, ranks) == expected


@few
@given(cases(), st.floats(0.01, 1))
def test_a_share_is_used_as_far_as_ranks_allow_and_never_exceeded(case, share):
    method, shape = case
    ranks = ranks_for(drawn(shape), method, RankRule(kind="share", amount=share))
    budget = share * math.prod(shape) + 1e-6
    least = (1, 1) if method == "tucker" else (1,)
    assert parameters(shape, method, ranks) <= max(budget, parameters(shape, method, least))
    if method != "tucker" and ranks[0] < largest_rank(shape, method):
        assert parameters(shape, method, (ranks[0] + 1,)) > budget


def test_tucker_ranks_are_in_proportion_to_the_channels():
    rank_in, rank_out = ranks_for(drawn((3, 3, 64, 256)), "tucker", parse_rank("30 %"))
    assert rank_out == pytest.approx(4 * rank_in, abs=4)
    assert parameters((3, 3, 64, 256), "tucker", (rank_in, rank_out)) > 0.27 * 9 * 64 * 256


def test_the_budget_of_a_pointwise_kernel_is_not_left_unused():
    rank_in, rank_out = ranks_for(drawn((1, 1, 256, 64)), "tucker", parse_rank("30 %"))
    assert rank_in == rank_out
    assert parameters((1, 1, 256, 64), "tucker", (rank_in, rank_out)) > 0.27 * 256 * 64


@few
@given(cases(), st.floats(0.05, 1))
def test_the_rank_of_an_energy_is_the_smallest_that_holds_it(case, amount):
    method, shape = case
    kernel = drawn(shape)
    ranks = ranks_for(kernel, method, RankRule(kind="energy", amount=amount))
    needed = []
    for unfolded in unfold(kernel, method):
        squares = np.square(np.linalg.svd(unfolded.astype(np.float64), compute_uv=False))
        held = np.cumsum(squares) / squares.sum()
        needed.append(1 + int(np.count_nonzero(held < amount - 1e-9)))
    if method == "tucker":
        # What the other side leaves no place for is left out.
        assert all(ours <= theirs for ours, theirs in zip(ranks, needed, strict=True))
        area = shape[0] * shape[1]
        assert ranks == tuple(needed) or max(ranks) == area * min(ranks)
    else:
        assert ranks == (max(needed),)


def test_all_of_the_energy_is_the_rank():
    kernel = matrix((40, 30), 6, noise=0.0, seed=0)
    assert ranks_for(kernel, "dense", RankRule(kind="energy", amount=1.0)) == (6,)


@pytest.mark.parametrize(
    ("kernel", "method", "expected"),
    [
        (matrix((120, 90), 6, noise=0.1, seed=0), "dense", (6,)),
        (tucker_kernel((3, 3, 48, 64), (5, 9), noise=0.1, seed=0), "tucker", (5, 9)),
        (cp_kernel((3, 3, 48, 64), 7, noise=0.1, seed=0), "cp", (7,)),
        (cp_kernel((3, 3, 48, 64), 7, noise=0.1, seed=0), "channel", (7,)),
    ],
)
def test_evbmf_finds_what_was_planted(kernel, method, expected):
    assert ranks_for(kernel, method, parse_rank("evbmf")) == expected


@pytest.mark.parametrize(("shape", "method"), [((64, 64), "dense"), ((3, 3, 32, 32), "tucker")])
def test_a_kernel_that_is_all_noise_to_evbmf_keeps_its_energy(shape, method):
    kernel = drawn(shape)
    energy = ranks_for(kernel, method, parse_rank("energy 0.9"))
    assert ranks_for(kernel, method, parse_rank("evbmf")) == energy
    assert min(energy) > 8


@pytest.mark.parametrize(
    ("shape", "method", "rank", "expected"),
    [
        ((100, 40), "dense", 40, (40,)),
        ((3, 3, 4, 64), "channel", 36, (36,)),
        ((3, 3, 4, 64), "tucker", 16, (4, 16)),
        ((3, 3, 4, 8), "cp", 32, (32,)),
    ],
)
def test_a_fixed_rank_is_taken_as_given(shape, method, rank, expected):
    assert ranks_for(drawn(shape), method, parse_rank(rank)) == expected


@pytest.mark.parametrize(
    ("shape", "method", "rank", "limit"),
    [
        ((100, 40), "dense", 41, 40),
        ((3, 3, 4, 64), "channel", 37, 36),
        ((3, 5, 4, 64), "spatial", 13, 12),
        ((3, 3, 4, 64), "tucker", 65, 64),
        ((3, 3, 4, 8), "cp", 33, 32),
    ],
)
def test_a_fixed_rank_that_is_too_large_is_refused_in_numbers(shape, method, rank, limit):
    with pytest.raises(ValueError, match=rf"Rank {rank} .* {limit},"):
        ranks_for(drawn(shape), method, parse_rank(rank))


@pytest.mark.parametrize(
    ("shape", "method"), [((3, 3, 4, 8), "dense"), ((4, 8), "channel"), ((3, 4, 8), "cp")]
)
def test_a_method_that_is_not_for_the_shape_is_refused(shape, method):
    for call in (
        lambda: ranks_for(drawn(shape), method, parse_rank("50 %")),
        lambda: parameters(shape, method, (1,)),
        lambda: largest_rank(shape, method),
    ):
        with pytest.raises(ValueError, match="is for kernels"):
            call()
