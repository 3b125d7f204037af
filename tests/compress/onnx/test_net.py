import numpy as np
import onnx
import pytest
from hypothesis import given
from onnx import TensorProto, helper, numpy_helper

from edgebench.compress.onnx.net import open_net, save_net
from tests.compress import graphs
from tests.compress.onnx.nets import FLOAT, Draft, nets, normal, off, patient, run

pytestmark = pytest.mark.converter


def again(model, folder):
    """A model opened and written."""
    onnx.save(model, str(folder / "before.onnx"))
    net = open_net(folder / "before.onnx")
    save_net(net, folder / "after.onnx")
    onnx.checker.check_model(str(folder / "after.onnx"), full_check=True)
    return onnx.load(str(folder / "after.onnx")), net


@patient
@given(nets())
def test_what_is_opened_and_written_computes_the_same(tmp_path_factory, drawn):
    model, x = drawn
    written, _ = again(model, tmp_path_factory.mktemp("net"))
    assert off(run(model, x), run(written, x)) == 0
    assert not any(node.op_type == "Constant" for node in written.graph.node)


def test_a_file_is_written_as_onnx_itself_writes_it(tmp_path):
    model = Draft().add("MatMul", normal(0, 300, 7), name="dense").model([1, 300])
    model.metadata_props.add(key="author", value="somebody")
    written, _ = again(model, tmp_path)
    assert written.SerializeToString() == model.SerializeToString()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(TensorProto.FLOAT, []), (TensorProto.FLOAT, [0]), (TensorProto.INT64, [3])],
)
def test_scalars_empty_tensors_and_integers_are_written_whole(tmp_path, kind, shape):
    array = np.full(shape, 3, helper.tensor_dtype_to_np_dtype(kind))
    nodes = [helper.make_node("Identity", ["c"], ["y"])]
    stored = [numpy_helper.from_array(array, "c")]
    path = graphs.save(tmp_path / "s.onnx", nodes, {}, {"y": (kind, shape)}, stored)
    written, _ = again(onnx.load(str(path)), tmp_path)
    assert np.array_equal(run(written, {})[0], array)


def test_numbers_that_are_no_raw_bytes_are_read(tmp_path):
    model = Draft().add("MatMul", normal(0, 2, 3)).model([1, 2])
    values = numpy_helper.to_array(model.graph.initializer[0])
    plain = helper.make_tensor(model.graph.initializer[0].name, FLOAT, [2, 3], values.ravel())
    assert not plain.HasField("raw_data")
    model.graph.initializer[0].CopyFrom(plain)
    _, net = again(model, tmp_path)
    assert np.array_equal(net.arrays[plain.name], values)


def clashing():
    """Both branches of an If give the name `w` to weights of their own."""

    def branch(seed):
        stored = [numpy_helper.from_array(graphs.weights(8, 8, seed=seed), "w")]
        out = helper.make_tensor_value_info(f"y{seed}", FLOAT, [1, 8])
        node = helper.make_node("MatMul", ["x", "w"], [f"y{seed}"])
        return helper.make_graph([node], f"branch{seed}", [], [out], stored)

    branches = {"then_branch": branch(0), "else_branch": branch(1)}
    return helper.make_node("If", ["flag"], ["y"], **branches)


def test_weights_of_branches_are_moved_out_and_keep_apart(tmp_path):
    inputs = {"x": (FLOAT, [1, 8]), "flag": (TensorProto.BOOL, [])}
    path = graphs.save(tmp_path / "i.onnx", [clashing()], inputs, {"y": (FLOAT, [1, 8])})
    model = onnx.load(str(path))
    written, net = again(model, tmp_path)
    assert net.lifted == 2
    assert set(net.arrays) == {"w", "w_2"}
    for flag in (True, False):
        feed = {"x": normal(3, 1, 8), "flag": np.array(flag)}
        assert off(run(model, feed), run(written, feed)) == 0


def test_a_constant_that_a_branch_puts_out_stays_there(tmp_path):
    stored = [numpy_helper.from_array(graphs.weights(1, 8), "out")]
    value = helper.make_tensor_value_info("out", FLOAT, [1, 8])
    branch = helper.make_graph([], "constant", [], [value], stored)
    node = helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch)
    scalar: list[int] = []
    inputs = {"flag": (TensorProto.BOOL, scalar)}
    path = graphs.save(tmp_path / "o.onnx", [node], inputs, {"y": (FLOAT, [1, 8])})
    written, net = again(onnx.load(str(path)), tmp_path)
    assert net.lifted == 0
    assert np.array_equal(run(written, {"flag": np.array(True)})[0], graphs.weights(1, 8))


def looping():
    """A product with `w` three times, and one with `v`, which each round doubles."""
    names = {"i": TensorProto.INT64, "on": TensorProto.BOOL, "s": FLOAT, "w_": FLOAT, "v_": FLOAT}
    shapes = {"i": (), "on": (), "s": (1, 4), "w_": (4, 4), "v_": (4, 4)}
    nodes = [
        helper.make_node("MatMul", ["s", "w_"], ["h"]),
        helper.make_node("MatMul", ["h", "v_"], ["s2"]),
        helper.make_node("Add", ["v_", "v_"], ["v2"]),
    ]
    inputs = [helper.make_tensor_value_info(n, names[n], shapes[n]) for n in names]
    like = {"on": "on", "s2": "s", "w_": "w_", "v2": "v_"}
    outputs = [helper.make_tensor_value_info(n, names[o], shapes[o]) for n, o in like.items()]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    return helper.make_node("Loop", ["n", "", "x", "w", "v"], ["y", "w_end", "v_end"], body=body)


def test_a_loop_reads_constants_that_it_hands_on_unchanged_by_their_names(tmp_path):
    stored = [
        numpy_helper.from_array(np.array(3), "n"),
        *(numpy_helper.from_array(normal(seed, 4, 4), name) for seed, name in enumerate("wv")),
    ]
    row = (FLOAT, [1, 4])
    path = graphs.save(tmp_path / "l.onnx", [looping()], {"x": row}, {"y": row}, stored)
    model, x = onnx.load(str(path)), normal(5, 1, 4)
    written, net = again(model, tmp_path)
    # A product with a constant is packed, and adds up in another order.
    assert off(run(model, x), run(written, x)) < 1e-6
    inner = [list(node.input) for node in list(net.graphs())[1].node]
    assert inner == [["s", "w"], ["h", "v_"], ["v_", "v_"]]


def test_an_old_export_that_lists_weights_among_its_inputs_stays_one(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 3), name="dense").model([1, 4])
    model.ir_version = 3
    listed = helper.make_tensor_value_info("dense.w", FLOAT, [4, 3])
    model.graph.input.append(listed)
    onnx.save(model, str(tmp_path / "old.onnx"))
    net = open_net(tmp_path / "old.onnx")
    net.model.graph.node[0].input[1] = net.add("other", normal(1, 4, 3))
    net.drop_unused({"dense.w"})
    save_net(net, tmp_path / "new.onnx")
    onnx.checker.check_model(str(tmp_path / "new.onnx"))
    assert [v.name for v in net.model.graph.input] == ["x"]
    assert (
        off(run(tmp_path / "new.onnx", normal(2, 1, 4)), [normal(2, 1, 4) @ normal(1, 4, 3)]) < 1e-5
    )


def test_a_name_is_free_where_no_node_input_or_constant_has_it(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 3), name="dense").model([1, 4])
    onnx.save(model, str(tmp_path / "m.onnx"))
    net = open_net(tmp_path / "m.onnx")
    assert [net.free(n) for n in ("x", "dense.w", "dense.out", "new")] == [
        *("x_2", "dense.w_2", "dense.out_2", "new")
    ]
