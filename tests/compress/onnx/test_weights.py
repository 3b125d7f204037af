import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from edgebench.compress.onnx.weights import quantize_array, quantize_weights
from edgebench.errors import CompressionError
from tests.compress import graphs

pytestmark = pytest.mark.converter


@pytest.mark.parametrize("axis", [0, 1, None])
def test_what_is_stored_is_off_by_half_a_step_at_most(axis):
    values = graphs.weights(6, 5) * np.arange(1, 7)[:, np.newaxis].astype(np.float32)
    stored, scale = quantize_array(values, axis)
    shape = {0: (6, 1), 1: (1, 5), None: ()}[axis]
    step = scale.reshape(shape)
    assert stored.dtype == np.int8
    assert (np.abs(stored * step - values) <= step / 2 + 1e-6).all()
    assert np.abs(stored).max() == 127


def test_zeros_stay_zero():
    stored, scale = quantize_array(np.zeros((2, 3), np.float32), 0)
    assert stored.tolist() == [[0, 0, 0]] * 2
    assert np.isfinite(scale).all()


def layer(kind, shape, **attributes):
    node = helper.make_node(kind, ["x", "w"], ["y"], name="layer", **attributes)
    rank = {"MatMul": [1, shape[0]], "Gemm": [1, shape[1 if attributes.get("transB") else 0]]}
    inputs = rank.get(kind, [1, shape[0 if kind == "ConvTranspose" else 1], 8, 8])
    return node, inputs


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "axis"),
    [
        ("MatMul", (6, 5), {}, 1),
        ("Gemm", (6, 5), {}, 1),
        ("Gemm", (6, 5), {"transB": 1}, 0),
        ("Conv", (6, 5, 3, 3), {}, 0),
        ("ConvTranspose", (6, 5, 3, 3), {}, 1),
    ],
)
def test_the_scale_lies_along_the_output_channels(tmp_path, kind, shape, attributes, axis):
    node, input_shape = layer(kind, shape, **attributes)
    path = graphs.save(
        tmp_path / "l.onnx",
        [node],
        {"x": (TensorProto.FLOAT, input_shape)},
        {"y": (TensorProto.FLOAT, ["a", "b", "c", "d"][: len(input_shape)])},
        [graphs.initializer("w", graphs.weights(*shape))],
    )
    model = onnx.load(str(path))
    found, changed = quantize_weights(model, {"layer"}, is_channel=True)
    stored = {tensor.name: tensor for tensor in found.graph.initializer}
    x = np.random.default_rng(0).random(input_shape, dtype=np.float32)
    outputs = [
        ort.InferenceSession(m.SerializeToString()).run(None, {"x": x})[0] for m in (model, found)
    ]
    assert changed == 1
    assert list(stored[f"w_scale_{axis}"].dims) == [shape[axis]]
    assert stored[f"w_int8_{axis}"].data_type == TensorProto.INT8
    assert "w" not in stored
    assert np.abs(outputs[0] - outputs[1]).max() < 0.02 * np.abs(outputs[0]).max()


def test_weights_of_nodes_that_are_spared_stay_float(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "d.onnx")))
    found, changed = quantize_weights(model, {"second"}, is_channel=False)
    kinds = {tensor.name: tensor.data_type for tensor in found.graph.initializer}
    assert changed == 1
    assert kinds["w1"] == TensorProto.FLOAT
    assert kinds["w2_int8"] == TensorProto.INT8


def test_weights_of_two_nodes_are_stored_once(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="a"),
        helper.make_node("MatMul", ["h", "w"], ["y"], name="b"),
    ]
    shape = (TensorProto.FLOAT, [1, 4])
    path = graphs.save(
        tmp_path / "s.onnx",
        nodes,
        {"x": shape},
        {"y": shape},
        [graphs.initializer("w", graphs.weights(4, 4))],
    )
    found, changed = quantize_weights(onnx.load(str(path)), {"a", "b"}, is_channel=True)
    assert changed == 1
    assert len(found.graph.initializer) == 2


def test_an_operator_set_without_scales_per_channel_is_refused(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "d.onnx", opset=11)))
    with pytest.raises(CompressionError, match="operator set 11; int8 weights need 13"):
        quantize_weights(model, {"first"}, is_channel=True)
    assert quantize_weights(model, {"first"}, is_channel=False)[1] == 1
