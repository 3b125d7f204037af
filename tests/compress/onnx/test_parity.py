import numpy as np
import onnx
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.parity import check_parity
from edgebench.errors import CompressionError
from tests.compress.onnx.nets import Draft, normal

pytestmark = pytest.mark.converter


def dense(path, array, shape=(1, 4)):
    onnx.save(Draft().add("MatMul", array).model(shape), str(path))
    return path


def test_a_model_computes_what_it_computes(tmp_path):
    path = dense(tmp_path / "a.onnx", normal(0, 4, 3))
    told = check_parity(path, path, read_artifact(path).inputs, seed=0)
    assert told == {"parity_samples": 4, "parity_max_error": 0.0}


@pytest.mark.parametrize(
    "other", [normal(1, 4, 3), normal(0, 4, 3) * 1.1, normal(0, 4, 3) * np.float32(np.nan)]
)
def test_another_function_is_refused(tmp_path, other):
    source = dense(tmp_path / "a.onnx", normal(0, 4, 3))
    made = dense(tmp_path / "b.onnx", other)
    with pytest.raises(CompressionError, match="computes something else"):
        check_parity(source, made, read_artifact(source).inputs, seed=0)


def test_another_shape_of_the_output_is_refused(tmp_path):
    source = dense(tmp_path / "a.onnx", normal(0, 4, 3))
    made = dense(tmp_path / "b.onnx", normal(0, 4, 1))
    with pytest.raises(CompressionError, match="off by inf"):
        check_parity(source, made, read_artifact(source).inputs, seed=0)


def test_free_axes_are_given_a_size(tmp_path):
    path = dense(tmp_path / "a.onnx", normal(0, 4, 3), ("batch", "time", 4))
    told = check_parity(path, path, read_artifact(path).inputs, seed=0)
    assert told["parity_samples"] == 4


def test_what_does_not_run_on_generated_samples_is_not_compared(tmp_path):
    draft = Draft().add("Reshape", np.zeros(1)).add("MatMul", normal(0, 5, 3))
    draft.stored["reshape0.w"] = np.array([1, 5])
    path = tmp_path / "a.onnx"
    onnx.save(draft.model(["batch", 5]), str(path))
    free = dense(tmp_path / "b.onnx", normal(0, 4, 3), ("batch", 4))
    specs = read_artifact(free).inputs
    assert check_parity(path, free, specs, seed=0)["parity_samples"] == 0
