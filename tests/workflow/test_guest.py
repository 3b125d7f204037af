"""Whole machines are measured: a reset in the middle, a kernel that kills, a Pi without a clock.

They are emulated, so that nothing here asks how long something took.
"""

import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from importlib.util import find_spec

import numpy as np
import pytest

from tests.conftest import miss, state_of
from tests.runners.conftest import tflite
from tests.workflow.runs import only_run, processes_of

__all__ = ["tflite"]

pytestmark = pytest.mark.guest

MIB = 1 << 20
JOBS = "/home/pi/.cache/edgebench/jobs"
PLAN = """
[[variant]]
name = "float"
[[device]]
name = "board"
address = "{address}"
"""
SHORT = "sample_min_s = 0.05\nsample_max_s = 0.2"
# Names are on the disk after 5 s, what is in new files only after 30 s: the reset comes between.
LONG = "sample_min_s = 10.0\nsample_max_s = 11.0"
INTO_S = 7.0


@pytest.fixture
def on(edgebench, wheels):
    """Run the command on a machine to its end."""

    def run(machine, *words, **options):
        return edgebench(*words, **environment(machine, wheels), **options)

    return run


def environment(machine, wheels):
    return {
        "EDGEBENCH_SSH_CONFIG": str(machine.config),
        "EDGEBENCH_CACHE": str(wheels / "fleet"),
    }


@contextlib.contextmanager
def reset_in(machine, pattern, kept):
    """Press the machine's button once, in the middle of a job; what was kept by then."""
    stop = threading.Event()
    found = []

    def watch():
        while not stop.wait(0.5):
            if machine.as_root(f"ls {JOBS}/{pattern}/pid 2> /dev/null || :"):
                time.sleep(INTO_S)
                found.append(kept())
                machine.reset()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def test_a_machine_that_is_reset_in_a_run_keeps_its_blocks_and_repeats_the_broken_one(
    virt, plan_with, brisk, start, wheels, tmp_path
):
    plan = plan_with(PLAN.format(address=virt.address), protocol=brisk.replace(SHORT, LONG))
    results = tmp_path / "results"
    with reset_in(virt, "*.b1-*", lambda: processes_of(only_run(results))) as found:
        process = start("run", plan, "--json", **environment(virt, wheels))
        stdout, stderr = process.communicate(timeout=1800)
    (before,) = found
    assert [block for _, block in before] == [0]
    assert process.returncode == 0, stdout + stderr
    (cell,) = json.loads(stdout)["cells"]
    assert state_of(cell) == "measured"
    assert "emulated" in cell["reasons"]
    assert cell["accuracy"]["value"] == 1.0
    after = processes_of(only_run(results))
    assert before.items() <= after.items()
    assert sorted(block for _, block in after) == [0, 1, 2]
    assert "started anew" in stderr
    assert virt.as_root(f"ls -A {JOBS}") == ""


def test_a_cut_of_all_power_leaves_a_run_to_be_resumed(virt, plan_with, brisk, start, on, wheels):
    plan = plan_with(PLAN.format(address=virt.address), protocol=brisk.replace(SHORT, LONG))
    results = plan.parent / "results"
    process = start("run", plan, **environment(virt, wheels))

    def cut():
        process.kill()
        process.wait(60)
        return processes_of(only_run(results))

    with reset_in(virt, "*.b1-*", cut) as found:
        process.communicate(timeout=1800)
    (before,) = found
    assert [block for _, block in before] == [0]
    done = on(virt, "run", "--resume", only_run(results), "--json")
    (cell,) = json.loads(done.stdout)["cells"]
    assert state_of(cell) == "measured"
    after = processes_of(only_run(results))
    assert before.items() <= after.items()
    assert sorted(block for _, block in after) == [0, 1, 2]
    assert virt.as_root(f"ls -A {JOBS}") == ""


@pytest.fixture
def bench(on, tmp_path):
    """Measure one file; its cell, and what lies on disk of it."""

    def measure(machine, model, runtime):
        words = (model, "--device", machine.address, "--runtime", runtime, "--preset", "quick")
        done = on(machine, "bench", *words, "--json", "--out", tmp_path / runtime)
        (cell,) = json.loads(done.stdout)["cells"]
        (path,) = only_run(tmp_path / runtime).glob("measurements/*.json")
        return cell, json.loads(path.read_text())

    return measure


@pytest.fixture
def heavy(tmp_path):
    """A model of so many bytes of weights, that no runtime can do with less memory than them."""
    if find_spec("onnx") is None:
        miss("the extra `compress` is not installed")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def make(size_bytes):
        side = int((size_bytes / 4) ** 0.5)
        weights = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
        graph = helper.make_graph(
            [helper.make_node("Gemm", ["x", "w"], ["y"])],
            "heavy",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, side])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, side])],
            [numpy_helper.from_array(weights, "w")],
        )
        opset = [helper.make_opsetid("", 18)]
        path = tmp_path / "heavy.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
        return path

    return make


CONFINED = """
cd /sys/fs/cgroup
echo "+memory" > cgroup.subtree_control
mkdir -p narrow
echo {limit} > narrow/memory.max
pgrep -o -x sshd > narrow/cgroup.procs
"""


def test_a_kernel_that_kills_for_want_of_memory_is_heard(virt, heavy, on):
    model = heavy(96 * MIB)
    virt.as_root(CONFINED.format(limit=80 * MIB))
    try:
        words = (model, "--device", virt.address, "--runtime", "onnxruntime-native")
        done = on(virt, "bench", *words, "--preset", "quick", "--json", exit_code=3)
    finally:
        virt.as_root("pgrep -o -x sshd > /sys/fs/cgroup/cgroup.procs")
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["status"], cell["reasons"]) == ("failed", ["killed"])
    assert "ran out of memory" in cell["error"]
    assert "oom_kill 0" not in virt.as_root("cat /sys/fs/cgroup/narrow/memory.events")
    assert virt.as_root(f"ls -A {JOBS}") == ""


def test_peaks_of_memory_are_those_of_the_kernel(virt, tflite, bench):
    peaks = {}
    for runtime in ("litert", "litert-native"):
        cell, measured = bench(virt, tflite / "float.tflite", runtime)
        assert state_of(cell) == "measured"
        assert cell["agreement"]["top1"] == 1.0
        assert cell["agreement"]["max_abs"] < 1e-4
        found = cell["memory_mb"]
        # A model of a kind that stays: opened and run, it takes more than nothing at any time.
        assert 0 < found["load_peak"] <= found["run_peak"] < found["total"]
        for process in measured["memory"]:
            loaded, opened = process["s1"], process["s2"]
            assert opened["rss_bytes"] >= opened["pss_bytes"] >= opened["anonymous_bytes"] > 0
            gained = (opened["rss_bytes"] - loaded["rss_bytes"]) / 1e6
            assert found["run_peak"] >= 0.9 * gained
        peaks[runtime] = max(process["s4"]["peak_bytes"] for process in measured["memory"])
    assert 0 < peaks["litert-native"] < peaks["litert"]


def test_a_pi_3_is_measured_though_its_clock_is_in_1970(pi3, tflite, bench):
    cell, measured = bench(pi3, tflite / "float.tflite", "litert-native")
    assert pi3.as_root("date +%Y").strip() == "1970"
    assert state_of(cell) == "measured"
    assert "emulated" in cell["reasons"]
    assert cell["agreement"]["top1"] == 1.0
    today = datetime.now(UTC)
    for process in measured["processes"]:
        # The kernel's own driver reads it, beside the samples.
        assert 0 < process["state"]["temp_max_c"]["cpu-thermal"] < 85
        assert 0 <= (today - datetime.fromisoformat(process["started"])).total_seconds() < 3600
    assert pi3.as_root(f"ls -A {JOBS}") == ""
