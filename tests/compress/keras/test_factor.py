import json
import os
import subprocess
import sys

import pytest

from edgebench.compress.promises import check_promises
from edgebench.compress.technique import Promises
from edgebench.core import Format
from edgebench.errors import CompressionError

pytestmark = pytest.mark.converter

# Factors of full rank in the place of random layers: what comes out must be what came out.
RANDOM = """
import json, random, sys
import keras, numpy as np
from edgebench.compress.keras.factor import ROLES, _chain, _rebuilt
from edgebench.compress.linalg.factor import Factors
from edgebench.compress.linalg.cp import cp
from edgebench.compress.linalg.svd import svd_channel, svd_dense, svd_spatial
from edgebench.compress.linalg.tucker import tucker2

def factors(method, kernel):
    h, w, i, o = kernel.shape if kernel.ndim == 4 else (1, 1, *kernel.shape)
    if method == "dense":
        rank = min(i, o); arrays = svd_dense(kernel, rank)
    elif method == "channel":
        rank = min(h * w * i, o); arrays = svd_channel(kernel, rank)
    elif method == "spatial":
        rank = min(h * i, w * o); arrays = svd_spatial(kernel, rank)
    else:
        rank = i; arrays = tucker2(kernel, i, o)
    return Factors(method=method, ranks=(rank,), arrays=tuple(arrays), error=0.0)

worst = {}
for seed in range(int(sys.argv[1])):
    dice = random.Random(seed)
    keras.utils.set_random_seed(seed)
    method = dice.choice(["dense", "channel", "spatial", "tucker"])
    if method == "dense":
        x = keras.Input((dice.randint(2, 9),))
        y = keras.layers.Dense(dice.randint(2, 9), use_bias=dice.random() < 0.5,
            activation=dice.choice([None, "relu"]), bias_initializer="normal", name="it")(x)
    else:
        is_series = dice.random() < 0.3
        size = (dice.randint(8, 12),) if is_series else (dice.randint(8, 12), dice.randint(8, 12))
        x = keras.Input((*size, dice.randint(1, 5)))
        kind = keras.layers.Conv1D if is_series else keras.layers.Conv2D
        kernel = tuple(dice.randint(1, 4) for _ in size)
        strides = dilation = (1,) * len(size)
        if dice.random() < 0.5:
            strides = tuple(dice.randint(1, 3) for _ in size)
        else:
            dilation = tuple(dice.randint(1, 2) for _ in size)
        y = kind(dice.randint(1, 6), kernel, strides=strides, dilation_rate=dilation,
            padding=dice.choice(["same", "valid"]), use_bias=dice.random() < 0.5,
            activation=dice.choice([None, "relu"]), bias_initializer="normal", name="it")(x)
    model = keras.Model(x, y)
    layer = model.get_layer("it")
    kernel = np.asarray(layer.kernel)
    kernel = kernel[:, None] if kernel.ndim == 3 else kernel
    fresh = _rebuilt(model, {"it": _chain(layer, factors(method, kernel))})
    sample = np.random.default_rng(seed).standard_normal((2, *model.inputs[0].shape[1:]))
    a, b = (np.asarray(m(sample.astype(np.float32))) for m in (model, fresh))
    worst[f"{seed} {method} {layer.get_config()}"] = (
        float(np.abs(a - b).max()) if a.shape == b.shape else "shapes differ"
    )
print(json.dumps(worst))
"""


def test_factors_of_full_rank_change_nothing(tmp_path):
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", RANDOM, "60"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    distances = json.loads(done.stdout.splitlines()[-1])
    assert len(distances) == 60
    assert {k: v for k, v in distances.items() if v == "shapes differ" or v > 1e-4} == {}


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


def test_what_would_not_become_smaller_is_left_and_said(make, net, images):
    step = {"lowrank": "50 %", "kind": "spatial", "only": ["conv1", "conv2", "kind"]}
    variant = make(net("residual"), Format.TFLITE, step, dataset=images)
    changed = variant.ledger[0].changed
    assert {"conv1", "conv2"} <= set(changed["layers"])
    for told in changed["layers"].values():
        before, after = told["weights"]
        assert after <= before / 2
        assert 0 < told["error"] < 1
    # The file holds what the arithmetic predicts, and the check of it can fail.
    check_promises(variant.artifact, Promises(weights=changed["weights"][1]))
    with pytest.raises(CompressionError, match="weights"):
        check_promises(variant.artifact, Promises(weights=changed["weights"][0]))


@pytest.mark.parametrize(
    "step", [{"tucker": "energy 0.9"}, {"cp": "50 %", "only": ["conv"]}], ids=["tucker", "cp"]
)
def test_a_chain_is_tuned_and_exported(make, net, images, step):
    variant = make(net("nested"), Format.ONNX, {**step, "tune": "3 steps"}, dataset=images)
    changed = variant.ledger[0].changed
    assert changed["layers"]
    assert changed["tuned"]["steps"] == 3


def test_a_rank_above_the_layers_is_refused_with_both(make, net, labelled):
    step, data = {"lowrank": 40, "only": ["second"]}, labelled(series=(16, 2))
    with pytest.raises(CompressionError, match=r"'second'.*40"):
        make(net("signal"), Format.TFLITE, step, dataset=data)
