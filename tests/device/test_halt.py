"""What a worker that waits for its device does when it is told to stop."""

import threading

import pytest

from edgebench.device.halt import Halt, HaltingTransport, halted_by, is_halted, pause
from edgebench.device.local import LocalTransport
from edgebench.device.patience import patiently
from edgebench.errors import DeviceError, DeviceLost

LONG_S = 600


@pytest.fixture
def halt():
    return Halt()


def asked_soon(halt):
    threading.Timer(0.2, halt.ask).start()


def test_a_pause_ends_when_it_is_told_to_and_is_ended_just_once(halt):
    asked_soon(halt)
    with halted_by(halt):
        with pytest.raises(KeyboardInterrupt):
            pause(LONG_S)
        assert is_halted()
        pause(0.01)
    assert not is_halted()


def test_who_is_told_before_a_pause_makes_none(halt):
    halt.ask()
    with halted_by(halt), pytest.raises(KeyboardInterrupt):
        pause(LONG_S)


def test_a_call_to_a_device_ends_when_its_worker_is_told_to_and_the_next_one_goes_through(halt):
    transport = HaltingTransport(LocalTransport(), halt)
    asked_soon(halt)
    with pytest.raises(KeyboardInterrupt):
        transport.run(["sleep", "5"], timeout_s=LONG_S)
    assert transport.run(["echo", "cleaned"]).stdout == b"cleaned\n"


def test_a_call_answers_and_fails_as_it_does_without_a_halt(halt):
    transport = HaltingTransport(LocalTransport(), halt)
    assert transport.run(["cat"], stdin=b"words").stdout == b"words"
    with pytest.raises(DeviceError):
        transport.run(["sleep", "5"], timeout_s=0.1)


def test_a_device_that_is_lost_is_not_waited_for_by_who_is_to_stop(halt):
    def lost():
        msg = "gone"
        raise DeviceLost(msg)

    asked_soon(halt)
    with halted_by(halt):
        with pytest.raises(KeyboardInterrupt):
            patiently(lost)
        with pytest.raises(DeviceLost):
            patiently(lost)
