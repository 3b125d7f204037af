"""Simulated boards behind a real sshd: each names its planted troubles, and is left as it was."""

import json

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from tests.simulated import SimulatedPi
from tests.simulated_boards import SimulatedJetson, SimulatedPhone


def planted_pi():
    board = SimulatedPi(has_pmic=False)
    board.throttle(0x50005)
    zone = board.sys_class / "thermal" / "thermal_zone0"
    board.write({zone / "temp": "76400", zone / "trip_point_1_type": "passive"})
    board.write({zone / "trip_point_1_temp": "80000"})
    return board, {
        "governor": "policy0 ondemand",
        "throttled_now": "under-voltage, throttled",
        "hot": "cpu-thermal at 76.4 °C, slows down at 80 °C",
        "energy_source": "no_sensor",
    }


def planted_pi_5():
    board = SimulatedPi(has_pmic=True)
    board.throttle(0xA0000)
    return board, {
        "governor": "policy0 ondemand",
        "throttled_before": "clock capped, soft temperature limit",
    }


def planted_jetson():
    board = SimulatedJetson()
    board.count_event(3)
    return board, {
        "governor": "policy0 schedutil",
        "clocks_not_locked": "jetson_clocks is off",
        "power_mode": "15W, of 15W, 25W, MAXN_SUPER",
        "over_current": "oc1 1, oc2 2, oc3 4",
        "fan": "nvfancontrol is active, duty 66 of 255",
    }


def planted_phone():
    board = SimulatedPhone()
    board.charge(12, is_fed=True)
    board.get_hot(2)
    board.write({board.state / "wakefulness": "Asleep", board.state / "global.low_power": "1"})
    return board, {
        "battery_low": "12 %",
        "charging": "charging by USB",
        "battery_saver": "on",
        "asleep": "Asleep",
        "falls_asleep": "the screen goes off after 60 s",
        "thermal_service": "thermal status 2 (moderate)",
    }


@pytest.fixture
def examined(plugged):
    """The doctor's document, and what it ended with."""

    def examine(board):
        server, device = plugged(board)
        device.transport.close()
        done = CliRunner().invoke(main, ["device", "doctor", server.address, "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert not server.seen(device.work_folder).exists()
        return json.loads(done.stdout), done.exit_code

    return examine


@pytest.mark.parametrize("plant", [planted_pi, planted_pi_5, planted_jetson, planted_phone])
def test_a_board_names_what_was_planted_in_it(examined, plant):
    board, planted = plant()
    told, exit_code = examined(board)
    found = {row["check"]: row["found"] for row in told["findings"]}
    assert {
        name: words for name, words in planted.items() if words not in found.get(name, "")
    } == {}
    assert exit_code == told["exit_code"] == 3


@pytest.mark.parametrize("make", [SimulatedJetson, SimulatedPhone])
def test_nothing_is_changed_on_what_is_examined(examined, make):
    board = make()
    if isinstance(board, SimulatedJetson):
        board.may_become_root()
    before = board.settings()
    examined(board)
    assert board.settings() == before


def test_the_worst_is_told_first_and_with_what_mends_it(plugged):
    board, _ = planted_jetson()
    server, device = plugged(board)
    device.transport.close()
    done = CliRunner().invoke(main, ["device", "doctor", server.address])
    first, *_ = done.stdout.splitlines()
    assert first.startswith("serious: ")
    assert "  mend      sudo jetson_clocks\n" in done.stdout
    assert "  edgebench `jetson_clocks = true` in the plan: set and put back" in done.stdout
    assert "would spoil a measurement" in done.stdout.splitlines()[-1]
