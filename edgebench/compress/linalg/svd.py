"""Two factors for one kernel, by a truncated singular value decomposition.

No two factors of this rank come closer to the matrix in the sum of squares (Eckart and Young 1936).
The singular values are shared out by their square roots, so that both factors train at one pace.
"""

import numpy as np

from edgebench.compress.linalg.arrays import Float32s, Float64s, Floats, check_finite
from edgebench.compress.linalg.spectrum import leading_vectors
from edgebench.compress.linalg.unfold import unfold


def svd_dense(matrix: Floats, rank: int) -> tuple[Float32s, Float32s]:
    """Factors `(in, rank)` and `(rank, out)`, whose product is near the matrix `(in, out)`.

    Raises:
        ValueError: The rank is more than the smaller side of the matrix or below 1, or a weight is
            NaN or infinite.

    >>> first, last = svd_dense(np.array([[2.0, 4.0], [1.0, 2.0], [0.0, 0.0]]), 1)
    >>> (first @ last).round(3)
    array([[2., 4.],
           [1., 2.],
           [0., 0.]], dtype=float32)
    """
    limit = min(matrix.shape)
    if not 1 <= rank <= limit:
        msg = f"Rank {rank} is not between 1 and {limit}, which a matrix {matrix.shape} allows."
        raise ValueError(msg)
    check_finite(matrix)
    if matrix.shape[0] > matrix.shape[1]:
        last, first = svd_dense(matrix.T, rank)
        return np.ascontiguousarray(first.T), np.ascontiguousarray(last.T)
    vectors = leading_vectors(matrix, rank)
    projected = vectors.T.astype(np.float32) @ matrix.astype(np.float32, copy=False)
    return _balanced(vectors, projected)


def svd_channel(kernel: Floats, rank: int) -> tuple[Float32s, Float32s]:
    """Factors `(height, width, in, rank)` and `(1, 1, rank, out)`: a convolution, then a pointwise.

    Zhang et al. 2015, https://arxiv.org/abs/1505.06798, without its data.
    """
    (matrix,) = unfold(kernel, "channel")
    first, last = svd_dense(matrix, rank)
    return first.reshape(*kernel.shape[:3], rank), last.reshape(1, 1, rank, -1)


def svd_spatial(kernel: Floats, rank: int) -> tuple[Float32s, Float32s]:
    """Factors `(height, 1, in, rank)` and `(1, width, rank, out)`: a column, then a row.

    Jaderberg et al. 2014, https://arxiv.org/abs/1405.3866, scheme 2, in the closed form of its
    unfolding `(height * in, width * out)`.
    """
    height, width, inputs, outputs = kernel.shape
    (matrix,) = unfold(kernel, "spatial")
    first, last = svd_dense(matrix, rank)
    vertical = first.reshape(height, 1, inputs, rank)
    horizontal = last.reshape(rank, width, outputs).transpose(1, 0, 2)[np.newaxis]
    return vertical, np.ascontiguousarray(horizontal)


def _balanced(vectors: Float64s, projected: Float32s) -> tuple[Float32s, Float32s]:
    """Move half of each singular value, which is the norm of its row, to the other side."""
    values = np.linalg.norm(projected, axis=1)
    roots = np.where(values > 0, np.sqrt(values), 1).astype(np.float32)
    return (vectors * roots).astype(np.float32), projected / roots[:, np.newaxis]
