"""What the runner feeds: stored values, generated values, shapes."""

import inputs as fed  # type: ignore[import-not-found]  # a module of the runner
import numpy as np
import pytest
from failure import Failed  # type: ignore[import-not-found]  # a module of the runner


def spec(dtype, *, axes=(2,), quantization=None, name="x"):
    return {"name": name, "axes": list(axes), "dtype": dtype, "quantization": quantization}


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (np.array([0.5, 1.5]), "float32", np.array([0.5, 1.5], np.float32)),
        (np.array([0.5, 1.5]), "float16", np.array([0.5, 1.5], np.float16)),
        (np.array([3, 200], np.uint8), "float32", np.array([3.0, 200.0], np.float32)),
        (np.array([3, 4], np.int64), "int32", np.array([3, 4], np.int32)),
        (np.array([3.0, 4.0]), "int64", np.array([3, 4])),
        (np.array([0, 1], np.uint8), "bool", np.array([False, True])),
    ],
)
def test_values_that_fit_are_stored_in_the_type_of_the_input(values, dtype, expected):
    stored = fed.store(values, spec(dtype))
    assert stored.dtype == expected.dtype
    np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0.5, 1.0]), "int32"),
        (np.array([300, 1]), "uint8"),
        (np.array([-1, 1]), "uint8"),
        (np.array([2**40, 1]), "int32"),
        (np.array([2, 1]), "bool"),
        (np.array([np.nan, 1.0]), "int32"),
        (np.array(["1", "2"]), "float32"),
    ],
)
def test_values_that_would_change_are_refused(values, dtype):
    with pytest.raises(Failed) as failure:
        fed.store(values, spec(dtype))
    assert failure.value.reason == "unsupported_input"


def test_reals_pass_through_the_scale_and_stop_at_its_ends():
    eight = spec("int8", axes=(4,), quantization={"scale": 0.5, "zero_point": 10})
    stored = fed.store(np.array([0.0, 1.0, 1e9, -1e9]), eight)
    np.testing.assert_array_equal(stored, np.array([10, 12, 127, -128], np.int8))


def test_stored_values_of_a_quantized_input_are_fed_as_they_are():
    eight = spec("int8", quantization={"scale": 0.5, "zero_point": 10})
    np.testing.assert_array_equal(fed.store(np.array([-5, 7], np.int8), eight), [-5, 7])


@pytest.mark.parametrize(
    ("one", "low", "high"),
    [
        (spec("float32"), 0.0, 1.0),
        (spec("int64"), 0, 1),
        (spec("uint8"), 0, 255),
        (spec("int8"), -128, 127),
        (spec("bool"), 0, 1),
        (spec("int8", quantization={"scale": 0.5, "zero_point": -128}), 0.0, 127.5),
    ],
)
def test_every_input_has_a_range_of_its_own(one, low, high):
    assert fed.own_range(one) == (low, high)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int32", "int64", "bool"])
def test_generated_values_fill_the_declared_range_and_no_more(dtype):
    one = spec(dtype, axes=(2000,))
    ranges = {"x": (0, 1)}
    made, record = fed.generate([one], {"x": (2000,)}, ranges, 1, 1)
    assert made["x"].dtype == dtype
    assert made["x"].min() < 0.1
    assert made["x"].max() > 0.9
    assert made["x"].min() >= 0
    assert made["x"].max() <= 1
    assert record["x"] == {"shape": [2000], "low": 0, "high": 1}


def test_the_seed_makes_the_values_and_an_input_more_does_not_change_them():
    one, other = spec("float32"), spec("float32", name="y")
    shapes = {"x": (2,), "y": (2,)}
    alone, _ = fed.generate([one], shapes, {}, 1, 1)
    both, _ = fed.generate([one, other], shapes, {}, 1, 1)
    again, _ = fed.generate([one], shapes, {}, 2, 1)
    np.testing.assert_array_equal(alone["x"], both["x"])
    assert not np.array_equal(alone["x"], again["x"])
    assert not np.array_equal(both["x"], both["y"])


def test_of_large_inputs_fewer_samples_are_made():
    one = spec("float32", axes=(1000, 1000))
    made, record = fed.generate([one], {"x": (1000, 1000)}, {}, 1, 32)
    assert made["x"].shape == (2, 1000, 1000)
    assert record["x"]["shape"] == [1000, 1000]


def test_shapes_come_from_what_is_given_then_from_symbols_then_are_one():
    specs = [
        spec("float32", axes=("n", 3), name="a"),
        spec("float32", axes=("n", "m", None), name="b"),
        spec("float32", axes=(), name="c"),
    ]
    found = fed.resolve(specs, {"a": (4, 3)})
    assert found == {"a": (4, 3), "b": (4, 1, 1), "c": ()}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"z": (1,)}, "'z', which is no input"),
        ({"x": (3,)}, "takes"),
        ({"x": (2, 1)}, "takes"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(given, words):
    with pytest.raises(Failed, match=words):
        fed.resolve([spec("float32")], given)


@pytest.mark.parametrize("name", ["file", "a/b:0", "x.y", "self"])
def test_any_name_of_a_tensor_can_be_written(name, tmp_path):
    fed.write_arrays(tmp_path / "a.npz", {name: np.arange(3)})
    np.testing.assert_array_equal(fed.read_samples(tmp_path / "a.npz")[name], np.arange(3))


def test_a_file_of_pickles_is_not_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(Failed, match="cannot be read"):
        fed.read_samples(tmp_path / "a.npz")
