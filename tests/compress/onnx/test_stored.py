import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from edgebench.compress.onnx.stored import onnx_weights, read_floating
from tests.compress import graphs

pytestmark = pytest.mark.converter

FLOAT = graphs.FLOAT


def by_name(path):
    return {weight.name: weight for weight in onnx_weights(path)}


def dequantized(path, stored, scale, point, **attributes):
    """One MatMul whose weights `(in, out)` come out of a DequantizeLinear."""
    names = ["q", "s", "z"]
    arrays = [np.asarray(stored), np.asarray(scale, np.float32), np.asarray(point, stored.dtype)]
    nodes = [
        helper.make_node("DequantizeLinear", names, ["w"], **attributes),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    rows, columns = stored.shape
    return graphs.save(
        path,
        nodes,
        {"x": (FLOAT, [1, rows])},
        {"y": (FLOAT, [1, columns])},
        [graphs.initializer(*item) for item in zip(names, arrays, strict=True)],
        opset=21,
    )


@pytest.mark.parametrize("as_constants", [False, True])
def test_initializers_and_constant_nodes_are_read(tmp_path, as_constants):
    found = by_name(graphs.dense(tmp_path / "d.onnx", as_constants=as_constants))
    assert {name: weight.values.shape for name, weight in found.items()} == {
        "w1": (32, 16),
        "w2": (16, 4),
    }
    assert {weight.channels for weight in found.values()} == {1}


def test_weights_in_branches_are_read(tmp_path):
    assert set(by_name(graphs.branches(tmp_path / "b.onnx"))) == {"yes_w", "no_w"}


def test_a_zero_point_for_all_is_found(tmp_path):
    stored = np.array([[3, 3, 1], [0, 3, 5]], np.uint8)
    weight = by_name(dequantized(tmp_path / "q.onnx", stored, 0.5, 3))["q"]
    assert (weight.axis, weight.zeros, weight.channels) == (None, 3, 1)


def test_zero_points_lie_along_the_axis_of_the_scale(tmp_path):
    stored = np.array([[1, 2, 1], [1, 2, 3]], np.int8)
    weight = by_name(dequantized(tmp_path / "q.onnx", stored, [0.5, 0.5, 0.5], [1, 2, 3], axis=1))[
        "q"
    ]
    assert (weight.axis, weight.zeros) == (1, 5)


def test_zero_points_of_blocks_reach_over_their_block(tmp_path):
    stored = np.array([[1], [1], [4], [1]], np.int8)
    weight = by_name(
        dequantized(tmp_path / "q.onnx", stored, [[0.5], [0.5]], [[1], [4]], axis=0, block_size=2)
    )["q"]
    assert weight.zeros == 3


def test_scales_of_blocks_are_no_weights(tmp_path):
    stored = np.ones((4, 3), np.int8)
    ones, zeros = np.ones((2, 3)), np.zeros((2, 3))
    path = dequantized(tmp_path / "q.onnx", stored, ones, zeros, axis=0, block_size=2)
    assert set(by_name(path)) == {"q"}


@pytest.mark.parametrize("is_symmetric", [True, False])
def test_four_bit_blocks_are_unpacked(tmp_path, is_symmetric):
    path = graphs.dense(tmp_path / "d.onnx")
    model = onnx.load(str(path))
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    sparse = np.where(np.random.default_rng(1).random((32, 16)) < 0.5, 0, weights["w1"])
    model.graph.initializer[0].CopyFrom(graphs.initializer("w1", sparse.astype(np.float32)))
    quantizer = MatMulNBitsQuantizer(model, block_size=16, is_symmetric=is_symmetric)
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))
    found = next(w for name, w in by_name(path).items() if name.startswith("w1"))
    assert found.values.shape == (16, 32)
    assert found.values.max() <= 15
    # Every zero stays one; small weights become zeros as well.
    assert ((found.values == found.zero_point).T | (sparse != 0)).all()
    assert found.zeros < found.values.size


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "channels"),
    [
        ("Conv", (6, 5, 3, 3), {}, 0),
        ("ConvTranspose", (6, 5, 3, 3), {}, 1),
        ("ConvTranspose", (6, 5, 3, 3), {"group": 2}, None),
        ("Gemm", (6, 5), {}, 1),
        ("Gemm", (6, 5), {"transB": 1}, 0),
    ],
)
def test_the_output_channels_are_known(tmp_path, kind, shape, attributes, channels):
    node = helper.make_node(kind, ["x", "w"], ["y"], **attributes)
    columns = shape[1 if kind == "Conv" or attributes.get("transB") else 0]
    rank = len(shape)
    path = graphs.save(
        tmp_path / "c.onnx",
        [node],
        {"x": (FLOAT, [1, columns, 8, 8][:rank])},
        {"y": (FLOAT, list("abcd")[:rank])},
        [graphs.initializer("w", graphs.weights(*shape))],
    )
    assert by_name(path)["w"].channels == channels


def test_sizes_are_no_weights(tmp_path):
    pads = np.zeros((2, 2), np.int64)
    nodes = [helper.make_node("Add", ["x", "pads"], ["y"])]
    shape = (TensorProto.INT64, [2, 2])
    path = graphs.save(
        tmp_path / "i.onnx", nodes, {"x": shape}, {"y": shape}, [graphs.initializer("pads", pads)]
    )
    assert by_name(path) == {}


def linked(path, *, weights, data):
    """A MatMul that gets its data and weights from a DequantizeLinear, or not."""
    nodes, stored = [], [graphs.initializer("w", graphs.weights(4, 4))]
    stored += [
        graphs.initializer("s", np.float32(0.1)),
        graphs.initializer("z", np.int8(0)),
        graphs.initializer("q", np.ones((4, 4), np.int8)),
        graphs.initializer("shape", np.array([1, 4], np.int64)),
    ]
    if data:
        nodes += [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
            helper.make_node("Reshape", ["xd", "shape"], ["xr"]),
        ]
    if weights:
        nodes.append(helper.make_node("DequantizeLinear", ["q", "s", "z"], ["wd"]))
    ends = ["xr" if data else "x", "wd" if weights else "w"]
    nodes.append(helper.make_node("MatMul", ends, ["y"]))
    shape = (FLOAT, [1, 4])
    return graphs.save(path, nodes, {"x": shape}, {"y": shape}, stored)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("data", [True, False])
def test_an_operation_is_integer_where_both_its_inputs_are(tmp_path, weights, data):
    found = read_floating(linked(tmp_path / "l.onnx", weights=weights, data=data))
    assert found == ({} if weights and data else {"MatMul": 1})
