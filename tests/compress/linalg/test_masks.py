import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edgebench.compress.linalg.masks import (
    block_mask,
    cubic_share,
    global_masks,
    magnitude_mask,
    pattern_mask,
)

NUMBERS = st.floats(-10, 10, width=32)
WEIGHTS = arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=6), elements=NUMBERS)
SHARES = st.floats(0, 1)
few = settings(max_examples=25, deadline=None)


@few
@given(WEIGHTS, SHARES)
def test_exactly_the_share_is_dropped_and_nothing_larger_than_what_is_kept(weights, share):
    mask = magnitude_mask(weights, share)
    assert mask.shape == weights.shape
    assert np.count_nonzero(~mask) == round(share * weights.size)
    kept, dropped = np.abs(weights[mask]), np.abs(weights[~mask])
    assert kept.min(initial=np.inf) >= dropped.max(initial=0)


@few
@given(WEIGHTS, st.sampled_from([(1, 4), (2, 1), (3, 5)]))
def test_a_share_of_zero_keeps_all(weights, block):
    assert magnitude_mask(weights, 0).all()
    assert block_mask(weights, 0, block).all()


@few
@given(st.lists(WEIGHTS, max_size=4), SHARES)
def test_of_all_tensors_a_share_goes_and_of_each_the_smallest(tensors, share):
    masks = global_masks(tensors, share)
    assert [mask.shape for mask in masks] == [tensor.shape for tensor in tensors]
    dropped = [mask.size - np.count_nonzero(mask) for mask in masks]
    assert sum(dropped) == round(share * sum(tensor.size for tensor in tensors))
    for tensor, mask, count in zip(tensors, masks, dropped, strict=True):
        assert np.array_equal(mask, magnitude_mask(tensor, count / tensor.size))


@few
@given(st.lists(WEIGHTS, min_size=1, max_size=4), SHARES, st.integers(-8, 8))
def test_the_scale_of_a_tensor_does_not_matter(tensors, share, power):
    scaled = [np.ldexp(tensors[0], power), *tensors[1:]]
    for ours, theirs in zip(global_masks(tensors, share), global_masks(scaled, share), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_least_important_of_all_are_those_of_the_definition():
    random = np.random.default_rng(0)
    tensors = [random.normal(0, scale, size) for scale, size in ((1, 40), (9, 10), (0.1, 400))]
    scores = np.concatenate(
        [[w**2 / np.sum(t[np.abs(t) >= abs(w)] ** 2) for w in t] for t in tensors]
    )
    masks = np.concatenate(global_masks(tensors, 0.7))
    assert scores[~masks].max() < scores[masks].min()


def test_weights_that_are_zero_already_count():
    weights = np.array([0.0, 0.1, -0.0, 5.0, 0.2, 0.3], np.float32)
    assert magnitude_mask(weights, 0.5).tolist() == [False, False, False, True, True, True]


def test_of_equal_weights_the_first_go_first():
    weights = np.array([1.0, -1.0, 1.0, 2.0, -1.0], np.float32)
    assert magnitude_mask(weights, 0.4).tolist() == [False, False, True, True, True]


@few
@given(WEIGHTS, st.sampled_from([(2, 4), (1, 3), (4, 4), (1, 2)]))
def test_each_whole_group_keeps_its_largest_and_the_rest_stays(weights, pattern):
    keep, group = pattern
    mask = pattern_mask(weights, keep, group)
    whole = weights.shape[-2] // group * group
    assert mask[..., whole:, :].all()
    for start in range(0, whole, group):
        marks = mask[..., start : start + group, :]
        sizes = np.abs(weights[..., start : start + group, :])
        assert (np.count_nonzero(marks, axis=-2) == keep).all()
        least = np.where(marks, sizes, np.inf).min(axis=-2)
        most = np.where(marks, -np.inf, sizes).max(axis=-2)
        assert (least >= most).all()


def test_a_pattern_runs_along_the_inputs():
    weights = np.arange(1, 9, dtype=np.float32).reshape(1, 1, 4, 2)
    expected = [[False, False], [False, False], [True, True], [True, True]]
    assert pattern_mask(weights, 2, 4)[0, 0].tolist() == expected


def cells(shape, block):
    rows, columns = shape
    for row in range(0, rows, block[0]):
        for column in range(0, columns, block[1]):
            yield np.s_[row : row + block[0], column : column + block[1]]


@few
@given(WEIGHTS, SHARES, st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_blocks_go_whole_smallest_first_and_no_more_than_needed(weights, share, block):
    mask = block_mask(weights, share, block).reshape(-1, weights.shape[-1])
    sizes = np.abs(weights.reshape(mask.shape)).astype(np.float64)
    kept: list[tuple[float, int]] = []
    dropped: list[tuple[float, int]] = []
    for cell in cells(mask.shape, block):
        assert mask[cell].all() or not mask[cell].any()
        (kept if mask[cell].all() else dropped).append((sizes[cell].mean(), mask[cell].size))
    assert max(dropped, default=(0,))[0] <= min(kept, default=(np.inf,))[0] + 1e-12
    gone = sum(size for _, size in dropped)
    assert gone >= share * mask.size - 1e-5
    if dropped:
        largest = max(mean for mean, _ in dropped)
        last = max(size for mean, size in dropped if mean >= largest - 1e-12)
        assert gone - last < share * mask.size


def test_a_block_that_the_edge_cuts_counts_by_its_own_mean():
    weights = np.array([[1.0], [1.0], [1.5]], np.float32)
    assert block_mask(weights, 0.3, (2, 1)).ravel().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("function", "weights", "arguments", "words"),
    [
        (magnitude_mask, np.ones((2, 2)), (1.1,), "A share .* 1.1"),
        (magnitude_mask, np.array([1.0, np.nan]), (0.5,), "NaN"),
        (block_mask, np.ones((2, 2)), (-0.1, (1, 1)), "A share .* -0.1"),
        (block_mask, np.ones((2, 2)), (0.5, (0, 1)), "blocks"),
        (block_mask, np.array([[1.0, np.inf]]), (0.5, (1, 1)), "infinite"),
        (pattern_mask, np.ones((4, 4)), (5, 4), "5:4"),
        (pattern_mask, np.ones((4, 4)), (0, 4), "0:4"),
        (pattern_mask, np.ones(4), (2, 4), "2:4"),
        (pattern_mask, np.full((4, 4), np.nan), (2, 4), "NaN"),
    ],
)
def test_what_means_nothing_is_refused(function, weights, arguments, words):
    with pytest.raises(ValueError, match=words):
        function(weights, *arguments)


@few
@given(st.integers(1, 1000), SHARES, SHARES)
def test_the_cubic_schedule_goes_from_one_share_to_the_other_and_never_back(steps, initial, final):
    shares = [cubic_share(step, steps, final, initial) for step in range(steps + 2)]
    assert shares[0] == pytest.approx(initial)
    assert shares[-2:] == [final, final]
    steps_on = np.diff(shares) * (1 if final >= initial else -1)
    assert (steps_on >= -1e-12).all()


def test_the_cubic_schedule_is_quick_at_first():
    first = cubic_share(25, 100, 0.8)
    assert first == pytest.approx(0.8 * (1 - 0.75**3))
    assert first > 0.8 - cubic_share(75, 100, 0.8) > 0


def test_a_schedule_of_no_steps_is_at_its_end():
    assert cubic_share(0, 0, 0.8) == 0.8
