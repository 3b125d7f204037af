import json
import os
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebench.compress.inspect import read_artifact
from edgebench.compress.launch import WORKER_ENVIRONMENT
from edgebench.compress.promises import check_promises
from edgebench.compress.technique import Promises
from edgebench.compress.tflite.graph import read_tflite_counts

pytestmark = pytest.mark.converter

# TensorFlow stays out of the process of the tests: the models are made and encoded in one other.
CODE = """
import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers as L

from edgebench.compress.inspect import read_artifact
from edgebench.compress.keras.sparse import encode_sparse
from edgebench.compress.technique import Task
from edgebench.core import Step
from edgebench.errors import EdgebenchError

FOLDER = Path(sys.argv[1])
keras.utils.set_random_seed(0)


@keras.saving.register_keras_serializable()
class Rounded(L.Layer):
    def call(self, x):
        return keras.quantizers.fake_quant_with_min_max_vars(x, -1.0, 1.0, num_bits=8)


def gate(x):
    y = L.GlobalAveragePooling2D(keepdims=True)(x)
    y = L.Conv2D(8, 1, activation="relu")(y)
    return L.Multiply()([x, L.Conv2D(x.shape[-1], 1, activation="sigmoid")(y)])


def net(same=False, tail=False, gated=False, rounded=False, middle=None):
    image = keras.Input((16, 16, 3), name="image")
    x = image if same else L.ZeroPadding2D(1)(image)
    x = L.Conv2D(16, 3, strides=2, padding="same" if same else "valid", activation="relu")(x)
    for _ in range(2):
        x = L.Conv2D(32, 1, activation="relu")(x)
        x = L.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = middle(x) if middle else x
        x = gate(x) if gated else x
        x = Rounded()(x) if rounded else x
    if tail:
        x = L.GlobalAveragePooling2D(keepdims=True)(L.Conv2D(64, 1)(x))
        return keras.Model(image, L.Conv2D(10, 1, name="out")(x))
    x = L.GlobalAveragePooling2D()(L.Conv2D(64, 1)(x))
    return keras.Model(image, L.Dense(10, name="out")(x))


def pruned(model, share):
    for layer in model.layers:
        if hasattr(layer, "kernel") and share:
            kernel = layer.kernel.numpy()
            layer.kernel.assign(kernel * (np.abs(kernel) > np.quantile(np.abs(kernel), share)))
    return model


MODELS = {
    "fits": pruned(net(), 0.8),
    "half": pruned(net(), 0.5),
    "little": pruned(net(), 0.3),
    "dense": net(),
    "same": pruned(net(same=True), 0.8),
    "tail": pruned(net(tail=True), 0.8),
    "gated": pruned(net(gated=True), 0.8),
    "rounded": pruned(net(rounded=True), 0.8),
    "pooled": pruned(net(middle=L.MaxPooling2D(3, 1, "same")), 0.8),
    "wide": pruned(net(middle=L.Conv2D(32, 3, padding="same")), 0.8),
    "strided": pruned(net(middle=L.DepthwiseConv2D(3, strides=2, padding="same")), 0.8),
}
told = {}
for name, model in MODELS.items():
    folder = FOLDER / name
    folder.mkdir()
    model.save(folder / "model.keras")
    zeros = sum(int((w == 0).sum()) for w in model.get_weights() if w.ndim > 1)
    source, step = read_artifact(folder / "model.keras"), Step(name="sparse", value="encode")
    task = Task(way="sparse keras", source=source, step=step, folder=folder)
    told[name] = {"zeros": zeros}
    try:
        outcome = encode_sparse(task, lambda words: None)
        told[name] |= {"changed": outcome.changed, "settings": outcome.settings}
    except EdgebenchError as error:
        told[name] |= {"error": type(error).__name__, "words": str(error), "hint": error.hint}
(FOLDER / "told.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sparse")
    subprocess.run(
        [sys.executable, "-c", CODE, str(made)],
        check=True,
        capture_output=True,
        env={**os.environ, **WORKER_ENVIRONMENT},
    )
    return made


@pytest.fixture(scope="module")
def told(folder):
    return json.loads((folder / "told.json").read_text())


@pytest.mark.parametrize("name", ["fits", "half", "same", "gated"])
def test_zeros_are_left_out_and_nothing_else_changes(told, name):
    changed = told[name]["changed"]
    assert changed["sparse_tensors"] > 3
    assert changed["sparse_bytes_stored"] < changed["sparse_bytes_dense"]
    assert told[name]["settings"]["parity_max_error"] < 1e-5


def test_more_zeros_are_a_smaller_file(told):
    few, many = (told[name]["changed"]["sparse_bytes_stored"] for name in ("half", "fits"))
    assert many < 0.6 * few


@pytest.mark.parametrize("name", ["fits", "gated"])
def test_the_zeros_are_found_in_the_file(folder, told, name):
    artifact = read_artifact(folder / name / "model.tflite")
    found = check_promises(artifact, Promises(zeros=told[name]["zeros"]))
    assert found["zeros"] >= told[name]["zeros"] > 0
    assert "DENSIFY" in read_tflite_counts(artifact.path).operations


def test_the_file_answers(folder):
    runner = Interpreter(str(folder / "fits" / "model.tflite")).get_signature_runner()
    image = np.random.default_rng(0).random((1, 16, 16, 3), dtype=np.float32)
    assert np.isfinite(runner(image=image)["out"]).all()


@pytest.mark.parametrize("name", ["dense", "little"])
def test_zeros_that_do_not_pay_are_no_variant(told, name):
    assert told[name]["error"] == "NoEffect"
    assert "would not make model.keras smaller" in told[name]["words"]


def test_a_kept_mean_before_the_last_convolution_is_refused(told):
    assert told["tail"]["error"] == "CompressionError"
    assert "no ARM device loads that" in told["tail"]["words"]
    assert "keepdims=False" in told["tail"]["hint"]


def test_a_model_trained_for_integers_is_refused(told):
    assert told["rounded"]["error"] == "CompressionError"
    assert "trained for integers" in told["rounded"]["words"]


@pytest.mark.parametrize("name", ["fits", "gated"])
def test_a_net_that_xnnpack_computes_sparse_is_said_to_be(told, name):
    assert told[name]["changed"]["xnnpack_sparse_kernels"] is True
    assert told[name]["changed"]["xnnpack_sparse_faults"] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("half", "50% of the weights of its 1x1 convolutions are zero"),
        ("same", "does not begin with a 3x3 convolution of stride 2 on 3 channels"),
        ("pooled", "MAX_POOL_2D"),
        ("wide", "only 1x1 convolutions of stride 1"),
        ("strided", "put ZeroPadding2D before it"),
    ],
)
def test_what_keeps_xnnpack_from_it_is_named(told, name, words):
    assert told[name]["changed"]["xnnpack_sparse_kernels"] is False
    assert words in " ".join(told[name]["changed"]["xnnpack_sparse_faults"])
