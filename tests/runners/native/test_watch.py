"""What the native runner writes beside its passes is read as what `watch.py` writes."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from edgebench.measure.watch import Source
from edgebench.measure.watched import read_watched, source_document
from edgebench.runner import RunnerJob, WatchSpec, Windows
from tests.runners.native.conftest import library_of

LOAD = Source(name="load", path="/proc/loadavg", period_s=0.02)
GONE = Source(name="gone", path="/sys/no such file", period_s=0.5)
WATCH = WatchSpec(sources=(source_document(LOAD), source_document(GONE)), cpus=(0,))


@pytest.mark.parametrize("kind", ["latency", "energy"])
def test_readings_span_the_pass(tflite, ask_native, kind):
    model, windows = tflite / "float.tflite", Windows(idle_s=0.1, active_s=0.1)
    result, folder = ask_native(model, kind=kind, windows=windows, watch=WATCH)
    told = result.state or result.energy
    begin_ns = told.begin_ns if kind == "latency" else told.idle_before_ns[0]
    end_ns = told.end_ns if kind == "latency" else told.idle_after_ns[1]
    assert told.is_watched is True
    watched = read_watched((folder / "watch.jsonl").read_bytes())
    load, gone = watched.readings["load"], watched.readings["gone"]
    assert load[0].time_ns < begin_ns < end_ns < load[-1].time_ns
    assert len(load) >= 5
    assert all(str(reading.text).count("/") == 1 for reading in load)
    assert {(reading.text, reading.error) for reading in gone} == {
        (None, "No such file or directory")
    }
    assert watched.cost_ratio is not None
    assert 0 <= watched.cost_ratio < 0.5


def test_without_a_watch_nothing_is_read(tflite, ask_native):
    result, folder = ask_native(tflite / "float.tflite", kind="latency")
    assert result.state.is_watched is None
    assert not (folder / "watch.jsonl").exists()


def children_of(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in found]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_watcher_ends_with_a_runner_that_is_killed(native, tflite, tmp_path):
    model, windows = str(tflite / "float.tflite"), Windows(idle_s=60.0)
    job = RunnerJob(kind="energy", model=model, runtime="litert", windows=windows, watch=WATCH)
    (tmp_path / "job.json").write_text(job.to_json())
    argv = [str(native), str(library_of("litert")), str(tmp_path / "job.json")]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as runner:
        wait_for(lambda: children_of(runner))
        (watcher,) = children_of(runner)
        os.kill(runner.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(watcher))
    assert not (tmp_path / "result.json").exists()


def test_a_watch_that_cannot_be_written_down_is_no_watch(tflite, ask_native):
    full = WatchSpec(sources=WATCH.sources, output="/dev/full")
    result, _ = ask_native(tflite / "float.tflite", kind="latency", watch=full)
    assert result.state.is_watched is False


def test_programs_are_asked_and_heard_as_by_the_runner_in_python(tflite, ask, ask_native):
    said = Source(name="said", argv=("printf", r"a\tb\377"), period_s=0.05)
    failed = Source(name="failed", argv=("sh", "-c", "echo no sensor >&2; exit 3"), period_s=0.5)
    mute = Source(name="mute", argv=("false",), period_s=0.5)
    absent = Source(name="absent", argv=("no-such-program",), period_s=0.5)
    sources = tuple(source_document(source) for source in (said, failed, mute, absent))
    told = {}
    for runner in (ask, ask_native):
        watch = WatchSpec(sources=sources)
        result, folder = runner(tflite / "float.tflite", kind="latency", watch=watch)
        assert result.state.is_watched is True
        readings = read_watched((folder / "watch.jsonl").read_bytes()).readings
        assert len(readings["said"]) >= 2
        # Python's own words for an error begin with its number.
        told[runner] = {
            name: {str(reading.error).rpartition("] ")[2] for reading in readings[name]}
            for name in ("failed", "mute")
        }
        assert {(r.text or "")[:3] for r in readings["said"]} == {"a\tb"}
        assert {"no-such-program" in str(r.error) for r in readings["absent"]} == {True}
    assert told[ask] == told[ask_native]
    assert told[ask] == {"failed": {"no sensor"}, "mute": {"ended with code 1"}}


def test_a_program_that_does_not_end_is_ended(tflite, ask_native):
    endless = Source(name="endless", argv=("sleep", "60"), period_s=0.5)
    watch = WatchSpec(sources=(source_document(endless),))
    result, folder = ask_native(tflite / "float.tflite", kind="latency", watch=watch)
    assert result.state.is_watched is True
    readings = read_watched((folder / "watch.jsonl").read_bytes()).readings["endless"]
    assert {reading.error for reading in readings} == {"sleep took longer than 5 s"}
