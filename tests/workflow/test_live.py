"""Who watches a run: a row a device on a terminal, lines elsewhere."""

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edgebench.measure.left import left_s
from edgebench.workflow import BenchRequest, Desk, bench_files
from tests.workflow.runs import only_run, processes_of

if TYPE_CHECKING:
    from edgebench.workflow.standing import Standing


def test_what_is_left_after_the_first_block_is_what_the_others_take(classifier, tmp_path, caches):
    seen: list[Standing] = []
    desk = Desk(out=tmp_path, cache=caches, progress=lambda _: None, watch=seen.append)
    bench_files(BenchRequest(models=(classifier / "model.onnx",)), desk)
    run = only_run(tmp_path)
    (path,) = (run / "measurements").glob("*.json")
    blocks_s = [process["wall_s"] for process in json.loads(path.read_text())["processes"]]
    assert sorted({at.block for at in seen if at.finished == 0}) == [0, 1, 2, 3, 4, 5]
    assert {at.left_s for at in seen if at.block == 0 and at.finished == 0} == {None}
    first = next(at for at in seen if at.block == 1)
    assert first.blocks == 5
    assert first.left_s is not None
    # All that is done around a process counts too.
    assert first.left_s >= 4 * blocks_s[0]
    # As true as the blocks are alike: this machine is not alone.
    unlike = max(abs(block_s - blocks_s[0]) for block_s in blocks_s) / min(blocks_s)
    told_s = left_s({"model": blocks_s[:1]}, {"model": len(blocks_s) - 1})
    assert told_s == pytest.approx(sum(blocks_s[1:]), rel=max(0.25, unlike))
    assert (seen[-1].finished, seen[-1].left_s) == (1, 0)


@pytest.fixture
def on_a_terminal(tmp_path, caches):
    """Run the command with a terminal for its stderr: its stdout, and what the terminal got."""
    started = []

    def run(*words, **more):
        ours, theirs = pty.openpty()
        env = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
        env |= {"EDGEBENCH_CACHE": str(caches), "TERM": "xterm", "COLUMNS": "120", **more}
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebench", *map(str, words)],
            cwd=tmp_path,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        started.append(process)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            pass  # so a terminal says that nobody writes to it any more
        stdout, _ = process.communicate(timeout=60)
        os.close(ours)
        assert process.returncode == 0, shown
        return stdout, shown.decode()

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_on_a_terminal_a_device_is_a_row_and_the_document_stays_one(classifier, on_a_terminal):
    stdout, shown = on_a_terminal("bench", classifier / "model.onnx", "--json")
    assert len(json.loads(stdout)["cells"]) == 1
    for words in ("device", "this-machine", "block", "1 of 5", "4 of 5", "left"):
        assert words in shown
    assert "\x1b[?25h" in shown  # the cursor is there again


def test_elsewhere_there_are_lines_and_nothing_that_a_log_cannot_hold(
    classifier, edgebench, tmp_path
):
    done = edgebench("bench", classifier / "model.onnx")
    assert "\x1b" not in done.stdout + done.stderr
    assert "this-machine: block 2 of 5" in done.stderr
    assert len(processes_of(only_run(tmp_path / "results"))) == 5
