"""Several devices at once: each with its own troubles, and a machine that is two of them."""

import json
import os
import signal
import time

import pytest

from tests.conftest import miss
from tests.programs import UnavailableError
from tests.sshd import started
from tests.workflow.runs import document, only_run, processes_of, wait_for_processes

VARIANTS = '[[variant]]\nname = "float"\n'
HERE = '[[device]]\nname = "here"\naddress = "local://"\n'


def board(server, name="board"):
    return f'[[device]]\nname = "{name}"\naddress = "{server.address}"\n'


@pytest.fixture
def spare():
    """A board of the test's own, to be hung."""
    try:
        with started() as server:
            yield server
    except UnavailableError as error:
        miss(str(error))


def statuses(run):
    """Of each device the cells that have come to an end."""
    cells = [json.loads(path.read_text()) for path in (run / "measurements").glob("*.json")]
    return {cell["device"]: cell["status"] for cell in cells}


def wait_until(is_so, timeout_s=900):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_device_that_hangs_delays_no_other_and_the_run_is_taken_up_after_ctrl_c(
    plan_with, spare, wheels, start, edgebench, tmp_path
):
    env = {"EDGEBENCH_SSH_CONFIG": str(spare.config), "EDGEBENCH_CACHE": str(wheels)}
    process = start("run", plan_with(VARIANTS + board(spare) + HERE), **env)
    out = tmp_path / "results"
    wait_until(lambda: any("board" in key for key, _ in wait_for_processes(out, 0)))
    sessions = spare.sessions()
    for pid in sessions:
        os.kill(pid, signal.SIGSTOP)
    run = only_run(out)
    wait_until(lambda: statuses(run).get("here") == "ok")
    assert process.poll() is None
    assert statuses(run)["board"] == "failed"
    before = processes_of(run)
    for pid in sessions:
        os.kill(pid, signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert list(spare.seen(spare.home / ".cache/edgebench/jobs").iterdir()) == []
    assert [path.name for path in spare.locks.glob("*/free")] == ["free"]
    whole = document(edgebench("run", "--resume", run, "--json", **env))
    assert before.items() <= processes_of(run).items()
    assert [cell["latency_ms"]["processes"] for cell in whole["cells"]] == [3, 3]


def test_two_addresses_of_one_machine_are_measured_one_after_the_other(
    plan_with, sshd, edgebench, tmp_path
):
    plan = plan_with(VARIANTS + HERE + board(sshd))
    env = {"EDGEBENCH_SSH_CONFIG": str(sshd.config), "EDGEBENCH_LOCKS": str(sshd.locks)}
    done = edgebench("run", plan, **env)
    waits = [line for line in done.stderr.splitlines() if "waits: " in line]
    assert len(waits) == 1
    run = only_run(tmp_path / "results")
    assert run.name in waits[0]
    starts: dict[bool, list[str]] = {}
    for (key, _), started_at in processes_of(run).items():
        starts.setdefault("board" in key, []).append(started_at)
    first, second = sorted(starts.values(), key=min)
    assert max(first) <= min(second)


def test_a_device_that_another_measures_is_left_out_or_waited_for(
    plan_with, sshd, start, edgebench, tmp_path
):
    env = {"EDGEBENCH_SSH_CONFIG": str(sshd.config)}
    plan = plan_with(VARIANTS + board(sshd) + HERE)
    words = ("bench", tmp_path / "model.onnx", "--device", sshd.address, "--json")
    process = start(*words, "--preset", "standard", "--out", tmp_path / "long", **env)
    wait_until(lambda: wait_for_processes(tmp_path / "long", 0))
    holder = only_run(tmp_path / "long").name
    refused = document(edgebench("run", plan, "--json", exit_code=3, **env))
    assert holder in refused["lost"]["board"]
    assert "--wait-for-lock" in refused["lost"]["board"]
    of = {cell["device"]: cell["latency_ms"]["processes"] for cell in refused["cells"]}
    assert of == {"board": 0, "here": 3}
    waiting = start(*words, "--wait-for-lock", "600", "--out", tmp_path / "waited", **env)
    wait_until(lambda: "waits: " in waiting.stderr.readline())
    # Its machine knows that it is no more: nobody has to wait for its lock to run out.
    process.kill()
    stdout, stderr = waiting.communicate(timeout=600)
    assert waiting.returncode == 0, stderr
    assert json.loads(stdout)["cells"][0]["latency_ms"]["processes"] == 5
