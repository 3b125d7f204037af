"""What the runner tells of the state it measured in, and the windows of its energy pass."""

import os
import time

import pytest

from edgebench.errors import JobFailed
from edgebench.measure.watch import Source
from edgebench.measure.watched import read_watched, source_document
from edgebench.runner import WatchSpec, Windows
from tests.runners.native.conftest import ask_native, native

__all__ = ["ask_native", "native"]

LOAD = Source(name="load", path="/proc/loadavg", period_s=0.05)
SOURCES = (source_document(LOAD),)


def test_the_state_of_a_latency_pass_spans_its_samples(tflite, ask):
    before_ns = time.monotonic_ns()
    result, folder = ask(tflite / "float.tflite", kind="latency", watch=WatchSpec(sources=SOURCES))
    state = result.state
    assert state is not None
    assert before_ns < state.begin_ns < state.end_ns < time.monotonic_ns()
    assert min(state.canary_ns) > 0
    assert state.scheduling.involuntary_switches >= 0
    assert state.is_watched
    readings = read_watched((folder / "watch.jsonl").read_bytes()).readings["load"]
    assert readings[0].time_ns < state.begin_ns
    assert readings[-1].time_ns > state.end_ns


def test_without_a_watch_nothing_is_read(tflite, ask):
    result, folder = ask(tflite / "float.tflite", kind="latency")
    assert result.state is not None
    assert result.state.is_watched is None
    assert not (folder / "watch.jsonl").exists()


def test_a_runner_stays_on_the_cores_that_it_is_given(tflite, ask):
    core = max(os.sched_getaffinity(0))
    result, _ = ask(tflite / "float.tflite", kind="latency", cpus=(core,))
    assert result.state is not None
    assert result.state.cpus == (core,)


def test_cores_that_are_not_there_fail_the_pass(tflite, ask):
    with pytest.raises(JobFailed, match="Invalid argument"):
        ask(tflite / "float.tflite", kind="latency", cpus=(1023,))


def test_the_energy_pass_rests_works_and_rests(tflite, ask):
    windows = Windows(idle_s=0.2, active_s=0.3)
    watch = WatchSpec(sources=SOURCES)
    result, folder = ask(tflite / "float.tflite", kind="energy", windows=windows, watch=watch)
    energy = result.energy
    assert energy is not None
    spans = (energy.idle_before_ns, energy.active_ns, energy.idle_after_ns)
    lengths = [(end - begin) / 1e9 for begin, end in spans]
    assert min(lengths) >= 0.2
    assert lengths[1] >= 0.3
    flat = [moment for span in spans for moment in span]
    assert flat == sorted(flat)
    assert energy.inferences > 0
    assert energy.is_watched
    assert len(read_watched((folder / "watch.jsonl").read_bytes()).readings["load"]) >= 8


@pytest.mark.parametrize("runner", ["ask", "ask_native"])
def test_the_energy_pass_chirps_before_it_rests_where_that_is_asked_for(tflite, request, runner):
    ask = request.getfixturevalue(runner)
    windows = Windows(idle_s=0.1, active_s=0.1, chirps=2, pulse_s=0.5)
    result, _ = ask(tflite / "float.tflite", kind="energy", windows=windows)
    energy = result.energy
    assert energy is not None
    (first, first_end), (second, second_end) = energy.chirp_ns
    half_ns = 500_000_000
    assert (first_end - first, second - first_end, second_end - second) == (half_ns,) * 3
    assert second_end + half_ns <= energy.idle_before_ns[0]


def test_a_core_that_comes_too_late_to_a_chirp_says_so():
    import chirp  # type: ignore[import-not-found]  # it stands where the runner does

    late_ns, pulse_ns = time.monotonic_ns() - 10**9, 10**8
    assert chirp.main(["chirp.py", str(late_ns), "3", str(pulse_ns)]) == chirp.LATE
    soon_ns = time.monotonic_ns() + pulse_ns
    assert chirp.main(["chirp.py", str(soon_ns), "2", str(pulse_ns)]) == 0
    assert time.monotonic_ns() >= soon_ns + 3 * pulse_ns
