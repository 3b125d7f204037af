import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.cluster import WAY
from edgebench.compress.promises import check_promises
from edgebench.compress.stored import count_different
from edgebench.errors import NoEffect
from tests.compress.onnx.nets import Draft, nets, normal, off, patient, run, step, take, weights

pytestmark = pytest.mark.converter


@patient
@given(
    drawn=nets(),
    values=st.integers(2, 5),
    scope=st.sampled_from(["tensor", "channel"]),
    init=st.sampled_from(["kmeans++", "linear", "density"]),
)
def test_no_tensor_has_more_values_than_asked_for(tmp_path_factory, drawn, values, scope, init):
    model, x = drawn
    said = step("cluster", values, scope=scope, init=init)
    try:
        made, outcome = take(WAY, model, said, tmp_path_factory.mktemp("cluster"))
    except NoEffect:
        # The smallest nets have no more values than that.
        return
    for node in made.graph.node:
        for name in set(node.input) & set(weights(made)):
            label = outcome.changed["values"].get(node.name)
            if label is None:
                continue
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            axis = 0 if node.op_type == "Conv" or turned else 1
            held = weights(made)[name]
            assert count_different(held, axis if scope == "channel" else None) <= values
    check_promises(read_artifact(outcome.path), outcome.promises)
    assert all(np.isfinite(array).all() for array in run(made, x))


def test_a_layer_of_so_many_values_computes_what_it_did(tmp_path):
    few = np.random.default_rng(0).choice(np.array([-1.5, 0.25, 0, 3], np.float32), (8, 6))
    model = Draft().add("MatMul", few).add("MatMul", normal(0, 6, 9)).model([1, 8])
    made, outcome = take(WAY, model, step("cluster", 4), tmp_path)
    assert np.array_equal(weights(made)["matmul0.w"], few)
    assert outcome.changed["values"] == {"matmul0": 4, "matmul1": 4}
    assert outcome.promises.clustered == 48 + 54
    x = normal(1, 1, 8)
    alone = Draft().add("MatMul", few).model([1, 8])
    with pytest.raises(NoEffect, match="found no layer"):
        take(WAY, alone, step("cluster", 4), tmp_path)
    middle = Draft().add("MatMul", weights(made)["matmul0.w"]).model([1, 8])
    assert off(run(alone, x), run(middle, x)) == 0


@pytest.mark.parametrize("scope", ["tensor", "channel"])
def test_zeros_are_kept_where_the_plan_says_so(tmp_path, scope):
    array = normal(0, 40, 6) + 2
    array[::2] = 0
    model = Draft().add("MatMul", array).model([1, 40])
    made, _ = take(WAY, model, step("cluster", 4, keep=["zeros"], scope=scope), tmp_path)
    (found,) = weights(made).values()
    assert np.array_equal(found == 0, array == 0)
    assert count_different(found, 1 if scope == "channel" else None) == 4


def test_a_codebook_for_each_channel_is_nearer_to_the_weights(tmp_path):
    array = normal(0, 50, 4) * np.array([1, 10, 100, 1000])
    model = Draft().add("MatMul", array).model([1, 50])
    errors = {}
    for scope in ("tensor", "channel"):
        made, _ = take(WAY, model, step("cluster", 8, scope=scope), tmp_path)
        errors[scope] = np.abs(weights(made)["matmul0.w"] - array)[:, 0].mean()
    assert errors["channel"] < 0.1 * errors["tensor"]


def test_the_seed_decides(tmp_path):
    model = Draft().add("MatMul", normal(0, 60, 40)).model([1, 60])
    made = [
        weights(take(WAY, model, step("cluster", 16), tmp_path, seed=seed)[0])["matmul0.w"]
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
