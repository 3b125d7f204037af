"""A phone below its floor is waited for while it is charged, and else not measured."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from edgebench.core import Completed, Device
from edgebench.device.profile import load_profile
from edgebench.errors import DeviceError
from edgebench.measure.protocol import PRESETS
from edgebench.measure.state import battery
from edgebench.measure.state.battery import wait_for_battery


class Charging:
    """A transport whose battery gains five percent with every look."""

    address = "replay://charging"

    def __init__(self, percent, state):
        self.percent, self.state, self.looks, self.renewed = percent, state, 0, 0

    def run(self, argv, *, timeout_s=60.0, stdin=b""):
        if "edgebench-renew" in argv:
            self.renewed += 1
            return Completed(argv=tuple(argv), exit_code=0, stdout=b"", stderr=b"")
        assert tuple(argv) == ("dumpsys", "battery")
        self.looks += 1
        text = f"Current Battery Service state:\n  status: {self.state}\n"
        text += f"  level: {self.percent}\n  scale: 100\n"
        self.percent += 5 if self.state == 2 else 0
        return Completed(argv=tuple(argv), exit_code=0, stdout=text.encode(), stderr=b"")

    def push(self, source, target, *, timeout_s=600.0):
        raise AssertionError

    def pull(self, source, target, *, timeout_s=600.0):
        raise AssertionError

    def close(self):
        pass


def phone(transport, **facts):
    return Device(
        name="pixel",
        profile=load_profile("android-phone"),
        transport=transport,
        facts={"battery": {"level_percent": 80}, **facts},
        work_folder=PurePosixPath("/data/local/tmp/edgebench"),
    )


def protocol(**changes):
    return replace(PRESETS["quick"], **changes)


def test_a_battery_above_the_floor_is_looked_at_once():
    board = Charging(31, 3)
    wait_for_battery(phone(board), protocol())
    assert board.looks == 1


def test_one_below_it_that_discharges_ends_the_phone_s_part_at_once():
    board = Charging(12, 3)
    with pytest.raises(DeviceError, match="pixel is not measured: its battery is at 12 %, below"):
        wait_for_battery(phone(board), protocol(gate_wait_s=600.0))
    assert board.looks == 1


def test_one_that_is_charged_is_waited_for_and_stays_as_it_is_set(monkeypatch):
    monkeypatch.setattr(battery, "LOOK_EVERY_S", 0.05)
    board = Charging(22, 2)
    wait_for_battery(phone(board), protocol(gate_wait_s=60.0))
    assert (board.looks, board.renewed) == (3, 2)


def test_one_that_is_charged_too_slowly_is_not_waited_for_longer_than_the_protocol_says():
    board = Charging(1, 2)
    with pytest.raises(DeviceError, match="below the floor of 90 %") as caught:
        wait_for_battery(phone(board), protocol(battery_floor_percent=90.0, gate_wait_s=0.0))
    assert "edgebench run --resume RUN" in str(caught.value.hint)


def test_a_board_without_a_battery_is_not_asked():
    board = Charging(0, 3)
    wait_for_battery(phone(board, battery=None), protocol())
    assert board.looks == 0


def test_a_floor_of_0_measures_to_the_end():
    board = Charging(0, 3)
    wait_for_battery(phone(board), protocol(battery_floor_percent=0.0))
    assert board.looks == 1
