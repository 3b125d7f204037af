"""Singular values and leading singular vectors, by the eigenvalues of the smaller Gram matrix.

The weights are float32, and a Gram matrix in float64 resolves singular values down to 1e-8 of the
largest: as much as float32 holds of them. It costs a third of the time of an SVD, and memory that
grows with the smaller side only.
"""

from typing import Final

import numpy as np

from edgebench.compress.linalg.arrays import CHUNK, Float64s, Floats

# Above this side the vectors are found in float32: half the time, and half of a memory that would
# be eight times that of the weights.
WIDE: Final = 2048


def singular_values(matrix: Floats) -> Float64s:
    """All of them, the largest first."""
    smaller = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    squares = np.linalg.eigvalsh(_gram(smaller))[::-1]
    values: Float64s = np.sqrt(np.maximum(squares, 0))
    return values


def leading_vectors(matrix: Floats, rank: int) -> Float64s:
    """The first left singular vectors, shape `(rows, rank)`, orthonormal.

    Beyond the rank of the matrix they are completed by any that are orthogonal to those before.
    """
    if matrix.shape[0] <= WIDE:
        vectors: Floats = np.linalg.eigh(_gram(matrix))[1]
    else:
        narrow = matrix.astype(np.float32, copy=False)
        vectors = np.linalg.eigh(narrow @ narrow.T)[1]
    return vectors[:, : -rank - 1 : -1].astype(np.float64, order="C")


def _gram(matrix: Floats) -> Float64s:
    """The product with its transpose, in float64 without a copy of the matrix in it."""
    rows, columns = matrix.shape
    gram = np.zeros((rows, rows))
    step = max(1, 4 * CHUNK // rows)
    for start in range(0, columns, step):
        part = matrix[:, start : start + step].astype(np.float64)
        gram += part @ part.T
    return gram
