import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench.compress.onnx import bench, cluster, factor, prune, share
from edgebench.errors import CompressionError, NoEffect
from tests.compress import graphs
from tests.compress.onnx.nets import FLOAT, Draft, normal, off, recurrent, run, step, take, weights

pytestmark = pytest.mark.converter

STEPS = [
    (prune.WAY, step("prune", "50 %")),
    (cluster.WAY, step("cluster", 4)),
    (factor.WAYS["lowrank"], step("lowrank", "50 %")),
    (share.WAY, step("share", "identical")),
]


def named(value):
    """A way by its name: it holds functions, whose addresses differ from process to process."""
    return getattr(value, "name", None) or str(value)


@pytest.mark.parametrize(("way", "said"), STEPS, ids=named)
def test_a_model_of_half_precision_is_refused(tmp_path, way, said):
    stored = [numpy_helper.from_array(normal(0, 20, 20).astype(np.float16), "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    shape = (TensorProto.FLOAT16, [1, 20])
    path = graphs.save(tmp_path / "h.onnx", nodes, {"x": shape}, {"y": shape}, stored)
    with pytest.raises(NoEffect, match=r"quantized already \(1 FLOAT16\)"):
        take(way, onnx.load(str(path)), said, tmp_path)


@pytest.mark.parametrize(("way", "said"), STEPS, ids=named)
def test_a_model_of_integers_is_refused(tmp_path, way, said):
    stored = [
        numpy_helper.from_array(np.ones((20, 20), np.int8), "w"),
        numpy_helper.from_array(np.float32(0.1), "scale"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["real"]),
        helper.make_node("MatMul", ["x", "real"], ["y"]),
    ]
    shape = (FLOAT, [1, 20])
    path = graphs.save(tmp_path / "q.onnx", nodes, {"x": shape}, {"y": shape}, stored)
    with pytest.raises(NoEffect, match=r"quantized already \(1 operations\)"):
        take(way, onnx.load(str(path)), said, tmp_path)


@pytest.mark.parametrize(("way", "said"), STEPS, ids=named)
def test_a_model_without_weights_has_nothing_to_change(tmp_path, way, said):
    model = onnx.load(str(graphs.weightless(tmp_path / "w.onnx")))
    with pytest.raises(NoEffect, match=r"found no layer|no two weights"):
        take(way, model, said, tmp_path)


@pytest.mark.parametrize(("way", "said"), STEPS[:3], ids=named)
@pytest.mark.parametrize("as_constants", [False, True])
def test_weights_that_are_nodes_are_weights(tmp_path, way, said, as_constants):
    model = Draft().add("MatMul", normal(0, 20, 20)).model([1, 20], as_constants=as_constants)
    made, outcome = take(way, model, said, tmp_path)
    assert outcome.settings["constants_lifted"] == int(as_constants)
    assert [node.op_type for node in made.graph.node] == ["MatMul"] * len(weights(made))


@pytest.mark.parametrize(("way", "said"), STEPS, ids=named)
@pytest.mark.parametrize("word", ["tune", "learning_rate", "batch"])
def test_what_trains_is_refused(way, said, word):
    trains = step(said.name, said.value, **{word: "1 epoch" if word == "tune" else 1})
    assert "cannot be trained" in str(way.refuse(trains))
    assert way.refuse(said) is None


@pytest.mark.parametrize(("way", "said"), STEPS[:2], ids=named)
def test_tables_and_recurrent_layers_are_compressed(tmp_path, way, said):
    model = recurrent()
    made, outcome = take(way, model, said, tmp_path)
    before, after = weights(model), weights(made)
    assert set(outcome.changed["zeros_share_of" if said.name == "prune" else "values"]) == {
        *("embedding", "lstm/lw", "lstm/lr", "gru/gw", "gru/gr")
    }
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    x = np.arange(7).reshape(7, 1)
    assert 0 < off(run(model, {"x": x}), run(made, {"x": x})) < 10


def test_a_source_that_breaks_the_rules_is_no_fault_of_the_step(tmp_path):
    model = Draft().add("MatMul", normal(0, 20, 20)).model([1, 20])
    onnx.save(model, str(tmp_path / "good.onnx"))
    model.graph.node[0].attribute.append(helper.make_attribute("unknown", 1))
    onnx.save(model, str(tmp_path / "bad.onnx"))
    bench.check_valid(tmp_path / "bad.onnx", tmp_path / "bad.onnx")
    bench.check_valid(tmp_path / "good.onnx", tmp_path / "bad.onnx")
    with pytest.raises(CompressionError, match=r"bad\.onnx .* is no valid ONNX graph.*unknown"):
        bench.check_valid(tmp_path / "bad.onnx", tmp_path / "good.onnx")
