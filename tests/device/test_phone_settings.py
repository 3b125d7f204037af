"""A phone is kept awake and at steady clocks while it is measured, and is as it was afterwards."""

import os
import subprocess
import time

import pytest

from edgebench.device.connect import connect
from edgebench.device.look import Listing
from edgebench.device.settings import Board, Wanted, lines_of
from edgebench.device.steady import steady
from edgebench.runner import shipped
from tests.conftest import need
from tests.phone import switched_on
from tests.simulated_boards import SimulatedPhone

GUARD = shipped("runners") / "guard.sh"
ALL = Wanted(keep_awake=True, fixed_performance=True)
LINES = "stay_on 7\nscreen_off_ms 2147483647\nwakefulness Awake\nfixed_performance true\n"
DURING = {
    "global.stay_on_while_plugged_in": "7",
    "system.screen_off_timeout": "2147483647",
    "wakefulness": "Awake",
    "fixed": "true",
}


@pytest.fixture
def simulated():
    """A phone's files and programs: it sleeps, and only its screen's time was ever set."""
    made = SimulatedPhone()
    made.write({made.state / "wakefulness": "Asleep"})
    made.write({made.state / "system.screen_off_timeout": "30000"})
    made.open_to_all()
    yield made
    made.remove()


@pytest.fixture
def guarded(simulated, tmp_path):
    """Start the guard under a phone's programs; what it prints. It is gone with the test."""

    def start(lines, *, lease_s):
        for name in ("steady", "jobs"):
            (tmp_path / name).mkdir()
        argv = ["sh", str(GUARD), str(tmp_path / "steady"), str(tmp_path / "jobs"), str(lease_s)]
        path = f"{simulated.programs}:{os.environ['PATH']}"
        return subprocess.run(
            argv,
            input=lines,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

    yield start
    if (tmp_path / "steady" / "standing").exists():
        (tmp_path / "steady" / "release").touch()
        assert is_so_soon((tmp_path / "steady" / "restored").exists)


def is_so_soon(condition):
    stop_s = time.monotonic() + 30
    while not condition() and time.monotonic() < stop_s:
        time.sleep(0.1)
    return condition()


def test_what_is_set_reads_so_and_is_back_when_the_host_is_no_more(simulated, guarded, tmp_path):
    before = simulated.settings()
    assert guarded(LINES, lease_s=600).stdout == LINES
    assert simulated.settings() == DURING
    # As if the host was last heard of hours ago.
    part = tmp_path / "lease"
    part.write_text(f"{int(time.clock_gettime(time.CLOCK_BOOTTIME)) - 10_000}\n")
    part.replace(tmp_path / "steady" / "lease")
    assert is_so_soon(lambda: simulated.settings() == before)


def test_a_phone_behind_adb_is_set_by_its_shell_and_put_back(simulated, server):
    need("adb")
    before = simulated.settings()
    with switched_on(simulated.programs) as phone:
        assert "connected" in server.adb("connect", phone.serial)
        device = connect(phone.address)
        guard = device.work_folder / "guard.sh"
        device.transport.run(["mkdir", "-p", str(device.work_folder)])
        device.transport.push(GUARD, guard)
        with steady(device, guard, wanted=ALL) as held:
            during = simulated.settings()
        device.transport.close()
    assert (held.refused, during) == ((), DURING)
    assert simulated.settings() == before


def test_a_phone_without_the_mode_says_so_and_stays_awake_all_the_same(simulated, guarded):
    (simulated.state / "has_fixed").unlink()
    done = guarded(LINES, lease_s=600)
    assert "fixed_performance false\n" in done.stdout
    assert "Failed to set FIXED_PERFORMANCE mode" in done.stderr
    assert simulated.settings()["wakefulness"] == "Awake"


@pytest.mark.parametrize("wanted", [Wanted(keep_awake=True), Wanted(fixed_performance=True)])
def test_what_is_no_phone_has_nothing_of_it(wanted):
    board = Board(listing=Listing(tools=frozenset({"cmd"})), facts={"wakefulness": None})
    lines, refused = lines_of(board, wanted)
    assert lines == {}
    assert "this device is none" in refused[0]
