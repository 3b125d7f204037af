"""One small LeNet for all tests here, trained once through the front door."""

import numpy as np
import pytest

from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.core import Recipe
from edgebench.data import dataset_from_arrays, load_dataset, load_metric

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
