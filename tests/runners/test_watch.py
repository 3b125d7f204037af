"""The watcher: real files and programs, read beside a process that may die."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgebench.measure.watch import Source
from edgebench.measure.watched import read_watched, source_document
from edgebench.runner import shipped

PROGRAM = shipped("runners") / "watch.py"


class Watcher:
    """A running one."""

    def __init__(self, folder, *sources, cpus=None):
        self.out = folder / "watch.jsonl"
        spec = {"sources": [source_document(source) for source in sources], "cpus": cpus}
        (folder / "watch.json").write_text(json.dumps(spec))
        argv = [sys.executable, "-s", str(PROGRAM), str(folder / "watch.json"), str(self.out)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE)

    def end(self):
        """What it read."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        return read_watched(self.out.read_bytes())


@pytest.fixture
def watcher(tmp_path):
    started: list[Watcher] = []

    def start(*sources, cpus=None):
        started.append(Watcher(tmp_path, *sources, cpus=cpus))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        assert one.process.stdin is not None
        one.process.stdin.close()


def texts(watched, name):
    return [reading.text for reading in watched.readings[name]]


def test_a_file_is_read_anew_each_time_and_once_more_at_the_end(watcher, tmp_path):
    sensor = tmp_path / "temp"
    sensor.write_text("41000\n")
    running = watcher(Source(name="temp", path=str(sensor), period_s=0.02))
    time.sleep(0.3)
    sensor.write_text("43000\n")
    found = running.end()
    assert texts(found, "temp")[0] == "41000\n"
    assert texts(found, "temp")[-1] == "43000\n"
    times = [reading.time_ns for reading in found.readings["temp"]]
    assert times == sorted(times)
    assert time.monotonic_ns() > times[-1] > times[0]
    assert found.cost_ratio is not None


def test_a_slow_source_is_read_at_the_beginning_and_at_the_end(watcher, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("1")
    running = watcher(Source(name="counter", path=str(counter), period_s=1000.0))
    time.sleep(0.3)
    counter.write_text("2")
    assert texts(running.end(), "counter") == ["1", "2"]


def test_a_sensor_that_disappears_is_said_to_be_gone_and_found_again(watcher, tmp_path):
    running = watcher(Source(name="sensor", path=str(tmp_path / "sensor"), period_s=0.02))
    time.sleep(0.3)
    (tmp_path / "sensor").write_text("back")
    time.sleep(0.2)
    found = running.end()
    assert found.readings["sensor"][0].text is None
    assert "No such file" in str(found.readings["sensor"][0].error)
    assert texts(found, "sensor")[-1] == "back"


def test_programs_are_run_and_their_failures_kept(watcher):
    found_all = watcher(
        Source(name="well", argv=("echo", "throttled=0x0"), period_s=0.1),
        Source(name="ill", argv=("sh", "-c", "echo out of order >&2; exit 3"), period_s=0.1),
        Source(name="none", argv=("/no/such/program",), period_s=0.1),
    )
    time.sleep(0.4)
    found = found_all.end()
    assert set(texts(found, "well")) == {"throttled=0x0\n"}
    assert "out of order" in str(found.readings["ill"][0].error)
    assert "No such file" in str(found.readings["none"][0].error)


def test_a_program_that_speaks_by_itself_is_heard_line_by_line_and_ended(watcher, tmp_path):
    script = f"echo $$ > {tmp_path}/pid; while :; do echo RAM 1/2; sleep 0.05; done"
    argv = ("sh", "-c", script)
    running = watcher(Source(name="stats", argv=argv, period_s=0.05, is_stream=True))
    time.sleep(0.5)
    found = running.end()
    assert len(texts(found, "stats")) >= 3
    assert set(texts(found, "stats")) == {"RAM 1/2"}
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_it_ends_when_whoever_started_it_is_killed(tmp_path):
    spec = {"sources": [{"name": "load", "path": "/proc/loadavg", "period_s": 0.05}]}
    (tmp_path / "watch.json").write_text(json.dumps(spec))
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    out = tmp_path / "out.jsonl"
    argv = [sys.executable, "-s", str(PROGRAM), str(tmp_path / "watch.json"), str(out)]
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *argv], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        while not out.exists():
            time.sleep(0.05)
        time.sleep(0.2)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        # A grandchild whose parent is gone may stay a zombie where nobody reaps.
        if not is_alive(child):
            break
        time.sleep(0.1)
    assert not is_alive(child)
    assert read_watched(out.read_bytes()).readings["load"]


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null\n3\n[]\n[1]\n",
        b'["1", "a", "b"]\n[true, "a", "b"]\n[1, 2, "b"]\n[1, "a", 7]\n',
        b"[" * 100_000,
        b'{"begin_ns": 5, "end_ns": 5, "cpu_s": 0.1}\n\xff\xfe',
    ],
)
def test_nonsense_from_a_device_is_no_reading(content):
    found = read_watched(content)
    assert found.readings == {}
    assert found.cost_ratio is None
