"""A Keras and an ONNX model, each to the end, on this machine and behind SSH."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("onnx")

VARIANTS = """
[[variant]]
name = "float"
[[variant]]
name = "int8"
steps = ["quantize int8"]
"""

# A net of a few hundred weights, taught to tell bright upper halves from bright lower ones.
TEACH = """
import sys, numpy as np, keras
folder = sys.argv[1]
data = np.load(f"{folder}/data.npz")
net = keras.Sequential([
    keras.Input((8, 8, 1), name="image"), keras.layers.Conv2D(8, 3, activation="relu"),
    keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax"),
])
net.compile("adam", "sparse_categorical_crossentropy")
net.fit(data["x_train"], data["y_train"], epochs=4, batch_size=32, verbose=0)
net.save(f"{folder}/net.keras")
"""


@pytest.fixture(scope="session")
def halves(tmp_path_factory):
    """A folder with `net.keras` and its `data.npz`."""
    if find_spec("tensorflow") is None:
        pytest.skip("the extra `compress` is not installed")
    folder = tmp_path_factory.mktemp("halves")
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 1000), ("validation", 200), ("test", 200)):
        y = random.integers(0, 2, count)
        x = random.random((count, 8, 8, 1), np.float32)
        x[:, :4] += np.where(y == 0, 0.5, 0.0)[:, None, None, None]
        x[:, 4:] += np.where(y == 1, 0.5, 0.0)[:, None, None, None]
        arrays[f"x_{split}"], arrays[f"y_{split}"] = x.astype(np.float32), y
    np.savez(folder / "data.npz", **arrays)
    # oneDNN corrupts the heap in the training of some small convolutions.
    env = {"PATH": "/usr/bin:/bin", "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", TEACH, str(folder)], check=True, env=env)
    return folder


HERE = '[[device]]\nname = "here"\naddress = "local://"\n'


def board(sshd):
    return f'[[device]]\nname = "board"\naddress = "{sshd.address}"\n'


@pytest.mark.converter
def test_a_keras_model_is_measured_here_and_behind_ssh(halves, sshd, brisk, edgebench, tmp_path):
    source = f'[model]\nsource = "{halves}/net.keras"\n[data]\nsource = "{halves}/data.npz"\n'
    plan = tmp_path / "keras.toml"
    plan.write_text(f"schema = 1\n{source}{brisk}{VARIANTS}{HERE}{board(sshd)}")
    printed = edgebench("run", plan, "--json", EDGEBENCH_SSH_CONFIG=str(sshd.config))
    cells = json.loads(printed.stdout)["cells"]
    assert {(c["device"], c["format"], c["variant"], c["status"]) for c in cells} == {
        (device, form, variant, "ok")
        for device in ("here", "board")
        for form in ("tflite", "onnx")
        for variant in ("float", "int8")
    }
    assert {c["accuracy"]["on"] for c in cells} == {"device"}
    assert min(c["accuracy"]["value"] for c in cells) > 0.9
    assert {c["runtime"] for c in cells} == {"litert", "onnxruntime"}


def test_an_onnx_model_is_measured_here_and_behind_ssh(plan_with, sshd, edgebench):
    plan = plan_with(VARIANTS + HERE + board(sshd))
    printed = edgebench("run", plan, "--json", EDGEBENCH_SSH_CONFIG=str(sshd.config))
    cells = json.loads(printed.stdout)["cells"]
    assert {(c["device"], c["variant"], c["status"]) for c in cells} == {
        (device, variant, "ok") for device in ("here", "board") for variant in ("float", "int8")
    }
    assert [c["accuracy"]["value"] for c in cells if c["variant"] == "float"] == [1.0, 1.0]


def test_a_run_leaves_nothing_at_work_on_the_device(plan_with, sshd, edgebench):
    plan = plan_with(VARIANTS + board(sshd))
    edgebench("run", plan, EDGEBENCH_SSH_CONFIG=str(sshd.config))
    work = sshd.home / ".cache" / "edgebench"
    assert list((work / "jobs").iterdir()) == []
    assert list((work / "blobs").iterdir())
