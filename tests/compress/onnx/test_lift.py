import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from edgebench.compress.onnx.graph import count
from edgebench.compress.onnx.lift import label_nodes, lift_constants, name_nodes
from tests.compress import graphs

pytestmark = pytest.mark.converter


def run(model, **inputs):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_constants_become_initializers_and_nothing_else_changes(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "c.onnx", as_constants=True)))
    lifted, found = lift_constants(model)
    x = np.random.default_rng(0).random((1, 32), dtype=np.float32)
    assert found == 2
    assert [node.op_type for node in lifted.graph.node] == ["MatMul", "Relu", "MatMul"]
    assert {tensor.name for tensor in lifted.graph.initializer} == {"w1", "w2"}
    onnx.checker.check_model(lifted)
    assert (run(lifted, x=x) == run(model, x=x)).all()


def test_the_model_that_is_given_is_left_alone(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "c.onnx", as_constants=True)))
    before = model.SerializeToString()
    lift_constants(model)
    name_nodes(model)
    assert model.SerializeToString() == before


def test_constants_in_branches_are_lifted_within_their_branch(tmp_path):
    model = onnx.load(str(graphs.branches(tmp_path / "b.onnx")))
    lifted, found = lift_constants(model)
    x, flag = np.ones((1, 8), np.float32), np.array(True)
    assert found == 2
    assert count(lifted).constant_weights == 0
    assert count(lifted).inner_weighted == 2
    assert (run(lifted, x=x, flag=flag) == run(model, x=x, flag=flag)).all()


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("value_float", 2.5, np.float32(2.5)),
        ("value_floats", [1.0, 2.0], np.array([1, 2], np.float32)),
        ("value_int", 3, np.int64(3)),
        ("value_ints", [3, 4], np.array([3, 4])),
    ],
)
def test_plain_values_become_tensors_of_their_type(tmp_path, attribute, value, expected):
    kind = TensorProto.FLOAT if "float" in attribute else TensorProto.INT64
    nodes = [
        helper.make_node("Constant", [], ["c"], **{attribute: value}),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    path = graphs.save(tmp_path / "p.onnx", nodes, {"x": (kind, [2])}, {"y": (kind, [2])})
    lifted, found = lift_constants(onnx.load(str(path)))
    stored = onnx.numpy_helper.to_array(lifted.graph.initializer[0])
    assert found == 1
    assert (stored == expected).all()
    assert stored.dtype == np.asarray(expected).dtype


def test_a_constant_that_is_an_output_stays(tmp_path):
    nodes = [graphs.constant("y", np.ones(2, np.float32))]
    path = graphs.save(tmp_path / "o.onnx", nodes, {}, {"y": (TensorProto.FLOAT, [2])})
    assert lift_constants(onnx.load(str(path)))[1] == 0


def test_text_stays_a_constant(tmp_path):
    nodes = [
        helper.make_node(
            "Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.STRING, [1], [b"a"])
        ),
        helper.make_node("Identity", ["c"], ["y"]),
    ]
    path = graphs.save(tmp_path / "s.onnx", nodes, {}, {"y": (TensorProto.STRING, [1])})
    assert lift_constants(onnx.load(str(path)))[1] == 0


def test_nodes_without_a_name_get_one_of_their_own(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "d.onnx")))
    for node in model.graph.node:
        node.name = "same" if node.op_type == "MatMul" else ""
    names = [node.name for node in name_nodes(model).graph.node]
    assert names == ["same", "Relu_1:r", "MatMul_2:y"]


def test_a_node_is_found_by_the_name_of_its_weights(tmp_path):
    model = onnx.load(str(graphs.dense(tmp_path / "d.onnx")))
    assert label_nodes(model) == {
        "first": "first;w1;h",
        "relu": "relu;r",
        "second": "second;w2;y",
    }
