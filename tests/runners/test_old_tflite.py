"""tflite-runtime 2.14, which boards still have, and the error that it does not report."""

import numpy as np
import pytest

from edgebench.measure.agreement import agreement, is_wrong


@pytest.fixture
def old(outputs_of, old_python):
    """Outputs as the old runtime computes them."""

    def compute(model, inputs):
        return outputs_of(model, inputs, python=old_python, runtime="tflite-runtime")

    return compute


@pytest.fixture
def images(tflite):
    return {"image": np.load(tflite / "images.npz")["image"]}


@pytest.mark.parametrize("name", ["float", "static_int8", "int16x8", "dynamic_by_tensor"])
def test_what_it_computes_right_counts_as_right(tflite, images, old, outputs_of, name):
    model = tflite / f"{name}.tflite"
    reference = outputs_of(tflite / "float.tflite", images)
    there, here = old(model, images), outputs_of(model, images)
    verdict = is_wrong(
        agreement(there, here), agreement(there, reference), is_quantized=name != "float"
    )
    assert verdict == (False, "")


def test_dense_layers_by_channel_are_computed_wrongly_and_caught(tflite, images, old, outputs_of):
    model = tflite / "dynamic_by_channel.tflite"
    there, here = old(model, images), outputs_of(model, images)
    labels = np.load(tflite / "labels.npy")
    assert np.mean(here["output_0"].argmax(1) == labels) > 0.9
    assert np.mean(there["output_0"].argmax(1) == labels) < 0.5
    wrong, why = is_wrong(agreement(there, here), None, is_quantized=True)
    assert wrong
    assert "this device computes something else from the same file" in why


def test_free_axes_and_integers_work_there_too(tflite, old):
    a = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    _, total = old(tflite / "free_axes.tflite", {"a": a, "b": a, "k": np.array([2])}).values()
    np.testing.assert_array_equal(total, 2 * a)
    masked = {"u": np.ones((1, 2, 3), np.uint8), "m": np.ones((1, 3), bool), "i": np.ones((1, 2))}
    _, doubled, inverted = old(tflite / "integers.tflite", masked).values()
    np.testing.assert_array_equal(doubled, [[2, 2]])
    assert not inverted.any()


def test_the_answer_says_which_runtime_it_was(tflite, ask, old_python):
    model = tflite / "float.tflite"
    result, _ = ask(model, python=old_python, runtime="tflite-runtime", kind="latency")
    assert (result.runtime, result.runtime_version) == ("tflite-runtime", "2.14.0")
    assert str(result.environment["numpy"]).startswith("1.")


def test_a_truncated_file_that_crashes_the_runtime_is_seen(tflite, ask, old_python, tmp_path):
    from edgebench.errors import JobFailed

    half = tmp_path / "half.tflite"
    half.write_bytes((tflite / "float.tflite").read_bytes()[:30_000])
    with pytest.raises(JobFailed) as failure:
        ask(half, python=old_python, runtime="tflite-runtime")
    assert failure.value.reason in {"killed", "runtime_error"}
