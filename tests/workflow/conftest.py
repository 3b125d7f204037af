"""A plan that is whole and small: an ONNX classifier with labels that its float form gets right."""

import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import miss

FEATURES, HIDDEN, CLASSES = 16, 32, 4

# Enough for every rule of the protocol to be met, and no longer.
BRISK = """
[protocol]
preset = "quick"
blocks_min = 3
blocks_max = 3
ci_ratio = 9.0
warmup_min_s = 0.01
warmup_max_s = 0.2
sample_min_s = 0.05
sample_max_s = 0.2
"""


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """A folder with `model.onnx` and `data.npz`."""
    if find_spec("onnx") is None:
        miss("the extra `compress` is not installed")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("classifier")
    random = np.random.default_rng(0)
    weights = {
        "w1": random.normal(size=(FEATURES, HIDDEN)).astype(np.float32),
        "b1": random.normal(size=HIDDEN).astype(np.float32),
        "w2": random.normal(size=(HIDDEN, CLASSES)).astype(np.float32),
        "b2": np.zeros(CLASSES, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("Gemm", ["r", "w2", "b2"], ["scores"]),
        ],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, FEATURES])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))

    def labelled(count):
        x = random.normal(size=(count, FEATURES)).astype(np.float32)
        hidden = np.maximum(x @ weights["w1"] + weights["b1"], 0)
        return x, (hidden @ weights["w2"] + weights["b2"]).argmax(axis=1)

    arrays: dict[str, Any] = {}
    for split, count in (("train", 200), ("validation", 100), ("test", 100)):
        arrays[f"x_{split}"], arrays[f"y_{split}"] = labelled(count)
    np.savez(folder / "data.npz", **arrays)
    return folder


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
        miss("the extra `compress` is not installed")
    folder = tmp_path_factory.mktemp("halves")
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
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


@pytest.fixture
def plan_with(classifier, tmp_path):
    """Write a plan on the classifier; `more` is the TOML that follows."""

    def write(more, *, protocol=BRISK):
        (tmp_path / "model.onnx").write_bytes((classifier / "model.onnx").read_bytes())
        (tmp_path / "data.npz").write_bytes((classifier / "data.npz").read_bytes())
        head = 'schema = 1\n[model]\nsource = "model.onnx"\n[data]\nsource = "data.npz"\n'
        path = tmp_path / "small.toml"
        path.write_text(head + protocol + more)
        return path

    return write


@pytest.fixture
def brisk():
    return BRISK


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(caches, tmp_path):
    """Start the command as a user would, in a folder of its own; it is ended with the test."""
    own = {
        "EDGEBENCH_CACHE": str(caches),
        "XDG_CACHE_HOME": str(caches / "xdg"),
        "EDGEBENCH_CONFIG": str(tmp_path / "devices.toml"),
    }
    started = []

    def start(*words, **env):
        process = subprocess.Popen(
            # Where the tests run in the background, a shell has them ignore Ctrl-C.
            ["env", "--default-signal=INT", sys.executable, "-m", "edgebench", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, **own, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def edgebench(start):
    """Run the command to its end, which must be `exit_code`; its two streams."""

    def run(*words, exit_code=0, **env):
        process = start(*words, **env)
        stdout, stderr = process.communicate(timeout=600)
        assert process.returncode == exit_code, stdout + stderr
        return SimpleNamespace(stdout=stdout, stderr=stderr)

    return run
