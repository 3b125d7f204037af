import copy
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.compress.inspect import read_artifact
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.core import Format, Model
from edgebench.errors import CompressionError, ConfigError, NoEffect

pytestmark = pytest.mark.converter

LEGACY = frozenset({"tflite-2.14"})


def scales(path, operation):
    """How many scales the weights of each operation of this kind have."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    code = getattr(schema.BuiltinOperator, operation)
    found = [
        graph.tensors[op.inputs[1]].quantization
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode == code
    ]
    return [0 if q is None or q.scale is None else len(q.scale) for q in found]


@pytest.mark.parametrize(
    ("step", "weights", "share"),
    [
        ("quantize float16", {"FLOAT16": 4}, 0.55),
        ("quantize int8", {"INT8": 4}, 0.3),
        ({"quantize": "int8", "granularity": "tensor"}, {"INT8": 4}, 0.3),
        ("quantize int8-dynamic", {"INT8": 4}, 0.3),
        ("quantize int8-weights", {"INT8": 4}, 0.3),
        ("quantize int16x8", {"INT8": 4}, 0.3),
        ("quantize int4-weights", {"INT4": 4}, 0.16),
    ],
    ids=str,
)
def test_a_keras_model_is_quantized_and_still_knows_its_classes(make, lenet, step, weights, share):
    variant = make(lenet, Format.TFLITE, step)
    entry = variant.ledger[-1]
    assert read_tflite_counts(variant.artifact.path).weights == weights
    assert {spec.dtype for spec in (*variant.artifact.inputs, *variant.artifact.outputs)} == {
        "float32"
    }
    assert entry.accuracy_before > 0.7
    assert entry.accuracy_after > entry.accuracy_before - 0.03
    assert entry.size_bytes < share * variant.ledger[0].size_bytes


def test_names_of_inputs_and_outputs_survive(make, lenet):
    for step in ("quantize int8", "quantize float16"):
        artifact = make(lenet, Format.TFLITE, step).artifact
        assert [spec.name for spec in artifact.inputs] == ["image"]
        assert [spec.name for spec in artifact.outputs] == ["probabilities"]


def test_integer_ends_are_int8_with_a_scale(make, lenet):
    variant = make(lenet, Format.TFLITE, {"quantize": "int8", "io": "int"})
    for spec in (*variant.artifact.inputs, *variant.artifact.outputs):
        assert spec.dtype == "int8"
        assert spec.quantization.scale > 0
    assert "QUANTIZE" not in read_tflite_counts(variant.artifact.path).operations
    assert variant.ledger[-1].accuracy_after > 0.7


def test_a_static_form_computes_in_whole_numbers_only(make, lenet):
    quantized = read_tflite_counts(make(lenet, Format.TFLITE, "quantize int8").artifact.path)
    float_only = read_tflite_counts(make(lenet, Format.TFLITE).artifact.path)
    assert quantized.quantized["INT8"] > 8
    assert float_only.quantized == {}
    assert quantized.operations["QUANTIZE"] == quantized.operations["DEQUANTIZE"] == 1


@pytest.fixture(scope="module")
def depthwise(tmp_path_factory):
    """A small Keras model with a depthwise convolution, made where TensorFlow may be loaded."""
    path = tmp_path_factory.mktemp("keras") / "depthwise.keras"
    code = f"""
import keras
keras.utils.set_random_seed(0)
x = image = keras.Input((28, 28, 1), name="image")
x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(x)
x = keras.layers.DepthwiseConv2D(3, activation="relu", name="depthwise")(x)
x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
keras.Model(image, keras.layers.Dense(10, name="dense")(x)).save({str(path)!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return Model(name="depthwise", artifact=read_artifact(path))


def test_a_dynamic_form_leaves_depthwise_convolutions_alone(make, depthwise):
    variant = make(depthwise, Format.TFLITE, "quantize int8-dynamic", metric=None)
    path = variant.artifact.path
    assert scales(path, "DEPTHWISE_CONV_2D") == [0]
    assert scales(path, "CONV_2D") == [8]
    assert scales(path, "FULLY_CONNECTED") == [10]


def test_a_static_form_quantizes_depthwise_convolutions_too(make, depthwise):
    path = make(depthwise, Format.TFLITE, "quantize int8", metric=None).artifact.path
    assert scales(path, "DEPTHWISE_CONV_2D") == [8]


def test_for_tflite_2_14_dense_layers_have_one_scale(make, lenet):
    new = make(lenet, Format.TFLITE, "quantize int8-dynamic")
    old = make(lenet, Format.TFLITE, "quantize int8-dynamic", compat=LEGACY)
    assert scales(new.artifact.path, "FULLY_CONNECTED") == [64, 10]
    assert scales(old.artifact.path, "FULLY_CONNECTED") == [1, 1]
    assert scales(old.artifact.path, "CONV_2D") == scales(new.artifact.path, "CONV_2D") == [16, 32]
    assert old.ledger[-1].settings["compat"] == ["tflite-2.14"]


def test_where_compatibility_changes_nothing_the_file_is_the_same(make, lenet):
    paths = [
        make(lenet, Format.TFLITE, "quantize int8", compat=compat).artifact.path
        for compat in (frozenset(), LEGACY)
    ]
    assert paths[0] == paths[1]


def test_four_bits_for_tflite_2_14_are_refused(make, lenet):
    with pytest.raises(CompressionError, match=r"2\.14 cannot load int4"):
        make(lenet, Format.TFLITE, "quantize int4-weights", compat=LEGACY)


def test_an_unknown_compatibility_is_refused(make, lenet):
    with pytest.raises(ConfigError, match=r"no compatibility 'tflite-1'"):
        make(lenet, Format.TFLITE, "quantize int8", compat=frozenset({"tflite-1"}))


@pytest.mark.parametrize("first", ["int8", "int8-weights", "int8-dynamic", "float16"])
def test_a_quantized_model_is_not_quantized_again(make, lenet, first):
    once = make(lenet, Format.TFLITE, f"quantize {first}")
    again = Model(name="again", artifact=read_artifact(once.artifact.path))
    with pytest.raises(NoEffect, match="quantized already"):
        make(again, Format.TFLITE, "quantize int8")


def test_a_step_that_leaves_every_layer_out_has_no_effect(make, lenet):
    with pytest.raises(NoEffect, match="changed no weight"):
        make(lenet, Format.TFLITE, {"quantize": "int8-weights", "skip": [".*"]})


def test_layers_that_are_skipped_stay_float(make, lenet):
    variant = make(lenet, Format.TFLITE, {"quantize": "int8", "skip": ["dense", "conv1"]})
    assert read_tflite_counts(variant.artifact.path).weights == {"FLOAT32": 2, "INT8": 2}


def test_only_the_chosen_layers_are_quantized(make, lenet):
    variant = make(lenet, Format.TFLITE, {"quantize": "int8-weights", "only": ["conv1"]})
    assert read_tflite_counts(variant.artifact.path).weights == {"FLOAT32": 3, "INT8": 1}


def test_a_float_tflite_is_quantized_without_the_model_it_came_from(make, lenet):
    begun = make(lenet, Format.TFLITE)
    model = Model(name="begun", artifact=read_artifact(begun.artifact.path))
    variant = make(model, Format.TFLITE, "quantize int8")
    assert [entry.step for entry in variant.ledger] == ["quantize int8"]
    assert variant.artifact == make(lenet, Format.TFLITE, "quantize int8").artifact


def changed(path, source, change):
    """A copy of a file, changed by a function of its flatbuffer."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(source.read_bytes()))
    change(model)
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return Model(name=path.stem, artifact=read_artifact(path))


def test_a_model_that_keeps_state_is_refused(tmp_path, make, lenet):
    def remember(model):
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].isVariable = True

    source = make(lenet, Format.TFLITE).artifact.path
    model = changed(tmp_path / "state.tflite", source, remember)
    with pytest.raises(CompressionError, match="keeps state"):
        make(model, Format.TFLITE, "quantize int8")


def test_an_operation_that_is_unknown_here_does_not_hide_the_inputs(tmp_path, make, lenet):
    def invent(model):
        model.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
        model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        model.operatorCodes[0].customCode = b"Invented"

    source = make(lenet, Format.TFLITE).artifact
    model = changed(tmp_path / "custom.tflite", source.path, invent)
    assert model.artifact.inputs == source.inputs
    assert model.artifact.outputs == source.outputs


def test_several_signatures_are_refused(tmp_path, make, lenet):
    def twice(model):
        second = copy.copy(model.signatureDefs[0])
        second.signatureKey = b"second"
        model.signatureDefs.append(second)

    source = make(lenet, Format.TFLITE).artifact.path
    model = changed(tmp_path / "two.tflite", source, twice)
    with pytest.raises(CompressionError, match="serving_default, second"):
        make(model, Format.TFLITE, "quantize int8")


def test_a_tflite_without_a_signature_is_calibrated_all_the_same(tmp_path, make, lenet):
    def forget(model):
        model.signatureDefs = None

    source = make(lenet, Format.TFLITE).artifact.path
    model = changed(tmp_path / "bare.tflite", source, forget)
    variant = make(model, Format.TFLITE, "quantize int8")
    assert model.artifact.inputs[0].name == "serving_default_image:0"
    assert variant.ledger[-1].accuracy_after > 0.7


def test_what_was_quantized_answers_like_the_float_model(make, lenet, dataset):
    def classes(path):
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        runner = interpreter.get_signature_runner()
        x = dataset.test.x[""][:200]
        return np.array([runner(image=image[np.newaxis])["probabilities"].argmax() for image in x])

    wanted = classes(make(lenet, Format.TFLITE).artifact.path)
    for form in ("float16", "int8", "int8-dynamic", "int8-weights", "int16x8"):
        found = classes(make(lenet, Format.TFLITE, f"quantize {form}").artifact.path)
        assert (found == wanted).mean() > 0.95, form
