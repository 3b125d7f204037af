import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.prune import WAY
from edgebench.compress.promises import check_promises
from edgebench.errors import CompressionError, NoEffect
from tests.compress import graphs
from tests.compress.onnx.nets import Draft, nets, normal, off, patient, run, step, take, weights

pytestmark = pytest.mark.converter


def zeros(model):
    return {name: int((array == 0).sum()) for name, array in weights(model).items()}


@patient
@given(drawn=nets(), percent=st.integers(5, 95), scope=st.sampled_from(["global", "layer"]))
def test_as_many_weights_are_zero_as_were_asked_for(tmp_path_factory, drawn, percent, scope):
    model, x = drawn
    folder = tmp_path_factory.mktemp("prune")
    try:
        made, outcome = take(WAY, model, step("prune", f"{percent} %", scope=scope), folder)
    except NoEffect:
        # A share of a handful of weights may be none of them.
        return
    whole = zeros(made)
    sizes = {name: array.size for name, array in weights(made).items()}
    plain = [name for name in sizes if not is_depthwise(model, name)]
    if scope == "global":
        wanted = round(percent / 100 * sum(sizes[name] for name in plain))
        assert sum(whole.values()) == wanted
    else:
        assert {n: whole[n] for n in plain} == {n: round(percent / 100 * sizes[n]) for n in plain}
    assert outcome.promises.zeros == sum(whole.values())
    check_promises(read_artifact(outcome.path), outcome.promises)
    assert all(np.isfinite(array).all() for array in run(made, x))


def is_depthwise(model, weight):
    node = next(node for node in model.graph.node if weight in node.input)
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    return groups > 1 and weights_of(model)[weight].shape[1] == 1


def weights_of(model):
    held = {
        node.output[0]: node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    held |= {tensor.name: tensor for tensor in model.graph.initializer}
    return {name: onnx.numpy_helper.to_array(tensor) for name, tensor in held.items()}


def dense(*arrays):
    draft = Draft()
    for array in arrays:
        draft.add("MatMul", array)
    return draft.model([1, arrays[0].shape[0]])


def test_what_is_not_pruned_stays_as_it_was(tmp_path):
    model = dense(normal(0, 8, 6), normal(1, 6, 4))
    made, _ = take(WAY, model, step("prune", "50 %"), tmp_path)
    for name, array in weights(made).items():
        before = weights(model)[name]
        assert np.array_equal(array, np.where(array == 0, 0, before))


def test_the_smallest_go(tmp_path):
    model = dense(normal(0, 8, 6))
    made, _ = take(WAY, model, step("prune", "50 %"), tmp_path)
    before, after = (weights(m)["matmul0.w"] for m in (model, made))
    assert np.abs(before[after == 0]).max() < np.abs(before[after != 0]).min()


def test_the_scale_of_a_layer_does_not_decide_what_it_loses(tmp_path):
    kernels = normal(0, 8, 6), normal(1, 6, 4)
    lost = [
        zeros(take(WAY, dense(kernels[0] * scale, kernels[1]), step("prune", "50 %"), tmp_path)[0])
        for scale in (1, 2.0**-20)
    ]
    assert lost[0] == lost[1]
    assert sum(lost[0].values()) == 36
    assert lost[0]["matmul0.w"] / 48 != lost[0]["matmul1.w"] / 24


def test_zeros_that_are_there_already_are_no_effect(tmp_path):
    array = normal(0, 8, 6)
    array.flat[:24] = 0
    model = dense(array)
    with pytest.raises(NoEffect, match="found no layer"):
        take(WAY, model, step("prune", "50 %"), tmp_path)


@pytest.mark.parametrize(
    ("kind", "shape", "said", "x"),
    [
        ("MatMul", (8, 6), {}, (1, 8)),
        ("Gemm", (6, 8), {"transB": 1}, (1, 8)),
        ("MatMul", (6, 8), {"place": 0}, (8, 2)),
        ("Conv", (6, 8, 3, 3), {}, (1, 8, 9, 9)),
    ],
)
def test_two_of_four_inputs_stay_whatever_the_layout(tmp_path, kind, shape, said, x):
    model = Draft().add(kind, normal(0, *shape), **said).model(x)
    made, _ = take(WAY, model, step("prune", "50 %", pattern="2:4"), tmp_path)
    (array,) = weights(made).values()
    inputs = {"MatMul": 1 if said.get("place") == 0 else 0, "Gemm": 1, "Conv": 1}[kind]
    grouped = np.moveaxis(array, inputs, -1).reshape(-1, 4)
    assert ((grouped != 0).sum(axis=1) == 2).all()


def test_blocks_of_inputs_go_together(tmp_path):
    model = Draft().add("Gemm", normal(0, 6, 8), transB=1).model([1, 8])
    made, _ = take(WAY, model, step("prune", "50 %", pattern="block 4x1"), tmp_path)
    (array,) = weights(made).values()
    blocks = (array.reshape(6, 2, 4) != 0).sum(axis=-1)
    assert sorted(set(blocks.ravel())) == [0, 4]
    assert (blocks == 0).sum() == 6


def test_weights_of_two_nodes_are_pruned_once(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 4), name="a").add("MatMul", "a.w").model([1, 4])
    made, outcome = take(WAY, model, step("prune", "50 %"), tmp_path)
    assert outcome.changed["weights"] == 16
    assert zeros(made) == {"a.w": 8}


def test_layers_that_are_skipped_stay_dense(tmp_path):
    model = dense(normal(0, 8, 6), normal(1, 6, 4))
    made, outcome = take(WAY, model, step("prune", "50 %", skip=["matmul1"]), tmp_path)
    assert zeros(made) == {"matmul0.w": 24, "matmul1.w": 0}
    assert outcome.changed["zeros_share_of"] == {"matmul0": 0.5}


def test_weights_in_branches_are_pruned(tmp_path):
    model = onnx.load(str(graphs.branches(tmp_path / "b.onnx")))
    made, outcome = take(WAY, model, step("prune", "50 %", scope="layer"), tmp_path)
    assert outcome.promises.zeros == 64
    feed = {"x": np.ones((1, 8), np.float32), "flag": np.array(True)}
    assert off(run(model, feed), run(made, feed)) > 0


def test_a_weight_that_is_no_number_is_refused(tmp_path):
    array = normal(0, 4, 4)
    array[0, 0] = math.nan
    with pytest.raises(CompressionError, match=r"'matmul0' cannot be compressed: 1 or more of 16"):
        take(WAY, dense(array), step("prune", "50 %"), tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scope": "sensitivity"}, "scanned in Keras only"),
        ({"schedule": "cubic"}, "in one shot"),
        ({"tune": "2 epochs"}, "cannot be trained"),
        ({"batch": 8}, "cannot be trained"),
    ],
)
def test_what_needs_training_is_refused_before_anything_runs(options, words):
    assert words in str(WAY.refuse(step("prune", "50 %", **options)))


def test_what_can_be_done_is_not_refused():
    assert WAY.refuse(step("prune", "50 %", scope="layer", seed=3, skip=["a"])) is None
