import numpy as np
import pytest
from onnx import helper

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.witness import ask, compare, find_orders
from edgebench.compress.tflite.rewired import rewire
from edgebench.errors import CompressionError
from tests.compress import graphs
from tests.compress.flatbuffers import dense, operation, save, tensor

pytestmark = pytest.mark.converter

WEIGHTS = graphs.weights(4, 6)


def witness(path, weights=WEIGHTS):
    """Of one layer whose weights are `(out, in)`."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    rows, columns = weights.shape
    graphs.save(
        path,
        [node],
        {"x": (graphs.FLOAT, [1, columns])},
        {"y": (graphs.FLOAT, [1, rows])},
        [graphs.initializer("w", weights)],
    )
    return ask(path, read_artifact(path).inputs, seed=0)


def test_the_same_layer_agrees(tmp_path):
    said = witness(tmp_path / "m.onnx")
    path = dense(tmp_path / "m.tflite", WEIGHTS)
    assert find_orders(said, path) == [None]
    path.write_bytes(rewire(path.read_bytes(), inputs=["x"], outputs=["y"], orders=[None]))
    assert compare(said, path)["parity_samples"] == 4


def test_another_layer_does_not(tmp_path):
    said = witness(tmp_path / "m.onnx")
    path = dense(tmp_path / "m.tflite", WEIGHTS + 1)
    with pytest.raises(CompressionError, match="the output 'y' is off by"):
        find_orders(said, path)
    path.write_bytes(rewire(path.read_bytes(), inputs=["x"], outputs=["y"], orders=[None]))
    with pytest.raises(CompressionError, match=r"The converted m\.tflite is wrong"):
        compare(said, path)


def test_inputs_of_another_shape_are_refused(tmp_path):
    said = witness(tmp_path / "m.onnx")
    path = dense(tmp_path / "m.tflite", graphs.weights(4, 5))
    with pytest.raises(CompressionError, match=r"inputs of \[\(1, 5\)\], the model takes"):
        find_orders(said, path)


def test_channels_that_were_moved_last_are_found(tmp_path):
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    shape = (graphs.FLOAT, [1, 3, 3, 3])
    path = graphs.save(tmp_path / "m.onnx", identity, {"x": shape}, {"y": shape})
    said = ask(path, read_artifact(path).inputs, seed=0)
    moved = save(
        tmp_path / "m.tflite",
        [
            tensor("x", (1, 3, 3, 3)),
            tensor("p", (4,), "INT32", data=np.array([0, 2, 3, 1], np.int32)),
            tensor("y", (1, 3, 3, 3)),
        ],
        [operation("TRANSPOSE", ["x", "p"], ["y"])],
        ["x"],
        ["y"],
    )
    orders = find_orders(said, moved)
    assert orders == [(0, 3, 1, 2)]
    moved.write_bytes(rewire(moved.read_bytes(), inputs=["x"], outputs=["y"], orders=orders))
    assert compare(said, moved)["parity_max_error"] == 0
