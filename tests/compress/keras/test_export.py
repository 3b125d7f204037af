import subprocess
import sys

import numpy as np
import onnxruntime as ort
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.core import Format, Model
from edgebench.data import dataset_from_arrays
from edgebench.errors import CompressionError

pytestmark = pytest.mark.converter

# TensorFlow stays out of the process of the tests: all models are made in one of their own.
CODE = """
import sys
from pathlib import Path
import keras
import tensorflow as tf

folder = Path(sys.argv[1])
keras.utils.set_random_seed(0)

def dense(*shape, name):
    return keras.Input(shape, name=name)

image, facts = keras.Input((8, 8, 1), name="image"), keras.Input((6,), name="facts")
x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, name="conv")(image))
x = keras.layers.Concatenate()([x, facts])
sum_ = keras.layers.Dense(3, name="kind")(x)
size = keras.layers.Dense(1, name="size")(x)
keras.Model([image, facts], [sum_, size]).save(folder / "two.keras")

keras.Sequential(
    [keras.Input((16,), name="row"), keras.layers.Dense(8, name="d")]
).save(folder / "row.keras")

keras.Sequential(
    [keras.Input((5, 3), batch_size=1, name="s"), keras.layers.LSTM(4, stateful=True)]
).save(folder / "stateful.keras")

ids = keras.Input((7,), dtype="int32", name="ids")
keras.Model(
    ids, keras.layers.Dense(2, name="out")(keras.layers.Embedding(2, 4)(ids))
).save(folder / "ids.keras")

free = keras.Input((None, None, 3), name="picture")
keras.Model(
    free, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(free))
).save(folder / "free.keras")


class Module(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.random.normal((16, 4), seed=1))

    @tf.function(input_signature=[
        tf.TensorSpec((None, 16), tf.float32, name="a"),
        tf.TensorSpec((None, 16), tf.float32, name="b"),
    ])
    def __call__(self, a, b):
        flat = tf.reshape(a, (tf.shape(a)[0], 16))
        return {"y": tf.matmul(flat, self.w) + tf.matmul(b, self.w)}


module = Module()
tf.saved_model.save(module, str(folder / "saved"), signatures=module.__call__)
tf.saved_model.save(module, str(folder / "unsigned"), signatures={})
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", CODE, str(folder)], check=True, capture_output=True)

    def model(name):
        return Model(name=name, artifact=read_artifact(folder / name))

    return model


def names(specs):
    return sorted(spec.name for spec in specs)


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_inputs_and_outputs_keep_the_names_of_their_layers(make, models, target):
    artifact = make(models("two.keras"), target, dataset=None, metric=None).artifact
    assert names(artifact.inputs) == ["facts", "image"]
    assert names(artifact.outputs) == ["kind", "size"]
    assert {spec.shape for spec in artifact.inputs} == {(1, 8, 8, 1), (1, 6)}


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
@pytest.mark.parametrize("name", ["two.keras", "row.keras", "ids.keras", "saved"])
def test_a_conversion_is_checked_against_its_source(make, models, name, target):
    entry = make(models(name), target, dataset=None, metric=None).ledger[0]
    assert entry.settings["parity_samples"] == 4
    assert entry.settings["parity_max_error"] < 1e-4


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_a_saved_model_is_converted_with_its_batch_fixed(make, models, target):
    artifact = make(models("saved"), target, dataset=None, metric=None).artifact
    assert {spec.name: spec.shape for spec in artifact.inputs} == {"a": (1, 16), "b": (1, 16)}
    assert names(artifact.outputs) == ["y"]


def test_no_shape_is_computed_at_run_time(make, models):
    artifact = make(models("saved"), Format.TFLITE, dataset=None, metric=None).artifact
    operations = read_tflite_counts(artifact.path).operations
    assert not {"SHAPE", "STRIDED_SLICE", "PACK", "VAR_HANDLE"} & set(operations)


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
@pytest.mark.parametrize("name", ["two.keras", "saved"])
def test_a_model_with_two_inputs_is_quantized(make, models, name, target):
    model = models(name)
    rng = np.random.default_rng(0)
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "two.keras": {"image": (8, 8, 1), "facts": (6,)},
        "saved": {"a": (16,), "b": (16,)},
    }
    x = {
        f"x_{split}/{key}": rng.random((20, *shape), dtype=np.float32)
        for split in ("train", "test")
        for key, shape in shapes[name].items()
    }
    data = dataset_from_arrays(x, name="two")
    variant = make(model, target, "quantize int8", dataset=data, metric=None)
    assert set(variant.ledger[-1].changed["after"]["weights"]) == {"INT8"}
    assert names(variant.artifact.inputs) == sorted(shapes[name])


def test_free_axes_stay_free_and_are_not_checked(make, models):
    variant = make(models("free.keras"), Format.TFLITE, dataset=None, metric=None)
    assert variant.artifact.inputs[0].shape == (1, None, None, 3)
    assert variant.ledger[0].settings["parity_max_error"] is None


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_state_between_inferences_is_refused(make, models, target):
    with pytest.raises(CompressionError, match="keeps state"):
        make(models("stateful.keras"), target, dataset=None, metric=None)


def test_a_saved_model_without_a_signature_is_refused(make, models):
    with pytest.raises(CompressionError, match="no signature 'serving_default'"):
        make(models("unsigned"), Format.TFLITE, dataset=None, metric=None)


def test_an_onnx_export_runs_at_the_batch_it_was_fixed_to(make, models):
    artifact = make(models("row.keras"), Format.ONNX, dataset=None, metric=None).artifact
    session = ort.InferenceSession(str(artifact.path), providers=["CPUExecutionProvider"])
    output = session.run(None, {"row": np.ones((1, 16), np.float32)})
    assert output[0].shape == (1, 8)
