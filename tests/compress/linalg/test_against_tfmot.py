"""tensorflow-model-optimization as the oracle: its schedules, masks and centroids beside ours.

It knows Keras 2 alone, and turns the process that imports it to it: it runs in one of its own.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from edgebench.compress.linalg.codebook import Init, fit_codebook
from edgebench.compress.linalg.masks import cubic_share, magnitude_mask, pattern_mask
from tests.conftest import miss

pytestmark = pytest.mark.converter

STEPS, FINAL = 200, 0.8
SHARES = (0.1, 0.5, 0.8, 0.93)
SIZES = (8, 16, 32)
INITS: dict[str, Init] = {
    "LINEAR": "linear",
    "DENSITY_BASED": "density",
    "KMEANS_PLUS_PLUS": "kmeans++",
}

ORACLE = """
import json, sys
import numpy as np
import tensorflow as tf
from tensorflow_model_optimization.python.core.clustering.keras import clustering_centroids
from tensorflow_model_optimization.python.core.clustering.keras.cluster_config import (
    CentroidInitialization,
)
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule

weights = np.load(sys.argv[1])
steps, final, shares, sizes = json.loads(sys.argv[2])
cubic = pruning_schedule.PolynomialDecay(0.0, final, 0, steps, power=3, frequency=1)
told = {"schedule": [float(cubic(tf.constant(step))[1]) for step in range(steps + 1)]}
masks = []
for share in shares:
    constant = pruning_schedule.ConstantSparsity(share, 0)
    pruning = pruning_impl.Pruning(lambda: tf.constant(1), [], constant, (1, 1), "AVG")
    masks.append(pruning._update_mask(tf.constant(weights))[1].numpy().tolist())
told["masks"] = masks
pattern = pruning_impl.Pruning(lambda: tf.constant(1), [], constant, (1, 1), "AVG", (2, 4))
told["pattern"] = pattern._update_mask_sparsity_m_by_n(tf.constant(weights)).numpy().tolist()
told["centroids"] = {}
for name in ("LINEAR", "DENSITY_BASED", "KMEANS_PLUS_PLUS"):
    kind = clustering_centroids.CentroidsInitializerFactory.get_centroid_initializer(
        CentroidInitialization[name]
    )
    for size in sizes:
        found = kind(tf.constant(weights), size, False).get_cluster_centroids()
        told["centroids"][f"{name} {size}"] = np.ravel(found).tolist()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)


@pytest.fixture(scope="module")
def oracle(weights, tmp_path_factory):
    if find_spec("tensorflow_model_optimization") is None:
        miss("tensorflow-model-optimization is not installed")
    path = tmp_path_factory.mktemp("oracle") / "weights.npy"
    np.save(path, weights)
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    asked = json.dumps([STEPS, FINAL, SHARES, SIZES])
    argv = [sys.executable, "-c", ORACLE, str(path), asked]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_share_grows_as_its_polynomial_decay_does(oracle):
    ours = [cubic_share(step, STEPS, FINAL) for step in range(STEPS + 1)]
    assert ours == pytest.approx(oracle["schedule"], abs=1e-6)


def test_the_same_weights_are_masked(oracle, weights):
    for share, theirs in zip(SHARES, oracle["masks"], strict=True):
        assert (magnitude_mask(weights, share) == np.array(theirs, bool)).all()


def test_of_four_inputs_the_same_two_stay(oracle, weights):
    assert (pattern_mask(weights, 2, 4) == np.array(oracle["pattern"], bool)).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("init", INITS)
def test_a_codebook_is_nearer_than_its_first_centroids(oracle, weights, init, size):
    centroids = np.array(oracle["centroids"][f"{init} {size}"])
    theirs = np.abs(weights[..., None] - centroids).min(axis=-1)
    ours = fit_codebook(weights, size, init=INITS[init]).decode() - weights
    assert (ours**2).sum() <= (theirs**2).sum() * 1.0001
