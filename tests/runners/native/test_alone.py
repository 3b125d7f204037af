"""What is sent to a board that has nothing needs nothing of it: in a root of /proc and /dev."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from edgebench.device.connect import connect
from edgebench.device.provision import provision
from edgebench.runner import RunnerJob, read_result
from edgebench.runtimes import RUNS
from tests.conftest import miss, need
from tests.runners.conftest import SHORT
from tests.runners.native.test_same import arrays
from tests.runners.native.test_watch import WATCH

# Of which nothing is known but its kernel.
NOTHING: dict[str, Any] = {"libc": None, "libstdcxx": None, "pythons": []}


@pytest.fixture
def alone(tmp_path):
    """Run a launch below a root that holds what was provisioned, /proc and /dev."""
    need("apt-get")
    unshare = need("unshare")
    if os.geteuid() != 0:
        miss("a root of one's own takes root")
    root = tmp_path / "root"
    for name in ("proc", "dev", "job"):
        (root / name).mkdir(parents=True)

    def run(runtime, model, cache, **options):
        here = connect("local://")
        device = replace(
            here, work_folder=PurePosixPath(root / "work"), facts={**here.facts, **NOTHING}
        )
        launch = provision(device, runtime, cache=cache, progress=lambda words: None)
        shutil.copy(model, root / "job" / model.name)
        job = RunnerJob(model=f"/job/{model.name}", runtime=RUNS[runtime], **options)
        (root / "job" / "job.json").write_text(job.to_json())
        script = (
            'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        )
        program = [word.removeprefix(str(root)) for word in (*launch.argv, "/job/job.json")]
        done = subprocess.run(
            [unshare, "--mount", "sh", "-c", script, str(root), *program],
            env={key: value.removeprefix(str(root)) for key, value in launch.env.items()}
            | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return read_result((root / "job" / "result.json").read_bytes()), root / "job"

    return run


@pytest.fixture
def models(tflite, onnx_model):
    """A model of each format."""
    from onnx import TensorProto, helper

    node = helper.make_node("MatMul", ["x", "x"], ["y"])
    square = (TensorProto.FLOAT, [9, 9])
    made = onnx_model([node], {"x": square}, {"y": square})
    return {"litert": tflite / "static_int8.tflite", "onnxruntime": made}


def assert_same_outputs(ours, theirs):
    expected, found = arrays(ours / "outputs.npz"), arrays(theirs / "outputs.npz")
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], strict=True)


@pytest.mark.parametrize("runtime", ["litert-native", "onnxruntime-native"])
def test_the_native_runner_computes_there_what_is_computed_here(
    runtime, models, ask, alone, wheels
):
    model = models[RUNS[runtime]]
    _, ours = ask(model, generate=3, seed=7)
    result, theirs = alone(runtime, model, wheels, kind="outputs", generate=3, seed=7)
    assert (result.status, result.runtime) == ("ok", runtime)
    assert_same_outputs(ours, theirs)


def test_so_does_a_python_that_is_sent_and_it_starts_what_watches_beside_it(
    models, ask, alone, wheels
):
    model = models["litert"]
    _, ours = ask(model, generate=3, seed=7)
    result, theirs = alone("litert", model, wheels, kind="outputs", generate=3, seed=7)
    assert (result.status, result.runtime) == ("ok", "litert")
    assert_same_outputs(ours, theirs)
    result, folder = alone("litert", model, wheels, kind="latency", loop=SHORT, watch=WATCH)
    assert result.state.is_watched is True
    assert (folder / "watch.jsonl").read_text().count('"load"') >= 2
