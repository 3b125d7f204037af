"""What is waited for before a process."""

import time

import pytest

from edgebench.device.look import read_listing
from edgebench.device.replay import Answer, Capture, ReplayTransport
from edgebench.measure.state.gate import Calm, look_calm, read_calm, unrest, wait_for_calm

ZONE = "/sys/class/thermal/thermal_zone0"


def answer(temp, pressure):
    files = {
        f"{ZONE}/type": "cpu-thermal\n",
        f"{ZONE}/temp": f"{temp}\n",
        "/proc/pressure/cpu": f"some avg10={pressure} avg60=0.5 avg300=0.1 total=77\n",
    }
    return "".join(f"file\0{path}\0{text}\0" for path, text in files.items())


def board(temp, pressure):
    answers = {"edgebench-look": Answer(stdout=answer(temp, pressure))}
    return ReplayTransport(Capture(answers=answers))


REST = read_calm(read_listing(answer(45000, "0.00")))


@pytest.mark.parametrize(
    ("temp", "pressure", "words"),
    [
        (48000, "1.00", None),
        (48100, "0.00", "cpu-thermal is at 48.1 °C, at rest it was at 45.0 °C"),
        (45000, "7.31", "waited for a core in 7.3 %"),
    ],
)
def test_a_board_is_calm_near_its_rest(temp, pressure, words):
    found = unrest(look_calm(board(temp, pressure)), REST)
    assert found is None if words is None else words in str(found)


def test_a_board_that_tells_nothing_is_not_waited_for():
    assert unrest(Calm(), REST) is None


def test_a_calm_board_is_not_kept_waiting():
    waited_s, reason = wait_for_calm(board(45000, "0.00"), REST, wait_s=60.0)
    assert reason is None
    assert waited_s < 5


def test_a_board_that_stays_hot_is_measured_after_the_wait_and_that_is_said():
    began = time.monotonic()
    waited_s, reason = wait_for_calm(board(70000, "0.00"), REST, wait_s=0.2)
    assert "70.0 °C" in str(reason)
    assert 0.2 <= waited_s <= time.monotonic() - began
