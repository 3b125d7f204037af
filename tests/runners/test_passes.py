"""The passes of the runner: what they measure, and what they leave behind."""

import numpy as np
import pytest

from edgebench.core import MemoryCheckpoint
from edgebench.errors import JobFailed
from edgebench.runner import Loop, RunnerJob, run_here


def test_the_latency_pass_keeps_every_sample(tflite, ask):
    loop = Loop(warmup_min_invokes=7, warmup_min_s=0.02, sample_min_invokes=80, sample_min_s=0.01)
    result, folder = ask(tflite / "float.tflite", kind="latency", loop=loop)
    with np.load(folder / "samples.npz") as archive:
        samples = archive["latency_ns"]
    assert samples.dtype == np.int64
    assert result.latency is not None
    assert samples.size == result.latency.samples >= 80
    assert samples.min() > 0
    assert result.latency.warmup_invokes >= 7
    assert min(result.latency.load_ns, result.latency.first_ns) > 0


def test_a_slow_model_stops_at_the_cap_with_what_it_has(tflite, ask):
    loop = Loop(
        warmup_min_s=0.01,
        warmup_max_s=0.02,
        sample_min_invokes=10**7,
        sample_min_s=0.02,
        sample_max_s=0.1,
    )
    result, _ = ask(tflite / "float.tflite", kind="latency", loop=loop)
    assert result.latency is not None
    assert 0 < result.latency.samples < 10**7


def test_the_memory_pass_sees_the_weights(onnx_model, ask):
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
    node = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weights))
    value = (TensorProto.FLOAT, [1, 2048])
    nodes = [node, helper.make_node("MatMul", ["x", "w"], ["y"])]
    result, _ = ask(onnx_model(nodes, {"x": value}, {"y": value}), kind="memory")
    points = result.memory
    assert points is not None
    assert points.s3.pss_bytes - points.s1.pss_bytes > weights.nbytes
    assert points.s0.rss_bytes < points.s1.rss_bytes < points.s2.rss_bytes
    assert points.s4.anonymous_bytes - points.s3.anonymous_bytes < 1 << 20
    assert points.s2.peak_bytes is None or points.s2.peak_bytes >= points.s2.rss_bytes
    for point in (points.s0, points.s1, points.s2, points.s3, points.s4):
        assert isinstance(point, MemoryCheckpoint)
        assert point.anonymous_bytes + point.file_bytes == point.pss_bytes


def test_the_first_checkpoint_has_no_numpy(tflite, ask):
    result, _ = ask(tflite / "float.tflite", kind="memory")
    assert result.memory is not None
    # numpy alone maps more than this.
    assert result.memory.s0.pss_bytes < 12_000_000


def test_generated_inputs_are_saved_and_come_to_the_same_outputs(tflite, ask):
    made, first = ask(tflite / "static_int8.tflite", save_inputs="in.npz", seed=3)
    given, second = ask(tflite / "static_int8.tflite", inputs=str(first / "in.npz"))
    with np.load(first / "outputs.npz") as one, np.load(second / "outputs.npz") as other:
        np.testing.assert_array_equal(one["output_0"], other["output_0"])
    assert made.inputs_made["source"] == "generated"
    assert made.inputs_made["seed"] == 3
    assert given.inputs_made["source"] == "file"


def test_the_answer_names_runtime_and_versions(tflite, ask):
    result, _ = ask(tflite / "float.tflite")
    assert result.runtime == "litert"
    assert result.runtime_version
    assert {"python", "numpy", "machine"} <= set(result.environment)


def test_nothing_partial_is_left_behind(tflite, ask):
    _, folder = ask(tflite / "float.tflite", kind="latency", save_inputs="in.npz")
    names = {path.name for path in folder.iterdir()}
    assert names == {"job.json", "result.json", "samples.npz", "in.npz"}


def test_a_full_disk_is_told_apart(tflite, tmp_path):
    # The device that is always full stands where the runner writes before it renames.
    (tmp_path / "outputs.npz.part").symlink_to("/dev/full")
    job = RunnerJob(kind="outputs", model=str(tflite / "float.tflite"), runtime="litert")
    with pytest.raises(JobFailed, match="No space left on device") as failure:
        run_here(job, tmp_path)
    assert failure.value.reason == "no_space"
