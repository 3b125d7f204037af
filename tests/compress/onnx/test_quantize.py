import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.graph import read_onnx_counts
from edgebench.core import Format, Model
from edgebench.data import dataset_from_arrays
from edgebench.errors import CompressionError, ConfigError, NoEffect
from tests.compress import graphs

pytestmark = pytest.mark.converter


def model_of(path):
    return Model(name=path.stem, artifact=read_artifact(path))


def types_of(path):
    """Element types of the activations that are quantized, from the zero points that are used."""
    model = onnx.load(str(path))
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    return {
        TensorProto.DataType.Name(kinds[node.input[2]])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }


def compute(path, **inputs):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


@pytest.mark.parametrize(
    ("step", "weights"),
    [
        ("quantize float16", {"FLOAT16": 4}),
        ("quantize int8", {"INT8": 4}),
        ({"quantize": "int8", "scheme": "s8s8"}, {"INT8": 4}),
        ({"quantize": "int8", "granularity": "tensor"}, {"INT8": 4}),
        ({"quantize": "int8", "calibrate": "entropy"}, {"INT8": 4}),
        ({"quantize": "int8", "calibrate": "percentile"}, {"INT8": 4}),
        ("quantize int16x8", {"INT8": 4}),
        ("quantize int8-weights", {"INT8": 4}),
        ("quantize int8-dynamic", {"FLOAT": 2, "INT8": 2}),
    ],
    ids=str,
)
def test_a_keras_model_is_quantized_and_still_knows_its_classes(make, lenet, step, weights):
    variant = make(lenet, Format.ONNX, step)
    entry = variant.ledger[-1]
    assert read_onnx_counts(variant.artifact.path).weights == weights
    assert variant.artifact.inputs[0].dtype == "float32"
    assert entry.accuracy_before > 0.7
    assert entry.accuracy_after > entry.accuracy_before - 0.03
    assert entry.size_bytes < 0.6 * variant.ledger[0].size_bytes


@pytest.mark.parametrize(
    ("step", "kinds"),
    [
        ("quantize int8", {"UINT8"}),
        ({"quantize": "int8", "scheme": "s8s8"}, {"INT8"}),
        ("quantize int16x8", {"INT16"}),
    ],
    ids=str,
)
def test_the_scheme_decides_the_type_of_the_activations(make, lenet, step, kinds):
    assert types_of(make(lenet, Format.ONNX, step).artifact.path) == kinds


def test_a_dynamic_form_leaves_convolutions_in_float(make, lenet):
    counts = read_onnx_counts(make(lenet, Format.ONNX, "quantize int8-dynamic").artifact.path)
    assert counts.operations["Conv"] == 2
    assert counts.operations["MatMulInteger"] == 2
    assert "ConvInteger" not in counts.operations


def test_four_bit_weights_work_on_the_gemm_of_a_static_batch_export(make, lenet):
    variant = make(lenet, Format.ONNX, "quantize int4-weights")
    assert make(lenet, Format.ONNX).ledger[0].changed["operations"]["Gemm"] == 2
    assert read_onnx_counts(variant.artifact.path).operations["MatMulNBits"] == 2
    assert variant.ledger[-1].accuracy_after > 0.7


@pytest.mark.parametrize("is_free", [False, True])
@pytest.mark.parametrize("as_constants", [False, True])
@pytest.mark.parametrize(
    "form", ["float16", "int8", "int8-dynamic", "int8-weights", "int16x8", "int4-weights"]
)
def test_a_model_of_the_users_own_is_quantized(
    tmp_path, make, features, form, as_constants, is_free
):
    batch = "batch" if is_free else 1
    path = graphs.dense(tmp_path / "d.onnx", batch=batch, as_constants=as_constants)
    variant = make(model_of(path), Format.ONNX, f"quantize {form}", dataset=features, metric=None)
    x = features.test.x[""][:1]
    wanted, found = compute(path, x=x), compute(variant.artifact.path, x=x)
    # Four bits of random weights are off by more than a tenth, and still no other function.
    assert np.abs(wanted - found).max() < 0.3 * np.abs(wanted).max()
    lifted = variant.ledger[-1].settings["constants_lifted"]
    assert lifted == (2 if as_constants else 0)


def test_a_model_with_two_inputs_is_calibrated_on_both(tmp_path, make):
    rng = np.random.default_rng(0)
    x = {
        "x_train/image": rng.random((20, 1, 8, 8), dtype=np.float32),
        "x_train/facts": rng.random((20, 6), dtype=np.float32),
    }
    data = dataset_from_arrays(
        {**x, **{key.replace("train", "test"): value for key, value in x.items()}}, name="two"
    )
    path = graphs.two_inputs(tmp_path / "two.onnx")
    variant = make(model_of(path), Format.ONNX, "quantize int8", dataset=data, metric=None)
    assert read_onnx_counts(variant.artifact.path).weights == {"INT8": 2}
    assert variant.ledger[-1].settings["calibration_samples"] == 18


@pytest.mark.parametrize(
    ("maker", "form", "hint"),
    [
        (graphs.branches, "int8-dynamic", "2 operations with weights lie in branches"),
        (graphs.branches, "int8-weights", "2 operations with weights lie in branches"),
        (graphs.weightless, "int8", "Relu"),
        (graphs.weightless, "float16", "Relu"),
        (graphs.weightless, "int8-weights", "Relu"),
    ],
)
def test_a_step_that_changes_nothing_has_no_effect(tmp_path, make, features, maker, form, hint):
    model = model_of(maker(tmp_path / "m.onnx"))
    with pytest.raises(NoEffect, match="changed no weight") as caught:
        make(model, Format.ONNX, f"quantize {form}", dataset=features, metric=None)
    assert hint in str(caught.value.hint)


def test_four_bit_weights_are_found_in_branches(tmp_path, make, features):
    model = model_of(graphs.branches(tmp_path / "m.onnx"))
    variant = make(model, Format.ONNX, "quantize int4-weights", dataset=features, metric=None)
    assert read_onnx_counts(variant.artifact.path).operations["MatMulNBits"] == 2


@pytest.mark.parametrize("first", ["int8", "int8-weights", "int8-dynamic", "float16"])
def test_a_quantized_model_is_not_quantized_again(tmp_path, make, features, first):
    path = graphs.dense(tmp_path / "d.onnx")
    once = make(model_of(path), Format.ONNX, f"quantize {first}", dataset=features, metric=None)
    again = model_of(once.artifact.path)
    with pytest.raises(NoEffect, match="quantized already"):
        make(again, Format.ONNX, "quantize int8", dataset=features, metric=None)


def test_layers_that_are_skipped_stay_float(make, lenet):
    variant = make(lenet, Format.ONNX, {"quantize": "int8", "skip": ["dense", "conv1"]})
    assert read_onnx_counts(variant.artifact.path).weights == {"FLOAT": 2, "INT8": 2}


def test_only_the_chosen_layers_are_quantized(make, lenet):
    variant = make(lenet, Format.ONNX, {"quantize": "int8-weights", "only": ["conv1"]})
    assert read_onnx_counts(variant.artifact.path).weights == {"FLOAT": 3, "INT8": 1}


def test_a_regular_expression_without_a_match_is_refused(make, lenet):
    with pytest.raises(CompressionError, match=r"'nowhere' in .* matches no layer"):
        make(lenet, Format.ONNX, {"quantize": "int8", "skip": ["nowhere"]})


def test_data_of_another_shape_is_refused(tmp_path, make, dataset):
    path = graphs.dense(tmp_path / "d.onnx")
    with pytest.raises(ConfigError, match=r"shape \(28, 28, 1\), the input 'x' takes \(1, 32\)"):
        make(model_of(path), Format.ONNX, "quantize int8", dataset=dataset, metric=None)


def test_a_plain_onnx_model_is_its_own_float_form(tmp_path, make, features):
    model = model_of(graphs.dense(tmp_path / "d.onnx"))
    variant = make(model, Format.ONNX, dataset=features, metric=None)
    assert variant.artifact == model.artifact
    assert variant.ledger == ()


def test_an_operator_set_that_is_too_old_is_said(tmp_path, make, features):
    model = model_of(graphs.dense(tmp_path / "d.onnx", opset=11))
    settings = {"dataset": features, "metric": None}
    with pytest.raises(CompressionError, match="operator set 11; int8 weights need 13"):
        make(model, Format.ONNX, "quantize int8", **settings)
    variant = make(model, Format.ONNX, {"quantize": "int8", "granularity": "tensor"}, **settings)
    assert read_onnx_counts(variant.artifact.path).weights == {"INT8": 2}


def test_a_scalar_input_is_calibrated(tmp_path, make):
    x = {"x": np.ones((20, 32), np.float32), "by": np.full(20, 2, np.float32)}
    data = dataset_from_arrays(
        {f"x_{split}/{key}": array for split in ("train", "test") for key, array in x.items()},
        name="scaled",
    )
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["h"], name="dense"),
        onnx.helper.make_node("Mul", ["h", "by"], ["y"], name="scale"),
    ]
    path = graphs.save(
        tmp_path / "s.onnx",
        nodes,
        {"x": (graphs.FLOAT, [1, 32]), "by": (graphs.FLOAT, [])},
        {"y": (graphs.FLOAT, [1, 4])},
        [graphs.initializer("w", graphs.weights(32, 4))],
    )
    variant = make(model_of(path), Format.ONNX, "quantize int8", dataset=data, metric=None)
    assert read_onnx_counts(variant.artifact.path).weights == {"INT8": 1}
