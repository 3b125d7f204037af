import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgebench.data import dataset_from_arrays, load_dataset
from edgebench.zoo import ZOO
from edgebench.zoo.make_fashion_mnist import SOURCE
from tests.conftest import miss
from tests.zoo.trained import accuracy_of

FOLDER = Path(str(resources.files("edgebench"))) / "zoo"


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


BUILD = """
import json
from edgebench.zoo import ZOO
SHAPES = [(8, 8, 1), (28, 28, 1), (9, 31, 2), (96, 96, 3), (224, 224, 3)]
found = []
for name, student in ZOO.items():
    for shape in SHAPES:
        for width in (1.0, 0.5, 0.1):
            model = student.build(shape, 7, width=width)
            layers = [
                {
                    "kind": type(layer).__name__,
                    "channels": layer.output.shape[-1],
                    "activation": layer.get_config().get("activation"),
                    "follows": type(layer.input._keras_history.operation).__name__
                    if not isinstance(layer.input, list)
                    else None,
                }
                for layer in model.layers
            ]
            found.append(
                {
                    "model": name,
                    "title": model.name,
                    "shape": shape,
                    "width": width,
                    "parameters": model.count_params(),
                    "input": model.inputs[0].name,
                    "outputs": [model.output_names, model.outputs[0].shape],
                    "layers": layers,
                }
            )
print(json.dumps(found))
"""
FROM_PAPERS = sorted(set(ZOO) - {"lenet"})


@pytest.fixture(scope="module")
def built():
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.converter
def test_every_architecture_takes_images_of_any_size_and_gives_probabilities(built):
    assert {found["model"] for found in built} == set(ZOO)
    for found in built:
        assert found["title"] == found["model"]
        assert found["input"] == "image"
        assert found["outputs"] == [["probabilities"], [None, 7]]


@pytest.mark.converter
def test_width_scales_every_architecture(built):
    sizes = {(f["model"], tuple(f["shape"]), f["width"]): f["parameters"] for f in built}
    for (name, shape, width), parameters in sizes.items():
        if width == 0.5:
            assert sizes[name, shape, 0.1] < parameters < 0.6 * sizes[name, shape, 1.0]


@pytest.mark.converter
def test_an_architecture_from_a_paper_is_what_kernels_and_folding_like(built):
    for found in built:
        if found["model"] not in FROM_PAPERS:
            continue
        for layer in found["layers"][1:-1]:
            assert layer["channels"] % 8 == 0 or layer["channels"] == found["shape"][-1]
            assert layer["activation"] in (None, "linear")
            if layer["kind"] == "BatchNormalization":
                assert layer["follows"] in {"Conv2D", "DepthwiseConv2D"}
        assert "ReLU" in {layer["kind"] for layer in found["layers"]}


@pytest.mark.converter
def test_resnet8_has_the_parameters_of_mlperf_tiny_without_biases_before_a_normalization():
    code = (
        "from edgebench.zoo import ZOO; print(ZOO['resnet8'].build((32, 32, 3), 10).count_params())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What `resnet_v1_eembc` has with 16 filters: https://github.com/mlcommons/tiny
    biases = 3 * 16 + 2 * 32 + 2 * 64
    assert int(done.stdout) == 78_666 - biases


@pytest.mark.converter
@pytest.mark.parametrize("name", FROM_PAPERS)
def test_every_architecture_learns_and_is_exported(tmp_path, name):
    whole = load_dataset("zoo:fashion-mnist", base=tmp_path)
    assert whole.train.y is not None
    assert whole.test.y is not None
    dataset = dataset_from_arrays(
        {
            "x_train": whole.train.x[""][:2000],
            "y_train": whole.train.y[:2000],
            "x_test": whole.test.x[""][:500],
            "y_test": whole.test.y[:500],
        },
        name="a part of fashion-mnist",
    )
    assert accuracy_of(f"zoo:{name}", dataset, tmp_path) > 0.5


@pytest.mark.converter
def test_lenet_learns_to_tell_87_of_100_test_images(tmp_path):
    dataset = load_dataset("zoo:fashion-mnist", base=tmp_path)
    assert accuracy_of("zoo:lenet", dataset, tmp_path) >= 0.87
