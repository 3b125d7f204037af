"""What happens to one device's worker happens to no other."""

import os
import signal
import threading

import pytest

from edgebench.device.halt import pause
from edgebench.errors import DeviceError, NotDone
from edgebench.workflow.workers import at_once

LONG_S = 600


def failing(error):
    def work(_):
        raise error

    return work


def test_what_each_device_answers_and_why_one_could_not_is_told_by_its_name():
    lines: list[str] = []
    away = DeviceError("away")
    answers = at_once({"a": lambda _: 1, "b": failing(away), "c": lambda _: 3}, lines.append)
    assert answers == {"a": 1, "b": away, "c": 3}
    assert lines == []


def test_a_device_waits_for_no_other():
    met = threading.Barrier(3)
    names = ("a", "b", "c")
    places = at_once({name: lambda _: met.wait(60) for name in names}, print).values()
    assert set(places) == {0, 1, 2}


@pytest.mark.parametrize("error", [NotDone("no space here"), ZeroDivisionError("a bug")])
def test_what_is_no_devices_fault_is_told_at_once_and_raised_when_the_others_are_done(error):
    lines: list[str] = []
    done: list[str] = []

    def work(_):
        while not lines:
            pause(0.01)
        done.append("b")

    with pytest.raises(type(error)):
        at_once({"a": failing(error), "b": work}, lines.append)
    assert done == ["b"]
    assert lines == [f"a: {error}; the other devices go on"]


def test_ctrl_c_stops_every_worker_and_waits_until_it_has_cleaned_up():
    cleaned: list[str] = []
    waiting = threading.Barrier(3)

    def work(_):
        try:
            waiting.wait(60)
            pause(LONG_S)
        finally:
            pause(0.05)
            cleaned.append(threading.current_thread().name)

    def interrupt():
        waiting.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            at_once({"a": work, "b": work}, lambda _: None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert sorted(cleaned) == ["a", "b"]
