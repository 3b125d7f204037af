"""A plan on a simulated board: what it sets, and what of the board is in the files of a run."""

import json
import socket
from pathlib import Path

import pytest

from tests.measure.conftest import plugged
from tests.simulated_boards import SimulatedJetson

__all__ = ["plugged"]

SERIAL = "10000000a3f1b2c4"
MAC = "48:b0:2d:5e:aa:01"
MACHINE = "5a0d3c41b7e94f0c8e7d6f5a4b3c2d1e"
HOST = "orin-of-somebody"

PLAN = """
[[device]]
name = "orin"
address = "{address}"
power_mode = "25W"
fan = "80 %"
[[variant]]
name = "float"
"""


def named(board):
    """Give a board all that tells it from every other one of its kind."""
    cpuinfo = Path("/proc/cpuinfo").read_text() + f"\nSerial\t\t: {SERIAL}\n"
    board.write({board.folder / "cpuinfo": cpuinfo})
    board.write({board.model / "serial-number": SERIAL})
    board.write({board.sys_class / "net" / "eth0" / "address": MAC})
    board.write({board.etc / "hostname": HOST, board.etc / "machine-id": MACHINE})
    board.open_to_all()
    mounts = {**board.board.mounts, "/proc/cpuinfo": board.folder / "cpuinfo"}
    return {"mounts": mounts, "host": HOST}


def texts(folder):
    """Everything in the files of a run, and their names."""
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)).encode()
        if path.is_file():
            yield path.read_bytes()


def test_a_plan_sets_a_board_and_no_file_tells_it_from_others_of_its_kind(
    plugged, plan_with, edgebench, tmp_path
):
    board = SimulatedJetson()
    board.may_become_root()
    server, device = plugged(board, **named(board))
    # What is to be left out is there to be read.
    read = device.transport.run(
        ["sh", "-c", "cat /proc/cpuinfo /sys/class/net/*/address; uname -n"]
    )
    assert all(word.encode() in read.stdout for word in (SERIAL, MAC, HOST))
    device.transport.close()
    before = board.settings()
    plan = plan_with(PLAN.format(address=server.address))
    env = {"EDGEBENCH_SSH_CONFIG": str(server.config)}
    printed = edgebench("run", plan, "--json", **env)
    (run,) = (tmp_path / "results").glob("*")
    kept = json.loads((run / "run.json").read_text())
    assert kept["devices"]["orin"]["facts"]["soc"] == "nvidia,tegra234"
    key = kept["cells"][0]["key"]
    measurement = json.loads((run / "measurements" / f"{key}.json").read_text())
    states = [process["state"] for process in measurement["processes"]]
    assert {(state["power_mode"], state["fan"]) for state in states} == {("25W", "80 %")}
    assert set(measurement["fingerprint"]) == {"hw", "sw", "state", "runtime"}
    assert board.settings() == before
    secrets = [SERIAL, MAC, MACHINE, HOST, socket.gethostname()]
    whole = b"\n".join((*texts(run), printed.stdout.encode(), printed.stderr.encode()))
    assert [word for word in secrets if len(word) > 3 and word.encode() in whole] == []


def test_two_connections_to_one_board_find_one_fingerprint_and_another_mode_another(plugged):
    from edgebench.device.connect import connect
    from edgebench.device.facts import fingerprint

    board = SimulatedJetson()
    server, device = plugged(board)
    first = fingerprint(device.facts)
    board.write({board.sys_class / "thermal" / "thermal_zone0" / "temp": "61200"})
    board.write({board.cpufreq / "policy0" / "scaling_cur_freq": "1510400", board.fan: "120"})
    again = connect(server.address)
    assert fingerprint(again.facts) == first
    again.transport.close()
    device.transport.close()
    board.write({board.state / "nvpmodel": "NV Power Mode: 25W\n1"})
    changed = connect(server.address)
    changed.transport.close()
    assert {part for part in first if fingerprint(changed.facts)[part] != first[part]} == {"state"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('fan = "fast"', "'fast'"),
        ('fan = "120 %"', "'120 %'"),
        ('jetson_clocks = "yes"', "jetson_clocks"),
        ('keep_awake = "yes"', "keep_awake"),
        ("power_mode = true", "power_mode"),
        ("power_modes = 1", "Nearest: `power_mode`"),
        ('[protocol]\njetson_clocks = "yes"', "`protocol.jetson_clocks` is 'yes'"),
        ("[protocol]\nfixed_performance = 1", "`protocol.fixed_performance` is 1"),
        ("[protocol]\nbattery_floor_percent = -1", "it must be at least 0"),
        ("[protocol]\npower_mode = true", "`protocol.power_mode` is True"),
        ('[protocol]\nfan = "fast"', "'fast'"),
    ],
)
def test_a_setting_that_is_none_is_refused_before_anything_runs(plan_with, edgebench, line, words):
    device = f'[[device]]\nname = "x"\naddress = "local://"\n{line}\n'
    done = edgebench(
        "lint", plan_with(f'{device}[[variant]]\nname = "float"\n', protocol=""), exit_code=2
    )
    assert words in done.stderr
