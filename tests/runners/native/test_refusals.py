"""What the native runner does not do, and what fails, is said in its result."""

import numpy as np
import pytest

from edgebench.errors import JobFailed
from edgebench.measure.watch import Source
from edgebench.measure.watched import source_document
from edgebench.runner import WatchSpec

STREAM = source_document(Source(name="power", argv=("tegrastats",), period_s=1, is_stream=True))


@pytest.mark.parametrize(
    ("options", "reason", "words"),
    [
        ({"kind": "profile"}, "no_runtime", "no pass 'profile', only latency, memory"),
        ({"accelerator": "delegate:/usr/lib/libx.so"}, "no_runtime", "only cpu, xnnpack and none"),
        ({"accelerator": "none", "threads": 2}, "no_runtime", "on one thread, not on 2"),
        ({"runtime": "tflite-runtime"}, "no_runtime", "no runtime 'tflite-runtime'"),
        ({"watch": WatchSpec(sources=(STREAM,))}, "no_runtime", "'power' speaks by itself"),
        ({"shapes": {"nobody": (1,)}}, "unsupported_input", "'nobody', which is no input"),
        ({"shapes": {"image": (2, 20, 20, 1)}}, "unsupported_input", r"takes \[1, 20, 20, 1\]"),
        ({"ranges": {"image": (2.0, 1.0)}}, "unsupported_input", "cannot be drawn from 2 to 1"),
        ({"inputs": "/nowhere.npz"}, "unsupported_input", "there is no file: /nowhere.npz"),
        ({"cpus": (4000,)}, "runtime_error", "no core 4000"),
        ({"seed": -1}, "runtime_error", "seed is -1"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused(tflite, ask_native, options, reason, words):
    asked = {"kind": "latency", **options}
    with pytest.raises(JobFailed, match=words) as failure:
        ask_native(tflite / "float.tflite", **asked)
    assert failure.value.reason == reason


def test_an_accelerator_of_onnxruntime_is_refused(onnx_model, ask_native):
    from onnx import TensorProto, helper

    kind = (TensorProto.FLOAT, [1])
    model = onnx_model([helper.make_node("Abs", ["x"], ["y"])], {"x": kind}, {"y": kind})
    with pytest.raises(JobFailed, match="no accelerator 'cuda' for onnxruntime"):
        ask_native(model, accelerator="cuda")


def test_a_library_that_is_not_known_is_not_called(tflite, tmp_path, ask_native):
    stranger = tmp_path / "libLiteRt.so"
    stranger.write_bytes(b"\x7fELF of another day")
    with pytest.raises(JobFailed, match="no library whose functions are known") as failure:
        ask_native(tflite / "float.tflite", library=stranger)
    assert failure.value.reason == "no_runtime"


def test_a_library_that_is_not_there_is_no_runtime(tflite, tmp_path, ask_native):
    with pytest.raises(JobFailed, match="cannot be loaded") as failure:
        ask_native(tflite / "float.tflite", library=tmp_path / "libgone.so")
    assert failure.value.reason == "no_runtime"


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("custom", "runtime_error", "gave status"),
        ("text", "unsupported_input", "Input 's' is a string"),
    ],
)
def test_what_cannot_run_fails_in_words(tflite, ask_native, name, reason, words):
    with pytest.raises(JobFailed, match=words) as failure:
        ask_native(tflite / f"{name}.tflite")
    assert failure.value.reason == reason


@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
@pytest.mark.parametrize("kind", ["latency", "memory", "outputs"])
@pytest.mark.parametrize("content", [b"", b"this is text\n" * 40], ids=["empty", "text"])
def test_a_broken_model_fails_in_every_pass(tmp_path, ask_native, suffix, kind, content):
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(content)
    with pytest.raises(JobFailed) as failure:
        ask_native(broken, kind=kind)
    assert failure.value.reason == "runtime_error"


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"image": np.full((1, 20, 20, 1), np.nan, np.float32)}, "hold NaN or infinity"),
        ({"image": np.full((1, 20, 20, 1), 300)}, "do not fit into int8"),
        ({"image": np.zeros((1, 3))}, "not a sample of shape"),
        ({"image": np.zeros((0, 20, 20, 1))}, "have none"),
        ({"image": np.zeros((1, 20, 20, 1), np.complex64)}, "Samples of <c8 cannot be fed"),
        ({"a": np.zeros(1), "b": np.zeros(1)}, "No samples for input 'image'"),
        ({"image": np.asfortranarray(np.zeros((2, 20, 20, 1)))}, "Fortran's order"),
        ({"image": np.zeros((1, 20, 20, 1), ">f4")}, "cannot be fed"),
    ],
)
def test_samples_that_do_not_fit_are_never_bent(tflite, tmp_path, ask_native, samples, words):
    np.savez(tmp_path / "samples.npz", **samples)
    with pytest.raises(JobFailed, match=words) as failure:
        ask_native(tflite / "static_int8.tflite", inputs=str(tmp_path / "samples.npz"))
    assert failure.value.reason == "unsupported_input"


def test_a_compressed_file_is_refused(tflite, tmp_path, ask_native):
    np.savez_compressed(tmp_path / "samples.npz", image=np.zeros((1, 20, 20, 1)))
    with pytest.raises(JobFailed, match=r"compressed or encrypted: image\.npy"):
        ask_native(tflite / "float.tflite", inputs=str(tmp_path / "samples.npz"))
