import numpy as np
import onnx
import pytest
from hypothesis import given
from onnx import TensorProto, helper, numpy_helper

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.cluster import WAY as CLUSTER
from edgebench.compress.onnx.share import WAY
from edgebench.compress.promises import check_promises
from edgebench.errors import CompressionError, NoEffect
from tests.compress import graphs
from tests.compress.onnx.nets import Draft, nets, normal, off, patient, run, step, take, weights

pytestmark = pytest.mark.converter


def chain(*arrays):
    draft = Draft()
    for place, array in enumerate(arrays):
        draft.add("MatMul", array, name=f"layer{place}")
    return draft.model([1, arrays[0].shape[0]])


@patient
@given(nets())
def test_equal_weights_are_stored_once_and_nothing_else_changes(tmp_path_factory, drawn):
    model, x = drawn
    twice = onnx.compose.merge_models(
        *(onnx.compose.add_prefix(model, prefix) for prefix in ("a/", "b/")), io_map=[]
    )
    made, outcome = take(WAY, twice, step("share", "identical"), tmp_path_factory.mktemp("share"))
    feed = {"a/x": x, "b/x": 2 * x}
    assert off(run(twice, feed), run(made, feed)) == 0
    before, after = outcome.changed["weights"]
    assert after == sum(array.size for array in weights(made).values()) <= before / 2
    assert outcome.promises.weights == after
    check_promises(read_artifact(outcome.path), outcome.promises)


def test_three_equal_layers_are_one_and_the_ledger_names_them(tmp_path):
    same = normal(0, 5, 5)
    made, outcome = take(
        WAY, chain(same, same, normal(1, 5, 5), same), step("share", "identical"), tmp_path
    )
    assert sorted(weights(made)) == ["layer0.w", "layer2.w"]
    assert outcome.changed["shared"] == {"layer0.w": ["layer1.w", "layer3.w"]}
    assert outcome.changed["weights"] == [100, 50]


@pytest.mark.parametrize(
    "other",
    [normal(0, 5, 5).T.copy(), np.nextafter(normal(0, 5, 5), np.float32(9)), normal(1, 5, 5)],
    ids=["transposed", "a hair off", "another"],
)
def test_weights_that_differ_are_no_effect(tmp_path, other):
    with pytest.raises(NoEffect, match="no two weights in the model that are equal"):
        take(WAY, chain(normal(0, 5, 5), other), step("share", "identical"), tmp_path)


def test_one_shape_and_bytes_of_another_type_stay_apart(tmp_path):
    same = normal(0, 5, 5)
    model = chain(same, same)
    bits = numpy_helper.from_array(same.view(np.int32), "bits")
    model.graph.initializer.append(bits)
    model.graph.node.append(helper.make_node("Identity", ["bits"], ["out"]))
    model.graph.output.append(helper.make_tensor_value_info("out", TensorProto.INT32, [5, 5]))
    made, _ = take(WAY, model, step("share", "identical"), tmp_path)
    assert sorted(t.name for t in made.graph.initializer) == ["bits", "layer0.w"]


def test_equal_biases_alone_are_no_effect(tmp_path):
    draft = Draft().add("Gemm", normal(0, 4, 4), np.zeros(4))
    model = draft.add("Gemm", normal(1, 4, 4), np.zeros(4)).model([1, 4])
    with pytest.raises(NoEffect, match="no two weights"):
        take(WAY, model, step("share", "identical"), tmp_path)


def test_what_clustering_made_equal_is_shared(tmp_path):
    # Around each value as much lies above as below: the codebook of both has just these two.
    first = np.tile(np.array([1, 1, -1, -1], np.float32), (4, 1))
    second = first + np.tile(np.array([1, -1, 1, -1], np.float32) / 64, (4, 1))
    model = chain(first, second)
    with pytest.raises(NoEffect):
        take(WAY, model, step("share", "identical"), tmp_path)
    clustered, _ = take(CLUSTER, model, step("cluster", 2), tmp_path)
    made, _ = take(WAY, clustered, step("share", "identical"), tmp_path)
    assert list(weights(made)) == ["layer0.w"]


def test_layers_that_are_named_are_shared_where_they_are_equal(tmp_path):
    same, other = normal(0, 5, 5), normal(1, 5, 5)
    said = step("share", ["layer0", "layer1"])
    made, outcome = take(WAY, chain(same, same, other, other), said, tmp_path)
    assert outcome.changed["shared"] == {"layer0.w": ["layer1.w"]}
    assert sorted(weights(made)) == ["layer0.w", "layer2.w", "layer3.w"]


def test_layers_that_differ_cannot_be_shared_without_training(tmp_path):
    model = chain(normal(0, 5, 5), normal(1, 5, 5))
    with pytest.raises(CompressionError, match="'layer0' and 'layer1' differ by up to") as caught:
        take(WAY, model, step("share", ["layer0", "layer1"]), tmp_path)
    assert "cannot be retrained" in str(caught.value.hint)


def test_layers_of_two_shapes_cannot_be_shared(tmp_path):
    model = chain(normal(0, 5, 4), normal(1, 4, 5))
    with pytest.raises(CompressionError, match=r"of the shapes \(5, 4\) and \(4, 5\)"):
        take(WAY, model, step("share", ["layer"]), tmp_path)


@pytest.mark.parametrize("layers", [["layer0"], ["layer0", "layer1"]])
def test_layers_that_share_already_are_no_effect(tmp_path, layers):
    draft = Draft().add("MatMul", normal(0, 4, 4), name="layer0")
    model = draft.add("MatMul", "layer0.w", name="layer1").model([1, 4])
    with pytest.raises(NoEffect, match="no two weights"):
        take(WAY, model, step("share", layers), tmp_path)


def test_a_name_that_no_layer_has_is_refused(tmp_path):
    with pytest.raises(CompressionError, match=r"'nowhere' .* matches no layer"):
        take(WAY, chain(normal(0, 5, 5)), step("share", ["nowhere"]), tmp_path)


def test_weights_of_two_branches_are_stored_once(tmp_path):
    model = onnx.load(str(graphs.branches(tmp_path / "b.onnx")))
    inner = [attribute.g for attribute in model.graph.node[0].attribute]
    inner[1].node[0].attribute[0].t.CopyFrom(inner[0].node[0].attribute[0].t)
    made, outcome = take(WAY, model, step("share", "identical"), tmp_path)
    assert outcome.changed["weights"] == [128, 64]
    for flag in (True, False):
        feed = {"x": normal(0, 1, 8), "flag": np.array(flag)}
        assert off(run(model, feed), run(made, feed)) == 0
