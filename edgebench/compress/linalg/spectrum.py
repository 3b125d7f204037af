"""Singular values and leading singular vectors, by the eigenvalues of the smaller Gram matrix.

The weights are float32, and a Gram matrix in float64 resolves singular values down to 1e-8 of the
largest: as much as float32 holds of them. It costs a third of the time of an SVD, and memory that
grows with the smaller side only.
"""

from typing import Final

import numpy as np

from edgebench.compress.linalg.arrays import CHUNK, Float64s, Floats

# Eigenvectors take five times the memory of their Gram matrix: above this side, and where the other
# side is not five times as long, that would be ten times the memory of the weights.
WIDE: Final = 2048
LONG: Final = 5
# How a sketch is refined: an eighth more vectors than are asked for, and so many rounds.
SPARE: Final = 8
ROUNDS: Final = 4


def singular_values(matrix: Floats) -> Float64s:
    """All of them, the largest first."""
    smaller = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    squares = np.linalg.eigvalsh(_gram(smaller))[::-1]
    values: Float64s = np.sqrt(np.maximum(squares, 0))
    return values


def leading_vectors(matrix: Floats, rank: int) -> Float64s:
    """The first left singular vectors, shape `(rows, rank)`, orthonormal.

    Beyond the rank of the matrix they are completed by any that are orthogonal to those before. Of
    a matrix of more than 2,048 rows that is not long, up to half of all are found in a sketch: a
    few parts in a thousand more is missed than must be, most in noise.
    """
    rows, columns = matrix.shape
    if rows <= WIDE or rows * LONG <= columns or rank > rows // 2:
        return _largest(_gram(matrix), rank)
    return _sketched(matrix, rank)


def _sketched(matrix: Floats, rank: int) -> Float64s:
    """Halko, Martinsson and Tropp 2011, https://arxiv.org/abs/0909.4061, algorithm 4.4.

    The sketch is drawn from a generator of its own, so that the same matrix has the same vectors.
    """
    rng = np.random.default_rng(0)
    narrow = matrix.astype(np.float32, copy=False)
    width = min(rank + rank // SPARE + SPARE, *matrix.shape)
    sight = narrow @ rng.standard_normal((matrix.shape[1], width), dtype=np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(sight)[0]
        sight = narrow @ (narrow.T @ basis)
    basis = np.linalg.qr(sight)[0]
    return basis.astype(np.float64) @ _largest(_gram(basis.T @ narrow), rank)


def _largest(gram: Float64s, rank: int) -> Float64s:
    """The eigenvectors of the largest eigenvalues, in their order."""
    return np.linalg.eigh(gram)[1][:, : -rank - 1 : -1].astype(np.float64, order="C")


def _gram(matrix: Floats) -> Float64s:
    """The product with its transpose, in float64 without a copy in it of either of the two."""
    rows, columns = matrix.shape
    gram = np.zeros((rows, rows))
    step = max(1, 4 * CHUNK // rows)
    for start in range(0, columns, step):
        part = matrix[:, start : start + step].astype(np.float64)
        for top in range(0, rows, WIDE):
            gram[top : top + WIDE] += part[top : top + WIDE] @ part.T
    return gram
