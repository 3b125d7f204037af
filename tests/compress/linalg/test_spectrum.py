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


@pytest.mark.parametrize("columns", [60, WIDE + 1])
def test_a_wide_matrix_is_met_nearly_as_well_as_can_be(columns):
    rng = np.random.default_rng(0)
    planted = rng.standard_normal((WIDE + 1, 20)) @ rng.standard_normal((20, columns))
    matrix = (planted + rng.standard_normal(planted.shape)).astype(np.float32)
    vectors = leading_vectors(matrix, 30)
    assert vectors.T @ vectors == pytest.approx(np.eye(30), abs=1e-5)
    missed = np.linalg.norm(matrix - vectors @ (vectors.T @ matrix))
    best = np.linalg.norm(singular_values(matrix)[30:])
    assert best * (1 - 1e-5) <= missed <= best * 1.006
    assert np.array_equal(vectors, leading_vectors(matrix, 30))
