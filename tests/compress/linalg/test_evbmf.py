import numpy as np
import pytest

from edgebench.compress.linalg.evbmf import evbmf_rank


def planted(shape, rank, *, strength, seed):
    """Noise of variance 1, and a product whose entries have a variance of `strength ** 2`."""
    rng = np.random.default_rng(seed)
    product = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))
    noise = rng.standard_normal(shape)
    return (product * strength / np.sqrt(max(rank, 1)) + noise).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("rank", [3, 8, 20])
@pytest.mark.parametrize("shape", [(200, 100), (128, 1152), (256, 256), (64, 2048)])
def test_a_planted_rank_is_found_exactly(shape, rank, seed):
    assert evbmf_rank(planted(shape, rank, strength=3.0, seed=seed)) == rank


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(200, 100), (128, 1152), (256, 256), (16, 16), (8, 900)])
def test_noise_alone_has_no_rank(shape, seed):
    assert evbmf_rank(planted(shape, 0, strength=0.0, seed=seed)) == 0


def test_what_drowns_in_noise_is_left_out_and_never_made_up():
    found = [evbmf_rank(planted((256, 256), 20, strength=s, seed=0)) for s in (0.1, 0.4, 0.6, 3)]
    assert found[0] == 0
    assert 0 < found[1] < 20
    assert found == sorted(found)
    assert found[-1] == 20


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_changes_nothing(scale):
    matrix = planted((128, 96), 8, strength=1.0, seed=0)
    assert evbmf_rank(matrix * np.float32(scale)) == evbmf_rank(matrix) == 8


def test_a_matrix_and_its_transpose_have_one_rank():
    matrix = planted((60, 200), 8, strength=0.8, seed=0)
    assert evbmf_rank(matrix) == evbmf_rank(matrix.T)


def test_without_noise_the_rank_is_the_rank():
    rng = np.random.default_rng(0)
    assert evbmf_rank(rng.standard_normal((100, 8)) @ rng.standard_normal((8, 50))) == 8


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 3)])
def test_the_smallest_matrices_have_an_answer(shape):
    assert 0 <= evbmf_rank(np.ones(shape, np.float32)) <= 1


def test_zeros_have_none():
    assert evbmf_rank(np.zeros((4, 6), np.float32)) == 0
