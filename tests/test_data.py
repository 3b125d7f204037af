import numpy as np
import pytest

from edgebench.core import Quantization, TensorSpec
from edgebench.data import (
    Dataset,
    accuracy,
    dataset_from_arrays,
    inputs_for,
    load_dataset,
    load_metric,
)
from edgebench.errors import ConfigError


def arrays(**more):
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    return {"x_train": x, "y_train": np.arange(20), "x_test": x[:4], "y_test": np.arange(4), **more}


def test_the_shipped_images_are_scaled_and_balanced(tmp_path):
    dataset = load_dataset("zoo:fashion-mnist", base=tmp_path)
    assert dataset.test.x[""].shape == (2000, 28, 28, 1)
    assert dataset.test.x[""].dtype == np.float32
    assert (dataset.test.x[""].min(), dataset.test.x[""].max()) == (0.0, 1.0)
    assert np.bincount(np.asarray(dataset.test.y)).tolist() == [200] * 10
    assert (dataset.train.samples, dataset.validation.samples) == (9000, 1000)
    assert len(dataset.calibration[""]) == 256


def test_a_missing_validation_set_is_cut_from_training_and_said():
    dataset = dataset_from_arrays(arrays(), name="here")
    assert dataset.notes[0] == "validation: 2 of 20 training samples, seed 0"
    train, validation = np.asarray(dataset.train.y), np.asarray(dataset.validation.y)
    assert sorted([*train, *validation]) == list(range(20))
    assert (dataset.train.x[""][:, 0] == 2 * train).all()


def test_the_same_arrays_are_cut_the_same_way():
    first, second = (dataset_from_arrays(arrays(), name="here") for _ in range(2))
    assert np.array_equal(np.asarray(first.validation.y), np.asarray(second.validation.y))
    assert first.digest == second.digest


def test_one_other_value_is_another_data_set():
    changed = arrays()
    changed["x_test"] = changed["x_test"] + 1
    first, second = dataset_from_arrays(arrays(), name="a"), dataset_from_arrays(changed, name="a")
    assert first.digest != second.digest


def test_given_validation_and_calibration_samples_are_left_alone():
    given = arrays(x_validation=np.ones((3, 2)), x_calibration=np.arange(6.0).reshape(3, 2))
    dataset = dataset_from_arrays(given, name="here")
    assert dataset.notes == ()
    assert dataset.train.samples == 20
    assert (dataset.validation.samples, dataset.validation.y) == (3, None)
    assert dataset.calibration[""].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_model_with_several_inputs_has_an_array_for_each():
    given = {f"x_{split}/{name}": np.ones((20, 3)) for split in ("train", "test") for name in "ab"}
    dataset = dataset_from_arrays(given, name="here")
    assert sorted(dataset.train.x) == ["a", "b"]
    assert sorted(dataset.calibration) == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_test": None}, "no array 'x_test'"),
        ({"x_tset": np.ones((4, 2))}, "unknown array 'x_tset'"),
        ({"y_train/a": np.ones(20)}, "unknown array 'y_train/a'"),
        ({"y_train": np.arange(7)}, "x_train: 20, y_train: 7"),
        ({"x_test": np.empty((0, 2)), "y_test": np.empty(0)}, "or have none"),
        ({"x_test": np.float32(1)}, "differ in their number of samples"),
        ({"x_train": np.ones((4, 2)), "y_train": np.ones(4)}, "none to validate on"),
    ],
)
def test_what_is_wrong_with_the_arrays_is_said(changes, words):
    given = {key: value for key, value in arrays(**changes).items() if value is not None}
    with pytest.raises(ConfigError, match=words):
        dataset_from_arrays(given, name="here")


def test_an_array_that_is_misspelt_has_its_nearest_name_in_the_hint():
    with pytest.raises(ConfigError) as caught:
        dataset_from_arrays(arrays(x_validaton=np.ones((2, 2))), name="here")
    assert caught.value.hint == "Did you mean 'x_validation'?"


def test_an_npz_is_read_relative_to_the_plan(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    assert load_dataset("mine.npz", base=tmp_path).test.samples == 4


@pytest.mark.parametrize("content", [b"no archive", b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot be read as \.npz"):
        load_dataset("mine.npz", base=tmp_path)


def test_a_single_array_is_no_data_source(tmp_path):
    with (tmp_path / "mine.npz").open("wb") as stream:
        np.save(stream, np.ones(3))
    with pytest.raises(ConfigError, match=r"cannot be read as \.npz"):
        load_dataset("mine.npz", base=tmp_path)


def test_an_npz_of_objects_is_refused_and_not_executed(tmp_path):
    np.savez(tmp_path / "mine.npz", x_train=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match=r"cannot be read as \.npz"):
        load_dataset("mine.npz", base=tmp_path)


CODE = """
import numpy as np
import beside
from edgebench.data import dataset_from_arrays

def arrays():
    x = np.ones((beside.SAMPLES, 2))
    return {"x_train": x, "x_test": x}

def dataset():
    return dataset_from_arrays(arrays(), name="mine")

def wrong():
    return 3

def error(outputs, y):
    return np.abs(outputs["y"][:, 0] - y)

error.kind = "error"

def share(outputs, y):
    return outputs["y"][:, 0] == y

def odd(outputs, y):
    return 1.0

odd.kind = "percent"
NUMBER = 5
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "beside.py").write_text("SAMPLES = 12\n")
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


@pytest.mark.parametrize("name", ["arrays", "dataset"])
def test_a_users_function_gives_arrays_or_a_dataset(code, name):
    dataset = load_dataset(f"mine.py:{name}", base=code)
    assert isinstance(dataset, Dataset)
    assert dataset.test.samples == 12


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("mine.py:wrong", "returned a int"),
        ("mine.py:missing", "has no function 'missing'"),
        ("mine.py:NUMBER", "has no function 'NUMBER'"),
        ("other.py:load", "is no Python file"),
        ("mine", "is no Python file"),
        ("zoo:imagenet", "no data 'imagenet'"),
        ("gone.npz", "no data file"),
    ],
)
def test_a_source_that_is_none_is_refused(code, source, words):
    with pytest.raises(ConfigError, match=words):
        load_dataset(source, base=code)


SCORES = np.array([[0.1, 0.9, 0.0, 0, 0, 0], [0.5, 0.2, 0.3, 0, 0, 0], [0.2, 0.2, 0.2, 1, 1, 1]])


@pytest.mark.parametrize(
    ("name", "y", "expected"),
    [
        ("top1", [1, 0, 0], [1, 1, 0]),
        ("top1", [[0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]], [1, 0, 1]),
        ("top5", [5, 4, 2], [0, 1, 0]),
        ("mae", np.zeros((3, 6)), [1 / 6, 1 / 6, 3.6 / 6]),
    ],
)
def test_a_metric_gives_one_number_a_sample(tmp_path, name, y, expected):
    score = load_metric(name, base=tmp_path).score({"y": SCORES}, np.asarray(y))
    assert score == pytest.approx(expected)


def test_an_output_that_is_no_number_is_a_miss(tmp_path):
    scores = np.array([[np.nan, 1.0], [0.0, 1.0]])
    found = accuracy(load_metric("top1", base=tmp_path), {"y": scores}, np.array([0, 1]), on="host")
    assert found.value == 0.5


@pytest.mark.parametrize(
    ("name", "outputs", "y", "words"),
    [
        ("top1", {"a": SCORES, "b": SCORES}, np.zeros(3), "which of them"),
        ("top1", {"a": SCORES}, np.zeros(2), "3 outputs for 2 labels"),
        ("top1", {"a": SCORES[:, :1]}, np.zeros(3), "no classes"),
        ("mae", {"a": SCORES}, np.zeros(3), "cannot be subtracted"),
    ],
)
def test_outputs_that_a_metric_cannot_judge_are_refused(tmp_path, name, outputs, y, words):
    with pytest.raises(ConfigError, match=words):
        accuracy(load_metric(name, base=tmp_path), outputs, y, on="host")


def test_a_share_has_wilsons_interval(tmp_path):
    scores = np.eye(2)[[0] * 90 + [1] * 10]
    found = accuracy(
        load_metric("top1", base=tmp_path), {"y": scores}, np.zeros(100, int), on="device"
    )
    assert (found.value, found.samples, found.on) == (0.9, 100, "device")
    # https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval, n = 100, p = 0.9
    assert found.ci95 == pytest.approx((0.8256, 0.9448), abs=1e-4)


def test_an_error_has_students_interval(tmp_path):
    values = np.array([[1.0], [2.0], [3.0], [4.0]])
    found = accuracy(load_metric("mae", base=tmp_path), {"y": values}, np.zeros((4, 1)), on="host")
    half = 3.1824 * np.std([1, 2, 3, 4], ddof=1) / 2
    assert found.value == 2.5
    assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half), abs=0.01)


def test_one_sample_of_an_error_has_no_interval(tmp_path):
    metric = load_metric("mae", base=tmp_path)
    with pytest.raises(ConfigError, match="no interval"):
        accuracy(metric, {"y": np.ones((1, 1))}, np.ones((1, 1)), on="host")


@pytest.mark.parametrize(("name", "kind"), [("error", "error"), ("share", "share")])
def test_a_users_metric_says_whether_it_should_grow(code, name, kind):
    metric = load_metric(f"mine.py:{name}", base=code)
    assert (metric.kind, len(metric.digest)) == (kind, 64)
    found = accuracy(metric, {"y": np.array([[1.0], [3.0]])}, np.array([1, 1]), on="host")
    assert found.value == {"error": 1.0, "share": 0.5}[name]


@pytest.mark.parametrize(
    ("name", "words"), [("accuracy", "no metric 'accuracy'"), ("mine.py:odd", "kind 'percent'")]
)
def test_a_metric_that_is_none_is_refused(code, name, words):
    with pytest.raises(ConfigError, match=words):
        load_metric(name, base=code)


def spec(name="image", shape=(1, 2), dtype="float32", quantization=None):
    return TensorSpec(name=name, shape=shape, dtype=dtype, quantization=quantization)


@pytest.mark.parametrize("shape", [(1, 2), (None, 2), (None, None), None, (2,)])
def test_samples_of_a_one_input_model_take_its_name(shape):
    found = inputs_for({"": np.ones((5, 2))}, (spec(shape=shape),))
    assert found["image"].shape == (5, 2)
    assert found["image"].dtype == np.float32


def test_samples_may_bring_the_batch_axis_themselves():
    assert inputs_for({"": np.ones((5, 1, 2))}, (spec(),))["image"].shape == (5, 1, 2)


def test_floats_for_a_quantized_input_stay_floats():
    quantized = spec(dtype="int8", quantization=Quantization(scale=0.1, zero_point=0))
    assert inputs_for({"": np.full((5, 2), 0.3)}, (quantized,))["image"].dtype == np.float64


def test_whole_numbers_take_the_inputs_width():
    found = inputs_for({"": np.ones((5, 2), np.int64)}, (spec(dtype="int32"),))
    assert found["image"].dtype == np.int32


@pytest.mark.parametrize(
    ("x", "specs", "words"),
    [
        ({"": np.ones((5, 3))}, (spec(),), r"shape \(3,\).*'image' takes \(1, 2\)"),
        ({"": np.ones((5, 4, 2))}, (spec(),), r"shape \(4, 2\)"),
        ({"": np.ones((5, 2))}, (spec(), spec("b")), r"wants \['b', 'image'\]"),
        ({"a": np.ones((5, 2))}, (spec(),), "inputs 'a'"),
        ({"": np.ones((5, 2))}, (spec(dtype="int32"),), "data is float64.*takes int32"),
        ({"": np.full((5, 2), 300)}, (spec(dtype="int8"),), "data is int64.*takes int8"),
    ],
)
def test_samples_that_do_not_fit_are_refused(x, specs, words):
    with pytest.raises(ConfigError, match=words):
        inputs_for(x, specs)
