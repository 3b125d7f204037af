"""The host's side of the contract with the runner."""

import json
import os
import sys

import pytest

from edgebench.core import Reason
from edgebench.errors import JobFailed
from edgebench.runner import RunnerJob, read_result, run_here, shipped


@pytest.fixture
def onnx_file(tmp_path):
    from onnx import TensorProto, helper, save

    value = (TensorProto.FLOAT, [1, 4])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", *value)],
        [helper.make_tensor_value_info("y", *value)],
    )
    path = tmp_path / 'a model\'s "file".onnx'
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def job(model, **options):
    return RunnerJob(
        **{"kind": "outputs", "model": str(model), "runtime": "onnxruntime", **options}
    )


def python_that(tmp_path, line):
    """A program in the place of Python, so that the end of a runner can be what it seldom is."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_a_job_runs_here_and_leaves_its_files(onnx_file, tmp_path):
    result = run_here(job(onnx_file, save_inputs="in.npz"), tmp_path / "some folder")
    assert result.status == "ok"
    names = {path.name for path in (tmp_path / "some folder").iterdir()}
    assert names == {"job.json", "result.json", "in.npz", "outputs.npz"}


def test_a_relative_folder_is_where_it_seems(onnx_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_here(job(onnx_file), tmp_path.__class__("here"))
    assert (tmp_path / "here" / "outputs.npz").exists()


@pytest.mark.parametrize("kind", ["outputs", "latency"])
def test_onnxruntime_sends_no_telemetry(onnx_file, tmp_path, monkeypatch, kind):
    # The wheel hides its uploader where this is set, so that a pipeline would never see it.
    for name in ("CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    run_here(job(onnx_file, kind=kind), tmp_path / "job")
    assert [str(path) for path in home.rglob("*")] == []


def test_the_runner_itself_turns_telemetry_off(onnx_file, tmp_path):
    # A board's launcher may set nothing at all.
    (tmp_path / "job.json").write_text(job(onnx_file).to_json())
    home = tmp_path / "home"
    home.mkdir()
    argv = [sys.executable, "-s", str(shipped("runners") / "run.py"), str(tmp_path / "job.json")]
    assert os.spawnve(os.P_WAIT, argv[0], argv, {"HOME": str(home)}) == 0
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "ok"
    assert [str(path) for path in home.rglob("*")] == []


def test_a_runtime_that_crashes_is_killed_not_ours(onnx_file, tmp_path):
    crashing = python_that(tmp_path, "kill -SEGV $$")
    with pytest.raises(JobFailed, match="code -11") as failure:
        run_here(job(onnx_file), tmp_path / "job", python=crashing)
    assert failure.value.reason == Reason.KILLED


def test_a_runner_that_says_nothing_fails_with_its_log(onnx_file, tmp_path):
    silent = python_that(tmp_path, "echo what went wrong >&2; exit 3")
    with pytest.raises(JobFailed, match="what went wrong") as failure:
        run_here(job(onnx_file), tmp_path / "job", python=silent)
    assert failure.value.reason == Reason.RUNTIME_ERROR


def test_a_runner_that_hangs_is_ended(onnx_file, tmp_path):
    hanging = python_that(tmp_path, "exec sleep 60")
    with pytest.raises(JobFailed, match="longer than") as failure:
        run_here(job(onnx_file), tmp_path / "job", python=hanging, timeout_s=0.3)
    assert failure.value.reason == Reason.TIMEOUT


def test_an_old_result_is_not_taken_for_a_new_one(onnx_file, tmp_path):
    run_here(job(onnx_file), tmp_path / "job")
    with pytest.raises(JobFailed):
        run_here(job(onnx_file), tmp_path / "job", python=python_that(tmp_path, "exit 1"))


def test_a_runtime_that_is_not_there_is_said(onnx_file, tmp_path):
    with pytest.raises(JobFailed, match="tflite-runtime") as failure:
        run_here(job(onnx_file, runtime="tflite-runtime"), tmp_path / "job")
    assert failure.value.reason == Reason.NO_RUNTIME


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"schema": "edgebench.result/2"}'])
def test_a_document_that_is_none_is_refused(document):
    with pytest.raises(JobFailed, match="result document is not one"):
        read_result(document)


def test_a_failure_keeps_its_reason_and_words():
    document = {
        "schema": "edgebench.result/1",
        "status": "failed",
        "reason": "no_space",
        "error": "OSError: No space left on device",
        "runtime": "litert",
    }
    with pytest.raises(JobFailed, match="No space left") as failure:
        read_result(json.dumps(document).encode())
    assert failure.value.reason == Reason.NO_SPACE


@pytest.mark.parametrize("folder", ["runners", "device_profiles"])
def test_what_ships_is_found(folder):
    assert shipped(folder).is_dir()
