import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgebench.compress.pipeline import build, open_model
from edgebench.core import Format, Recipe
from edgebench.data import accuracy, load_dataset, load_metric
from edgebench.runner import RunnerJob, run_here
from edgebench.zoo import ZOO
from edgebench.zoo.make_fashion_mnist import SOURCE
from tests.conftest import miss

FOLDER = Path(str(resources.files("edgebench"))) / "zoo"


def quiet(words):
    """Progress that nobody reads."""


def test_the_images_are_stored_as_bytes_and_balanced():
    with np.load(FOLDER / "fashion_mnist.npz") as stored:
        found = {name: (stored[name].shape, stored[name].dtype.name) for name in stored.files}
        labels = [np.bincount(stored[name]).tolist() for name in ("y_train", "y_test")]
    assert found == {
        "x_train": ((10000, 28, 28), "uint8"),
        "y_train": ((10000,), "uint8"),
        "x_test": ((2000, 28, 28), "uint8"),
        "y_test": ((2000,), "uint8"),
    }
    assert labels == [[1000] * 10, [200] * 10]


def test_the_licence_of_the_images_ships_with_them():
    text = (FOLDER / "LICENSE.fashion-mnist").read_text()
    assert "Copyright (c) 2017 Zalando SE" in text
    assert "Permission is hereby granted, free of charge" in text


def test_the_script_makes_the_shipped_file_byte_for_byte(tmp_path):
    if not SOURCE.is_dir():
        miss("Debian's dataset-fashion-mnist is not installed")
    copy = tmp_path / "make.py"
    copy.write_text((FOLDER / "make_fashion_mnist.py").read_text())
    subprocess.run([sys.executable, str(copy)], check=True)
    made = (tmp_path / "fashion_mnist.npz").read_bytes()
    assert made == (FOLDER / "fashion_mnist.npz").read_bytes()


@pytest.mark.converter
def test_every_architecture_can_be_built_at_half_its_width():
    code = """
import sys
from edgebench.zoo import ZOO
from edgebench.zoo.make_fashion_mnist import SOURCE
build = ZOO[sys.argv[1]].build
print(build((28, 28, 1), 10).count_params(), build((28, 28, 1), 10, width=0.5).count_params())
"""
    for name in ZOO:
        argv = [sys.executable, "-c", code, name]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        whole, half = map(int, done.stdout.split())
        assert 20_000 < half < 0.6 * whole < 100_000


@pytest.mark.converter
def test_lenet_learns_to_tell_87_of_100_test_images(tmp_path):
    dataset = load_dataset("zoo:fashion-mnist", base=tmp_path)
    settings = {"dataset": dataset, "cache": tmp_path / "cache", "seed": 0, "progress": quiet}
    model = open_model("zoo:lenet", base=tmp_path, **settings)
    variant = build(model, Recipe(name="float"), Format.TFLITE, metric=None, **settings)
    np.savez(tmp_path / "inputs.npz", image=dataset.test.x[""])
    job = RunnerJob(
        kind="outputs",
        model=str(variant.artifact.path),
        runtime="litert",
        inputs=str(tmp_path / "inputs.npz"),
    )
    run_here(job, tmp_path / "run")
    labels = dataset.test.y
    assert labels is not None
    with np.load(tmp_path / "run" / job.outputs) as outputs:
        found = accuracy(load_metric("top1", base=tmp_path), dict(outputs), labels, on="host")
    assert found.value >= 0.87
