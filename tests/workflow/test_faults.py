"""A host that is killed: the board is found again by whoever takes the run up."""

import contextlib
import json
import signal
import time
from pathlib import Path

from tests.conftest import state_of

PLAN = """
[[variant]]
name = "float"
[[device]]
name = "board"
address = "{address}"
"""
SLOW = "sample_min_s = 0.05\nsample_max_s = 0.2"


def test_a_host_that_is_killed_leaves_a_board_to_whoever_resumes_the_run(
    plan_with, sshd, brisk, edgebench, start, wheels
):
    jobs = sshd.home / ".cache" / "edgebench" / "jobs"
    env = {"EDGEBENCH_SSH_CONFIG": str(sshd.config), "EDGEBENCH_CACHE": str(wheels)}
    slow = brisk.replace(SLOW, "sample_min_s = 2.0\nsample_max_s = 3.0")
    plan = plan_with(PLAN.format(address=sshd.address), protocol=slow)
    process = start("run", plan, **env)
    left = wait_for(process, jobs, "*.b1-*")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    # The board goes on by itself; nobody has told it to end.
    assert (left / "owner").exists()
    (run,) = (path.parent for path in (plan.parent / "results").glob("*/run.json"))
    before = processes_of(run)
    assert len(before) == 1
    resumed = edgebench("run", "--resume", run, "--json", **env)
    (cell,) = json.loads(resumed.stdout)["cells"]
    assert state_of(cell) == "measured"
    assert before.items() <= processes_of(run).items()
    assert sorted(processes_of(run)) == [0, 1, 2]
    assert left.name in resumed.stderr
    # What is there already is not announced, and counts for nothing in how long the rest takes.
    assert "block 1 of 3" not in resumed.stderr
    assert "block 2 of 3: 1 cells\n" in resumed.stderr
    assert list(jobs.iterdir()) == []
    assert not [words for words in command_lines() if str(left).encode() in words]


def command_lines():
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (entry / "cmdline").read_bytes()


def processes_of(run):
    return {
        process["block"]: process["started"]
        for path in (run / "measurements").glob("*.json")
        for process in json.loads(path.read_text())["processes"]
    }


def wait_for(process, folder, pattern, timeout_s=600):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for job in folder.glob(pattern):
            if (job / "pid").exists():
                return job
        time.sleep(0.05)
    raise TimeoutError
