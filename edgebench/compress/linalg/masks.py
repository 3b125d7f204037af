"""Which weights pruning leaves: masks of truth values, True where the weight is kept.

Of equal magnitudes the one that comes first goes first, so that a mask depends on nothing but the
weights. Weights that are zero already are the smallest, and count.
"""

import math
from collections.abc import Sequence

import numpy as np

from edgebench.compress.linalg.arrays import Float32s, Floats, Mask, check_finite


def magnitude_mask(weights: Floats, share: float) -> Mask:
    """Drop the smallest weights: exactly `round(share * size)` of them.

    >>> magnitude_mask(np.array([[0.1, -3.0], [-0.2, 0.1]]), 0.5)
    array([[False,  True],
           [ True, False]])
    """
    _check_share(share)
    return _without_smallest(_magnitudes(weights), round(share * weights.size)).reshape(
        weights.shape
    )


def global_masks(tensors: Sequence[Floats], share: float) -> list[Mask]:
    """Drop the weights that matter least among all tensors: exactly `round(share * all)` of them.

    Magnitudes of different layers do not compare. What counts is the square of a weight over the
    sum of the squares of those in its own tensor that are no smaller: what of the layer's output
    would go with it, after all that went before (LAMP, Lee et al. 2021,
    https://arxiv.org/abs/2010.07611). The largest of each tensor scores 1.

    >>> [mask.tolist() for mask in global_masks([np.array([1.0, 5.0]), np.array([20, 30.0])], 0.5)]
    [[False, True], [False, True]]
    """
    _check_share(share)
    ends = np.cumsum([tensor.size for tensor in tensors], dtype=np.int64)
    scores = np.empty(sum(tensor.size for tensor in tensors), np.float32)
    for tensor, end in zip(tensors, ends, strict=True):
        scores[end - tensor.size : end] = _scores(tensor)
    kept = _without_smallest(scores, round(share * scores.size))
    del scores
    # Within a tensor the scores are in the order of the magnitudes, so that a count says it all.
    parts = np.split(kept, ends[:-1]) if tensors else []
    return [
        _without_smallest(_magnitudes(tensor), part.size - int(np.count_nonzero(part))).reshape(
            tensor.shape
        )
        for tensor, part in zip(tensors, parts, strict=True)
    ]


def pattern_mask(weights: Floats, keep: int, group: int) -> Mask:
    """Of each `group` weights along the input axis, the last but one, keep the largest `keep`.

    Groups are consecutive and begin at the first input. Where `group` does not divide the inputs,
    what is left at the end is kept whole: a kernel for N:M sparsity reads whole groups only.

    Raises:
        ValueError: There is no input axis, or `keep` is not between 1 and `group`.

    >>> pattern_mask(np.array([[1.0], [-4.0], [2.0], [3.0], [0.5]]), 2, 4).ravel()
    array([False,  True, False,  True,  True])
    """
    if not 1 <= keep <= group or weights.ndim < 2:
        msg = f"No pattern {keep}:{group} is possible on weights of shape {weights.shape}."
        raise ValueError(msg)
    check_finite(weights)
    kept = np.ones(weights.shape, np.bool_)
    groups, outputs = weights.shape[-2] // group, weights.shape[-1]
    whole = (*weights.shape[:-2], groups, group, outputs)
    magnitudes = np.abs(weights[..., : groups * group, :]).reshape(whole)
    marks = np.empty(whole, np.bool_)
    for place in range(group):
        # How many of its group are smaller: its rank, without an index as large as the weights.
        mine = magnitudes[..., place, :]
        smaller = np.zeros(mine.shape, np.int32)
        for other in range(group):
            theirs = magnitudes[..., other, :]
            smaller += theirs <= mine if other < place else theirs < mine
        marks[..., place, :] = smaller >= group - keep
    kept[..., : groups * group, :] = marks.reshape(kept[..., : groups * group, :].shape)
    return kept


def block_mask(weights: Floats, share: float, block: tuple[int, int]) -> Mask:
    """Drop whole blocks of the smallest mean magnitude until `share` of the weights is gone.

    The weights are seen as a matrix `(everything else, last axis)`, and tiled by blocks of
    `(rows, columns)` from its first corner on; a block that an edge cuts counts by what is left of
    it. As few blocks go as reach `share`, so that up to one block more than asked for is dropped.

    Raises:
        ValueError: A side of the block is below 1.

    >>> block_mask(np.array([[1.0, 5.0], [2.0, 6.0], [9.0, 0.0]]), 0.3, (2, 1))
    array([[False,  True],
           [False,  True],
           [ True, False]])
    """
    _check_share(share)
    if min(block) < 1 or weights.ndim < 1:
        msg = f"No blocks of {block} are possible on weights of shape {weights.shape}."
        raise ValueError(msg)
    check_finite(weights)
    matrix = np.abs(weights.reshape(-1, weights.shape[-1]))
    starts = [np.arange(0, side, step) for side, step in zip(matrix.shape, block, strict=True)]
    by_rows = np.add.reduceat(matrix, starts[0], axis=0, dtype=np.float64)
    sums = np.add.reduceat(by_rows, starts[1], axis=1)
    spans = [
        np.minimum(step, side - start)
        for side, step, start in zip(matrix.shape, block, starts, strict=True)
    ]
    sizes = np.outer(spans[0], spans[1])
    order = np.argsort((sums / sizes).reshape(-1), kind="stable")
    # A product such as 0.7 * 10 may end a hair above what is meant.
    wanted = math.ceil(share * matrix.size - 1e-6)
    count = int(np.searchsorted(np.cumsum(sizes.reshape(-1)[order]), wanted)) + 1 if wanted else 0
    alive = np.ones(sizes.size, np.bool_)
    alive[order[:count]] = False
    tiles = np.repeat(alive.reshape(sizes.shape), spans[0], axis=0)
    return np.repeat(tiles, spans[1], axis=1).reshape(weights.shape)


def cubic_share(step: int, steps: int, final: float, initial: float = 0.0) -> float:
    """The share to be dropped at a step: fast at first, slow near the end.

    Zhu and Gupta 2017, "To prune, or not to prune", https://arxiv.org/abs/1710.01878.
    `initial` up to the first step, `final` from step `steps` on.

    >>> [round(cubic_share(step, 4, 0.8), 3) for step in (0, 2, 4, 9)]
    [0.0, 0.7, 0.8, 0.8]
    """
    progress = min(max(step / steps, 0.0), 1.0) if steps > 0 else 1.0
    if progress == 1:
        return final
    return final + (initial - final) * (1 - progress) ** 3


def _magnitudes(weights: Floats) -> Float32s:
    check_finite(weights)
    return np.abs(weights.reshape(-1)).astype(np.float32)


def _scores(weights: Floats) -> Float32s:
    """How much each weight counts within its tensor, the smallest first."""
    squares = np.sort(_magnitudes(weights)).astype(np.float64)
    np.square(squares, out=squares)
    no_smaller = np.cumsum(squares[::-1])[::-1]
    np.divide(squares, no_smaller, out=squares, where=no_smaller > 0)
    return squares.astype(np.float32)


def _without_smallest(magnitudes: Float32s, count: int) -> Mask:
    kept = np.ones(magnitudes.shape, np.bool_)
    if count == 0:
        return kept
    limit = np.partition(magnitudes, count - 1)[count - 1]
    kept[magnitudes < limit] = False
    ties = np.flatnonzero(magnitudes == limit)
    kept[ties[: count - (kept.size - np.count_nonzero(kept))]] = False
    return kept


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        msg = f"A share is between 0 and 1, not {share!r}."
        raise ValueError(msg)
