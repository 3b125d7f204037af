"""TFLite files through the runner, in a process of its own, as on a board."""

import numpy as np
import pytest

from edgebench.errors import JobFailed


def test_images_are_classified_as_they_were_learned(tflite, outputs_of):
    images = np.load(tflite / "images.npz")["image"]
    found = outputs_of(tflite / "float.tflite", {"image": images})
    assert list(found) == ["output_0"]
    assert found["output_0"].shape == (100, 10)
    assert np.mean(found["output_0"].argmax(1) == np.load(tflite / "labels.npy")) > 0.9


def test_an_int8_model_takes_and_gives_reals(tflite, outputs_of):
    images = np.load(tflite / "images.npz")["image"]
    reals = outputs_of(tflite / "float.tflite", {"image": images})["output_0"]
    found = outputs_of(tflite / "static_int8.tflite", {"image": images})["output_0"]
    assert found.dtype == np.float32
    assert np.abs(found - reals).mean() < 0.02


def test_samples_may_be_named_as_the_tensor_or_by_nothing(tflite, outputs_of):
    images = np.load(tflite / "images.npz")["image"][:3]
    by_signature = outputs_of(tflite / "float.tflite", {"image": images})["output_0"]
    by_tensor = outputs_of(tflite / "float.tflite", {"serving_default_image:0": images})
    by_nothing = outputs_of(tflite / "float.tflite", {"": images})
    np.testing.assert_array_equal(by_tensor["output_0"], by_signature)
    np.testing.assert_array_equal(by_nothing["output_0"], by_signature)


def test_free_axes_take_the_shape_of_the_samples(tflite, outputs_of):
    a = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    found = outputs_of(tflite / "free_axes.tflite", {"a": a, "b": 10 * a, "k": np.array([2, 3])})
    scaled, total = found.values()
    np.testing.assert_array_equal(total, 11 * a)
    np.testing.assert_array_equal(scaled, a * np.array([2, 3])[:, None, None])


def test_free_axes_are_resized_before_anything_is_allocated(tflite, ask):
    shapes = {"a": (2, 3), "b": (2, 3)}
    result, _ = ask(tflite / "free_axes.tflite", kind="latency", shapes=shapes)
    assert result.inputs_made["inputs"]["a"]["shape"] == [2, 3]
    assert {spec.name: spec.shape for spec in result.inputs}["a"] == (None, None)


def test_integers_and_booleans_go_in_and_out(tflite, outputs_of):
    u = np.array([[[1, 2, 255], [4, 5, 6]]], dtype=np.uint8)
    m, i = np.array([[True, False, True]]), np.array([[7, -8]], dtype=np.int32)
    found = outputs_of(tflite / "integers.tflite", {"u": u, "m": m, "i": i})
    p, q, r = found.values()
    np.testing.assert_array_equal(p, u.astype(int) + m[:, None])
    np.testing.assert_array_equal(q, 2 * i)
    np.testing.assert_array_equal(r, ~m)


def test_ids_are_generated_within_the_declared_range(tflite, ask):
    _, folder = ask(tflite / "embedding.tflite", ranges={"ids": (5, 9)}, save_inputs="in.npz")
    with np.load(folder / "in.npz") as archive:
        ids = archive["ids"]
    assert ids.dtype == np.int32
    assert 5 <= ids.min() < ids.max() <= 9


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("custom", "runtime_error", "unresolved custom op: Erf"),
        ("text", "unsupported_input", "Input 's' is a string"),
    ],
)
def test_what_cannot_run_fails_in_words(tflite, ask, name, reason, words):
    with pytest.raises(JobFailed, match=words) as failure:
        ask(tflite / f"{name}.tflite")
    assert failure.value.reason == reason


@pytest.mark.parametrize("kind", ["latency", "memory", "outputs"])
@pytest.mark.parametrize("content", [b"", b"this is text\n" * 40, None], ids=["", "text", "half"])
def test_a_broken_file_fails_in_every_pass(tflite, ask, tmp_path, kind, content):
    broken = tmp_path / "broken.tflite"
    whole = (tflite / "float.tflite").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(JobFailed) as failure:
        ask(broken, kind=kind)
    assert failure.value.reason == "runtime_error"
