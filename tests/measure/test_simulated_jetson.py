"""Jetsons and a phone that are simulated behind a real sshd: what they say, set and take."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgebench.core import Reason
from edgebench.device.facts import fingerprint
from edgebench.device.settings import Wanted
from edgebench.device.steady import steady
from edgebench.errors import DeviceError
from edgebench.measure.energy.recorded import summarize_energy
from edgebench.measure.state.verdict import state_reasons
from edgebench.runner import shipped
from tests.simulated import BRISK, IDLE_W, runners_of
from tests.simulated_boards import SimulatedJetson, SimulatedNano, SimulatedPhone

GUARD = PurePosixPath(shipped("runners") / "guard.sh")
ALL = replace(BRISK, governor="performance", power_mode="25w", jetson_clocks=True, fan="100 %")


def test_a_jetson_says_what_it_is_and_how_it_is_set(plugged):
    board = SimulatedJetson()
    _, device = plugged(board)
    facts = device.facts
    device.transport.close()
    assert device.profile.name == "jetson-orin-nano"
    assert facts["soc"] == "nvidia,tegra234"
    assert str(facts["l4t"]).startswith("# R36 (release)")
    assert facts["power_mode"] == {"id": 0, "name": "15W", "fan": None}
    assert facts["power_modes"] == {"0": "15W", "1": "25W", "2": "MAXN_SUPER"}
    assert (facts["fan_control"], facts["fan_pwm"]) == ("active", {"hwmon2/pwm1": 66})
    assert facts["clocks_locked"] is False
    assert facts["frequency_policies"]["policy0"]["max_hz"] == 1_728_000_000
    assert set(fingerprint(facts)) == {"hw", "sw", "state"}


@pytest.mark.parametrize(
    ("make", "meter", "scope"),
    [
        (SimulatedJetson, "ina3221 VDD_IN", "module"),
        (lambda: SimulatedJetson(has_ina3221=False), "tegrastats", "module"),
        (SimulatedNano, "ina3221 POM_5V_IN", "module"),
        (SimulatedPhone, "power_stats", "soc_rails"),
    ],
    ids=["orin nano", "orin nano by tegrastats", "nano with JetPack 4", "phone"],
)
def test_the_joules_of_a_board_are_those_that_it_took(plugged, measured, make, meter, scope):
    board = make()
    server, device = plugged(board)
    with board.powered(server.uid) as power:
        recorded, _ = measured(device, replace(BRISK, energy_runs=1))
    assert recorded.measurement.energy is not None, recorded.measurement.missing
    (run,) = recorded.measurement.energy
    assert (run.meter, run.scope) == (meter, scope)
    energy = summarize_energy(recorded)
    assert energy is not None
    begin_ns, end_ns = run.active_ns
    whole_j = power.joules_above_idle(begin_ns, end_ns) + IDLE_W * (end_ns - begin_ns) / 1e9
    assert energy.gross_j.value == pytest.approx(whole_j / run.inferences, rel=0.01)


@contextlib.contextmanager
def over_current(board, jobs, *, first_only):
    """Events while a latency process runs: of each one, or only of the first launch of all."""
    stop, ended = threading.Event(), threading.Event()

    def count():
        seen: set[str] = set()
        while not stop.wait(0.05):
            names = {path.name for path in jobs.glob("*.b[0-9]*")} if jobs.exists() else set()
            seen |= names
            if first_only and (len(seen) > 1 or (seen and not names)):
                ended.set()
                return
            if names:
                board.count_event(3)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join()


def test_an_over_current_event_during_the_samples_has_the_process_run_anew(plugged, measured):
    board = SimulatedJetson()
    _, device = plugged(board)
    with over_current(board, Path(device.work_folder / "jobs"), first_only=True) as ended:
        recorded, _ = measured(device, replace(BRISK, blocks_min=3, blocks_max=3))
    assert ended.is_set()
    processes = recorded.measurement.processes
    assert [process.repeats for process in processes] == [1, 0, 0]
    assert [process.invalid for process in processes] == [()] * 3
    assert processes[0].state["over_current_events"] == {f"oc{n}_event_cnt": 0 for n in (1, 2, 3)}


def test_over_current_events_in_every_process_make_the_cell_invalid(plugged, measured):
    board = SimulatedJetson()
    _, device = plugged(board)
    with over_current(board, Path(device.work_folder / "jobs"), first_only=False):
        recorded, _ = measured(device)
    processes = recorded.measurement.processes
    assert [process.repeats for process in processes] == [BRISK.repeats_max] * 2
    assert state_reasons(processes)[1] == (Reason.OVERCURRENT,)


def test_all_that_a_plan_asks_for_stands_while_it_is_measured_and_is_back_afterwards(
    plugged, measured
):
    board = SimulatedJetson()
    board.may_become_root()
    _, device = plugged(board)
    before = board.settings()
    recorded, told = measured(device, ALL)
    assert [line for line in told if "not under" in line] == []
    state = recorded.measurement.processes[0].state
    assert {name: state[name] for name in ("governor", "power_mode", "jetson_clocks", "fan")} == {
        "governor": "performance",
        "power_mode": "25w",
        "jetson_clocks": True,
        "fan": "100 %",
    }
    assert board.settings() == before
    # The numbers are those of the state that was set, and not of the one that was found.
    assert recorded.measurement.fingerprint["hw"] == fingerprint(device.facts)["hw"]
    assert recorded.measurement.fingerprint["state"] != fingerprint(device.facts)["state"]


def test_what_is_set_is_seen_on_the_board_and_put_back_when_the_block_ends(plugged):
    board = SimulatedJetson()
    board.may_become_root()
    _, device = plugged(board)
    before = board.settings()
    with steady(device, GUARD, wanted=Wanted.of(ALL)) as held:
        assert held.refused == ()
        during = board.settings()
    device.transport.close()
    assert during[str(board.state / "nvpmodel")] == "NV Power Mode: 25W\n1\n"
    assert during[str(board.state / "nvfancontrol")] == "inactive\n"
    assert during[str(board.fan)] == "255\n"
    assert during[str(board.cpufreq / "policy0" / "scaling_min_freq")] == "1728000\n"
    assert during[str(board.cpufreq / "policy0" / "scaling_governor")] == "performance\n"
    assert board.settings() == before


@pytest.mark.parametrize(
    ("wanted", "is_root", "words"),
    [
        (Wanted(power_mode=1), False, "no permission to become root: sudo: a password is required"),
        (Wanted(power_mode="MAXN"), True, "no power mode MAXN, only 0 15W, 1 25W, 2 MAXN_SUPER"),
        (Wanted(power_mode="MAXN_SUPER"), True, "nvpmodel stays 0: NVPM WARN: Reboot required"),
    ],
    ids=["may not", "has not", "would start the board anew"],
)
def test_a_setting_that_is_refused_says_why_and_touches_nothing(plugged, wanted, is_root, words):
    board = SimulatedJetson()
    if is_root:
        board.may_become_root()
    _, device = plugged(board)
    before = board.settings()
    with steady(device, GUARD, wanted=wanted) as held:
        assert len(held.refused) == 1
        assert words in held.refused[0]
        assert board.settings() == before
    device.transport.close()
    assert board.settings() == before
    assert not (board.state / "rebooted").exists()


def test_a_runner_that_is_killed_leaves_the_power_mode_as_it_was(plugged, measured):
    board = SimulatedJetson()
    board.may_become_root()
    server, device = plugged(board)
    before = board.settings()
    jobs = Path(device.work_folder / "jobs")
    during: list[str] = []

    def kill():
        stop_s = time.monotonic() + 120
        while time.monotonic() < stop_s and not during:
            time.sleep(0.02)
            found = runners_of(server.uid)
            if found and any(jobs.glob("*.b0-*")):
                during.append((board.state / "nvpmodel").read_text())
                os.kill(found[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    recorded, _ = measured(device, ALL)
    thread.join()
    assert during == ["NV Power Mode: 25W\n1\n"]
    assert recorded.measurement.reasons == (Reason.KILLED,)
    assert board.settings() == before


KILLED = """
import sys, time
from pathlib import PurePosixPath
from edgebench.device.connect import connect
from edgebench.device.settings import Wanted
from edgebench.device.steady import steady
device, guard = connect(sys.argv[1]), PurePosixPath(sys.argv[2])
asked = {"governor": "performance", "power_mode": "25W", "jetson_clocks": True, "fan": "100 %"}
with steady(device, guard, wanted=Wanted(**asked), lease_s=3) as held:
    print(dict(held.reads), held.refused, flush=True)
    time.sleep(600)
"""


def test_a_host_that_is_killed_leaves_the_board_as_it_was(plugged):
    board = SimulatedJetson()
    board.may_become_root()
    server, device = plugged(board)
    device.transport.close()
    before = board.settings()
    argv = [sys.executable, "-c", KILLED, server.address, str(GUARD)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        told = host.stdout.readline()
        assert "'nvpmodel': '1'" in told
        assert "'jetson_clocks': 'locked'" in told
        assert told.endswith(" ()\n")
        during = board.settings()
        host.send_signal(signal.SIGKILL)
    assert {path for path in before if before[path] != during[path]} >= {
        *map(str, (board.fan, board.state / "nvpmodel", board.state / "nvfancontrol")),
        str(board.cpufreq / "policy0" / "scaling_governor"),
    }
    stop_s = time.monotonic() + 20
    while board.settings() != before and time.monotonic() < stop_s:
        time.sleep(0.2)
    assert board.settings() == before


def test_a_phone_is_kept_awake_while_it_is_measured_and_sleeps_again_afterwards(plugged, measured):
    board = SimulatedPhone()
    board.write({board.state / "wakefulness": "Asleep"})
    board.open_to_all()
    _, device = plugged(board)
    before = board.settings()
    recorded, told = measured(device, replace(BRISK, keep_awake=True, fixed_performance=True))
    assert [line for line in told if "not under" in line] == []
    state = recorded.measurement.processes[0].state
    assert (state["keep_awake"], state["fixed_performance"]) == (True, True)
    assert board.settings() == before


def test_a_phone_that_runs_out_is_not_measured_and_is_left_alone(plugged, measured):
    board = SimulatedPhone()
    board.charge(12)
    _, device = plugged(board)
    before = board.settings()
    with pytest.raises(DeviceError, match="its battery is at 12 %, below the floor of 30 %"):
        measured(device, replace(BRISK, keep_awake=True))
    device.transport.close()
    assert board.settings() == before


def test_a_phone_that_is_hot_is_invalid_by_what_its_hal_says(plugged, measured):
    board = SimulatedPhone()
    board.get_hot(2)
    _, device = plugged(board)
    recorded, _ = measured(device)
    processes = recorded.measurement.processes
    assert state_reasons(processes)[1] == (Reason.THROTTLED,)
    assert processes[0].state["temp_max_c"] == {"CPU": 47.1}
