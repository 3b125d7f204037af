"""One small LeNet for all tests here, trained once through the front door."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.core import Model, Recipe
from edgebench.data import dataset_from_arrays, load_dataset, load_metric
from tests.conftest import miss

SAMPLES = 3000


def quiet(words):
    """Progress that nobody reads."""


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    whole = load_dataset("zoo:fashion-mnist", base=tmp_path_factory.getbasetemp())
    assert whole.train.y is not None
    assert whole.test.y is not None
    return dataset_from_arrays(
        {
            "x_train": whole.train.x[""][:SAMPLES],
            "y_train": whole.train.y[:SAMPLES],
            "x_test": whole.test.x[""],
            "y_test": whole.test.y,
            "x_calibration": whole.train.x[""][:100],
        },
        name="a part of fashion-mnist",
    )


@pytest.fixture(scope="session")
def metric(tmp_path_factory):
    return load_metric("top1", base=tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def lenet(dataset, cache, tmp_path_factory):
    return open_model(
        "zoo:lenet",
        base=tmp_path_factory.getbasetemp(),
        dataset=dataset,
        cache=cache,
        seed=0,
        progress=quiet,
    )


@pytest.fixture(scope="session")
def make(dataset, metric, cache):
    """Build a variant of a model by sentences or tables of steps."""

    def make(model, target, *steps, **settings):
        recipe = Recipe(name="test", steps=tuple(parse_step(step) for step in steps))
        given = {"dataset": dataset, "metric": metric, "cache": cache, "seed": 0, **settings}
        return build(model, recipe, target, **{"progress": quiet, **given})

    return make


@pytest.fixture(scope="session")
def features():
    """Data for models on 32 features, without labels."""
    x = np.random.default_rng(0).standard_normal((40, 32)).astype(np.float32)
    return dataset_from_arrays({"x_train": x, "x_test": x[:5]}, name="features")


@pytest.fixture(scope="session")
def nets(tmp_path_factory):
    """A folder with the models of `nets.py`."""
    if find_spec("tensorflow") is None:
        miss("the extra `compress` is not installed")
    folder = tmp_path_factory.mktemp("nets")
    script = Path(__file__).parent / "keras" / "nets.py"
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, str(script), str(folder)], check=True, env=env)
    return folder


@pytest.fixture(scope="session")
def net(nets):
    """One of them by its name."""

    def open_net(name):
        return Model(name=name, artifact=read_artifact(nets / f"{name}.keras"))

    return open_net


@pytest.fixture(scope="session")
def labelled():
    """Data of four classes for the models of `nets.py`, by the shapes of their inputs."""

    def draw(*, classes=4, count=200, **shapes):
        random = np.random.default_rng(0)
        arrays: dict[str, Any] = {}
        for split, size in (("train", count), ("validation", 64), ("test", 64)):
            y = random.integers(0, classes, size)
            for name, shape in shapes.items():
                key = f"x_{split}" if len(shapes) == 1 else f"x_{split}/{name}"
                if name == "ids":
                    arrays[key] = (
                        (y[:, None] * 4 + random.integers(0, 4, (size, *shape))) % 20
                    ).astype(np.int32)
                else:
                    at = y.reshape(-1, *[1] * len(shape)) / classes
                    arrays[key] = (random.random((size, *shape)) * 0.3 + at).astype(np.float32)
            arrays[f"y_{split}"] = y
        return dataset_from_arrays(arrays, name="drawn")

    return draw
