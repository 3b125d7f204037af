"""A run of the tests', as it lies on disk."""

import json
import time


def document(done):
    return json.loads(done.stdout)


def only_run(folder):
    (run,) = folder.glob("*/run.json")
    return run.parent


def processes_of(run):
    return {
        (path.stem, process["block"]): process["started"]
        for path in (run / "measurements").glob("*.json")
        for process in json.loads(path.read_text())["processes"]
    }


def wait_for_processes(folder, count, timeout_s=240):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        runs = list(folder.glob("*/run.json"))
        if runs and len(found := processes_of(runs[0].parent)) >= count:
            return found
        time.sleep(0.02)
    msg = "the run came to no measurement"
    raise TimeoutError(msg)
