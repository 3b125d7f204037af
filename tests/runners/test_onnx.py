"""ONNX files through the runner, in a process of its own, as on a board."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgebench.errors import JobFailed

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def identity(onnx_model, element, shape):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return onnx_model(nodes, {"x": (element, shape)}, {"y": (element, shape)})


def add(onnx_model, shape):
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    return onnx_model(nodes, {"a": (FLOAT, shape), "b": (FLOAT, shape)}, {"y": (FLOAT, None)})


@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.INT8, "int8"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.INT32, "int32"),
        (TensorProto.INT64, "int64"),
        (TensorProto.BOOL, "bool"),
    ],
)
@pytest.mark.parametrize("shape", [[], [2, 3]], ids=["rank0", "rank2"])
def test_every_type_of_number_goes_through(onnx_model, ask, element, dtype, shape):
    result, folder = ask(identity(onnx_model, element, shape), save_inputs="in.npz")
    assert result.inputs[0].dtype == dtype
    with np.load(folder / "in.npz") as fed, np.load(folder / "outputs.npz") as found:
        assert fed["x"].dtype == found["y"].dtype == dtype
        np.testing.assert_array_equal(found["y"], fed["x"])


def test_a_sample_gets_the_batch_axis_that_the_model_has_and_loses_it_again(onnx_model, outputs_of):
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = outputs_of(identity(onnx_model, FLOAT, ["batch", 3]), {"x": x})
    np.testing.assert_array_equal(found["y"], x)


def test_a_sample_that_has_its_batch_axis_keeps_it(onnx_model, outputs_of):
    x = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    found = outputs_of(identity(onnx_model, FLOAT, ["batch", 3]), {"x": x})
    np.testing.assert_array_equal(found["y"], x)


def test_two_inputs_that_share_a_symbol_get_one_size(onnx_model, ask):
    result, _ = ask(add(onnx_model, ["n", 2]), shapes={"b": (5, 2)})
    made = result.inputs_made["inputs"]
    assert made["a"]["shape"] == made["b"]["shape"] == [5, 2]


def test_two_sizes_of_one_symbol_are_refused(onnx_model, ask):
    with pytest.raises(JobFailed, match="Axis 'n' is given as 5 and as 6"):
        ask(add(onnx_model, ["n", 2]), shapes={"a": (5, 2), "b": (6, 2)})


def test_an_axis_that_nobody_gave_is_one(onnx_model, ask):
    result, _ = ask(identity(onnx_model, FLOAT, ["batch", 3, "width"]))
    assert result.inputs_made["inputs"]["x"]["shape"] == [1, 3, 1]


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"z": np.zeros((2, 3)), "a": np.zeros((2, 3))}, "No samples for input 'b'"),
        ({"a": np.zeros((2, 3)), "b": np.zeros((1, 3))}, "differ in samples"),
        ({"a": np.zeros((0, 3)), "b": np.zeros((0, 3))}, "or have none"),
        ({"a": np.zeros((2, 4)), "b": np.zeros((2, 3))}, r"not a sample of shape \(1, 4\)"),
        ({"a": np.full((2, 3), "p"), "b": np.zeros((2, 3))}, "cannot be fed"),
    ],
    ids=["missing", "uneven", "none", "shape", "text"],
)
def test_samples_that_do_not_fit_are_refused(onnx_model, outputs_of, samples, words):
    with pytest.raises(JobFailed, match=words) as failure:
        outputs_of(add(onnx_model, [1, 3]), samples)
    assert failure.value.reason == "unsupported_input"


def test_outputs_that_differ_in_shape_from_sample_to_sample_fail(onnx_model, outputs_of):
    nodes = [helper.make_node("NonZero", ["x"], ["y"])]
    model = onnx_model(nodes, {"x": (FLOAT, [3])}, {"y": (INT64, [1, None])})
    with pytest.raises(JobFailed, match="Output 'y' differs in shape"):
        outputs_of(model, {"x": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])})


def test_outputs_that_are_not_finite_stay_so(onnx_model, outputs_of):
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    model = onnx_model(nodes, {"x": (FLOAT, [1, 3])}, {"y": (FLOAT, [1, 3])})
    found = outputs_of(model, {"x": np.array([[-1.0, 0.0, 1.0]])})
    np.testing.assert_array_equal(found["y"], [[np.nan, -np.inf, 0.0]])


@pytest.mark.parametrize("kind", ["latency", "memory", "outputs"])
def test_a_list_of_maps_as_output_is_left_out(ask, kind):
    import onnxruntime

    model = Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx"
    result, folder = ask(model, kind=kind)
    assert [spec.dtype for spec in result.outputs] == ["int64", "seq(map(int64,tensor(float)))"]
    if kind == "outputs":
        with np.load(folder / "outputs.npz") as archive:
            assert archive.files == ["label"]


def test_a_model_without_inputs_computes_its_constant(onnx_model, ask):
    value = helper.make_tensor("c", FLOAT, [2], [1.0, 2.0])
    model = onnx_model(
        [helper.make_node("Constant", [], ["y"], value=value)], {}, {"y": (FLOAT, [2])}
    )
    _, folder = ask(model)
    with np.load(folder / "outputs.npz") as archive:
        np.testing.assert_array_equal(archive["y"], [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"x": (TensorProto.STRING, [1])}, "Input 'x' is a string"),
        ({"x": (TensorProto.BFLOAT16, [1])}, r"Input 'x' is a tensor\(bfloat16\)"),
    ],
)
@pytest.mark.parametrize("kind", ["latency", "memory", "outputs"])
def test_inputs_that_are_no_numbers_are_refused(onnx_model, ask, inputs, words, kind):
    model = onnx_model([helper.make_node("Identity", ["x"], ["y"])], inputs, {"y": inputs["x"]})
    with pytest.raises(JobFailed, match=words) as failure:
        ask(model, kind=kind)
    assert failure.value.reason == "unsupported_input"


@pytest.mark.parametrize("content", [b"", b"this is text\n" * 40], ids=["empty", "text"])
def test_a_broken_file_fails_in_the_words_of_the_runtime(ask, tmp_path, content):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(JobFailed, match="ONNXRuntimeError") as failure:
        ask(broken)
    assert failure.value.reason == "runtime_error"


def test_an_accelerator_that_is_not_there_is_no_silent_fallback(onnx_model, ask):
    with pytest.raises(JobFailed, match="no accelerator 'gpu'") as failure:
        ask(identity(onnx_model, FLOAT, [1]), accelerator="gpu")
    assert failure.value.reason == "no_runtime"
