"""Launches of the runner on a device: here on this machine, through the whole way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgebench.core import Reason
from edgebench.errors import JobFailed
from edgebench.measure.protocol import PRESETS
from edgebench.measure.session import (
    Bench,
    Turn,
    compute_here,
    compute_outputs,
    measure_latency,
    measure_memory,
)

PROTOCOL = replace(
    PRESETS["quick"], warmup_min_s=0.02, warmup_max_s=0.2, sample_min_s=0.02, timeout_s=60.0
)


def left_behind(bench):
    return sorted(Path(bench.device.work_folder, "jobs").glob("*"))


def that_runs(bench, line):
    """The same bench with another program in the runner's place, in the runner's folder."""
    runner = Path(bench.launch.argv[-1]).with_name("other.sh")
    runner.write_text(f"{line}\n")
    return Bench(device=bench.device, launch=replace(bench.launch, argv=("sh", str(runner))))


def test_a_latency_process_has_its_place_and_its_samples(bench, job, inputs):
    process, samples = measure_latency(
        bench, job, PROTOCOL, inputs=inputs, turn=Turn(block=3, position=1)
    )
    assert (process.block, process.position) == (3, 1)
    assert samples.size == process.samples >= 64
    # A model of microseconds: each sample is the mean of as many as the clock can tell.
    assert process.group > 1
    sums = samples * process.group
    np.testing.assert_allclose(sums, np.round(sums), rtol=0, atol=1e-6)
    assert 0 < samples.min() < 50_000
    assert process.wall_s is not None
    assert process.sampled_s is not None
    assert process.wall_s > process.sampled_s >= PROTOCOL.sample_min_s
    assert process.load_ns > process.first_ns > 0
    assert left_behind(bench) == []


def test_the_group_of_an_earlier_process_is_kept(bench, job, inputs):
    turn = Turn(block=1, position=0, group=3)
    process, _ = measure_latency(bench, job, PROTOCOL, inputs=inputs, turn=turn)
    assert process.group == 3


@pytest.mark.parametrize(
    ("scenario", "sizes"),
    [("offline", (8, 1, 8)), ("multi:4", (4, 4, 1)), ("periodic:200", (1, 1, 1))],
)
def test_a_sample_is_of_what_the_scenario_asks(bench, job, inputs, scenario, sizes):
    asked = replace(job, scenario=scenario)
    process, samples = measure_latency(
        bench, asked, PROTOCOL, inputs=inputs, turn=Turn(block=0, position=0, group=1)
    )
    assert (process.batch, process.inferences, process.mean_of) == sizes
    assert (process.due is not None) == scenario.startswith("periodic")
    assert samples.min() > 0


def test_a_memory_process_has_every_checkpoint(bench, job, inputs):
    process = measure_memory(bench, job, PROTOCOL, inputs=inputs)
    assert process.s0.rss_bytes < process.s1.rss_bytes < process.s3.rss_bytes
    assert left_behind(bench) == []


def test_the_outputs_of_the_device_are_those_of_the_host(bench, job, inputs, tmp_path):
    there = tmp_path / "there.npz"
    result = compute_outputs(bench, job, PROTOCOL, inputs=inputs, outputs=there)
    compute_here(job.artifact, inputs=inputs, folder=tmp_path / "here")
    assert result.runtime == "onnxruntime"
    with np.load(there) as one, np.load(tmp_path / "here" / "outputs.npz") as other:
        assert one["y"].shape == (40, 3)
        np.testing.assert_allclose(one["y"], other["y"], rtol=1e-6)
    assert left_behind(bench) == []


def test_generated_inputs_lie_beside_the_outputs(artifact, tmp_path):
    result = compute_here(artifact, inputs=None, folder=tmp_path, shapes={"x": (2, 8)}, seed=5)
    with np.load(tmp_path / "inputs.npz") as fed, np.load(tmp_path / "outputs.npz") as found:
        assert fed["x"].shape == (1, 2, 8)
        assert found["y"].shape == (1, 2, 3)
    assert result.inputs_made["seed"] == 5


def test_a_model_that_cannot_be_loaded_fails_in_the_words_of_the_runtime(
    bench, job, inputs, tmp_path
):
    broken = tmp_path / "broken.onnx"
    broken.write_text("this is text")
    wrong = replace(job, artifact=replace(job.artifact, path=broken))
    with pytest.raises(JobFailed, match="ONNXRuntimeError") as failure:
        measure_latency(bench, wrong, PROTOCOL, inputs=inputs, turn=Turn(block=0, position=0))
    assert failure.value.reason == Reason.RUNTIME_ERROR
    assert left_behind(bench) == []


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        ("echo out of memory; kill -KILL $$", Reason.KILLED, r"was killed \(code 137\)"),
        ("echo here is why; exit 3", Reason.RUNTIME_ERROR, "ended with code 3.*here is why"),
        ("echo here is why; exit 0", Reason.RUNTIME_ERROR, "no answer.*here is why"),
        ("echo OSError: No space left on device; exit 1", Reason.NO_SPACE, "no space left"),
    ],
)
def test_a_runner_without_an_answer_fails_by_how_it_ended(bench, job, inputs, line, reason, words):
    other = that_runs(bench, line)
    with pytest.raises(JobFailed, match=f"(?s){words}") as failure:
        measure_memory(other, job, PROTOCOL, inputs=inputs)
    assert failure.value.reason == reason
    assert left_behind(bench) == []


def test_a_runner_that_takes_too_long_is_ended_and_cleaned_up(bench, job, inputs):
    hanging = that_runs(bench, "exec sleep 300")
    with pytest.raises(JobFailed, match="longer than 1 s") as failure:
        measure_memory(hanging, job, replace(PROTOCOL, timeout_s=1.0), inputs=inputs)
    assert failure.value.reason == Reason.TIMEOUT
    assert left_behind(bench) == []
