import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.compress.tflite.stored import tflite_weights
from tests.compress.flatbuffers import dense, operation, save, tensor

pytestmark = pytest.mark.converter


def only(path):
    found = list(tflite_weights(path))
    assert len(found) == 1
    return found[0]


def table(rows=3, columns=4, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def test_float_weights_are_read_as_they_are(tmp_path):
    weights = table()
    found = only(dense(tmp_path / "m.tflite", weights))
    assert np.array_equal(found.values, weights)
    assert (found.name, found.axis, found.channels, found.zeros) == ("w", None, 0, 0)


def test_the_zero_points_of_channels_lie_along_the_axis(tmp_path):
    stored = np.array([[1, 1, 2], [3, 2, 2]], np.int8)
    path = dense(
        tmp_path / "m.tflite",
        stored,
        kind="INT8",
        scale=[0.5, 0.25],
        zeroPoint=[1, 2],
        quantizedDimension=0,
    )
    found = only(path)
    assert found.axis == 0
    assert found.zeros == 4


def test_half_bytes_are_unpacked(tmp_path):
    packed = np.array([0x21, 0xF0, 0x03], np.uint8)
    found = only(
        dense(tmp_path / "m.tflite", packed, kind="INT4", shape=(2, 3), scale=[1.0], zeroPoint=[0])
    )
    assert found.values.tolist() == [[1, 2, 0], [-1, 3, 0]]
    assert found.zeros == 2


def test_weights_behind_a_dequantize_know_their_channels(tmp_path):
    weights = table().astype(np.float16)
    path = save(
        tmp_path / "m.tflite",
        [
            tensor("x", (1, 4)),
            tensor("half", (3, 4), "FLOAT16", data=weights),
            tensor("w", (3, 4)),
            tensor("y", (1, 3)),
        ],
        [
            operation("DEQUANTIZE", ["half"], ["w"]),
            operation("FULLY_CONNECTED", ["x", "w"], ["y"]),
        ],
        ["x"],
        ["y"],
    )
    found = only(path)
    assert (found.name, found.channels) == ("half", 0)
    assert np.array_equal(found.values, weights)


def test_a_buffer_behind_the_flatbuffer_is_read(tmp_path):
    weights = table()
    path = dense(tmp_path / "m.tflite", weights)
    model = flatbuffer_utils.read_model(str(path))
    index = next(t.buffer for t in model.subgraphs[0].tensors if t.name == b"w")
    # The offset stands in the flatbuffer itself, whose length does not depend on its value.
    buffer = model.buffers[index]
    buffer.data, buffer.offset, buffer.size = None, 2, weights.nbytes
    buffer.offset = len(flatbuffer_utils.convert_object_to_bytearray(model))
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    assert len(content) == buffer.offset
    path.write_bytes(content + weights.tobytes())
    read = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    assert read.buffers[index].data is None
    assert np.array_equal(only(path).values, weights)


def test_tensors_that_share_a_buffer_are_one_weight(tmp_path):
    weights = table(4, 4)
    path = save(
        tmp_path / "m.tflite",
        [
            tensor("x", (1, 4)),
            tensor("a", (4, 4), data=weights),
            tensor("b", (4, 4), data=weights),
            tensor("h", (1, 4)),
            tensor("y", (1, 4)),
        ],
        [
            operation("FULLY_CONNECTED", ["x", "a"], ["h"]),
            operation("FULLY_CONNECTED", ["h", "b"], ["y"]),
        ],
        ["x"],
        ["y"],
    )
    assert only(path).values.shape == (4, 4)


def test_sizes_and_vectors_are_no_weights(tmp_path):
    path = save(
        tmp_path / "m.tflite",
        [
            tensor("x", (1, 4)),
            tensor("w", (3, 4), data=table()),
            tensor("b", (3,), data=np.ones(3, np.float32)),
            tensor("pads", (2, 2), "INT32", data=np.zeros((2, 2), np.int32)),
            tensor("y", (1, 3)),
        ],
        [operation("FULLY_CONNECTED", ["x", "w", "b"], ["y"])],
        ["x"],
        ["y"],
    )
    assert only(path).name == "w"
