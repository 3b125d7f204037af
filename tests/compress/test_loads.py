import onnx
import pytest
from onnx import TensorProto, helper

from edgebench.compress.loads import check_loads
from edgebench.core import Format
from edgebench.errors import CompressionError
from tests.compress import graphs

pytestmark = pytest.mark.converter


def test_what_a_runtime_takes_passes(tmp_path, make, lenet):
    check_loads(graphs.dense(tmp_path / "d.onnx"), Format.ONNX)
    check_loads(make(lenet, Format.TFLITE).artifact.path, Format.TFLITE)
    check_loads(lenet.artifact.path, Format.KERAS)


def test_a_graph_that_contradicts_itself_is_refused(tmp_path):
    shapes = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [3]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [3]),
    ]
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])
    graph = helper.make_graph([node], "g", shapes[:1], shapes[1:])
    onnx.save(helper.make_model(graph), str(tmp_path / "bad.onnx"))
    with pytest.raises(CompressionError, match=r"bad\.onnx that was made cannot be loaded.*perm"):
        check_loads(tmp_path / "bad.onnx", Format.ONNX)


def test_a_broken_flatbuffer_is_refused(tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"\x1c\0\0\0TFL3" + b"\0" * 40)
    with pytest.raises(CompressionError, match=r"bad\.tflite that was made cannot be loaded"):
        check_loads(tmp_path / "bad.tflite", Format.TFLITE)
