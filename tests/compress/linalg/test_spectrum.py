import numpy as np
import pytest

from edgebench.compress.linalg.spectrum import WIDE, leading_vectors, singular_values


@pytest.mark.parametrize("shape", [(7, 20), (20, 7), (1, 5), (6, 6)])
def test_the_singular_values_are_those_of_the_svd(shape):
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    assert singular_values(matrix) == pytest.approx(expected, rel=1e-9)


def test_vectors_are_orthonormal_beyond_the_rank_too():
    matrix = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    vectors = leading_vectors(matrix, 9)
    assert vectors.T @ vectors == pytest.approx(np.eye(9), abs=1e-9)
    assert vectors[:, :3] @ (vectors[:, :3].T @ matrix) == pytest.approx(matrix, abs=1e-6)


def test_a_wide_matrix_loses_little_by_float32():
    rng = np.random.default_rng(0)
    planted = rng.standard_normal((WIDE + 1, 4)) @ rng.standard_normal((4, 60))
    matrix = (planted + 0.01 * rng.standard_normal(planted.shape)).astype(np.float32)
    vectors = leading_vectors(matrix, 4)
    missed = np.linalg.norm(matrix - vectors @ (vectors.T @ matrix))
    best = np.linalg.norm(np.linalg.svd(matrix, compute_uv=False)[4:])
    assert missed <= best * 1.01
