"""A session that is kept for replay tells the same of a board, and not whose it is."""

import contextlib
import json
import os
from dataclasses import replace

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from edgebench.core import FILE_BYTES_MAX, Completed
from edgebench.device.facts import MARK, read_facts
from edgebench.device.record import Recorder, scrubbed, secrets_of
from edgebench.device.replay import command_key, open_replay, write_capture
from edgebench.workflow.probe import probe
from tests.conftest import miss, need
from tests.programs import UnavailableError
from tests.simulated import SimulatedPi
from tests.sshd import started

HOST = "lab-of-alice"
SERIAL = "10000000deadbeef"
BATTERY = "SNBAT004711"
PLANTED = {
    "host": HOST,
    "address": "192.168.77.7",
    "network card": "dc:a6:32:01:02:03",
    "address of version 6": "fe80::dea6:32ff:fe01:203",
    "mail": "alice@corp.example",
    "disk": "9f1c0b3a-1111-4222-8333-abcdefabcdef",
    "serial": SERIAL,
}


@pytest.fixture
def named():
    """A Pi with a name and serial numbers of its own, all over what it says."""
    need("sshd")
    if os.geteuid() != 0:
        miss("only root can give a device files of its own")
    board = SimulatedPi(has_pmic=True)
    words = ", ".join(PLANTED.values())
    board.write({board.etc / "os-release": f'PRETTY_NAME="Debian of {words}"'})
    (board.model / "serial-number").write_bytes(SERIAL.encode() + b"\0")
    battery = board.sys_class / "power_supply" / "battery"
    board.write({battery / "uevent": f"POWER_SUPPLY_SERIAL_NUMBER={BATTERY}\nPOWER_SUPPLY_X=1"})
    board.open_to_all()
    with contextlib.ExitStack() as stack:
        stack.callback(board.remove)
        try:
            server = stack.enter_context(started(board=replace(board.board, host=HOST)))
        except UnavailableError as error:
            miss(str(error))
        with (server.home / ".bashrc").open("a") as rc:
            rc.write(f"echo {words} {BATTERY}; echo {words} >&2\n")
        yield server


@pytest.fixture
def recorded(named, tmp_path, monkeypatch):
    """What the board said, and the file that it was kept in."""
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(tmp_path / "devices.toml"))
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(named.config))
    path = tmp_path / "board.json"
    return probe(named.address, record=str(path)), path


def test_nothing_that_names_the_board_or_its_owner_is_in_the_file(recorded, named):
    facts, path = recorded
    text = path.read_text()
    names = [*PLANTED.values(), BATTERY, named.user, str(named.home), str(named.port)]
    assert [name for name in names if name in text] == []
    assert all(name in str(facts["os"]) for name in PLANTED.values())
    assert "Raspberry Pi 5" in text
    assert "POWER_SUPPLY_X=1" in text


def test_the_file_tells_the_same_of_the_board_as_the_board(recorded):
    facts, path = recorded
    again = probe(f"replay://{path}")
    differs = {name for name in facts if facts[name] != again[name]}
    assert differs <= {"os", "home", "work_folder"}
    assert again["home"] == "/home/user"
    assert str(again["os"]).startswith("Debian of board, 192.0.2.1, 02:00:00:00:00:00")
    assert again["profile"] == "raspberry-pi-5"
    assert again["energy_sources"] == facts["energy_sources"] != []
    assert again["clock_skew_s"] == facts["clock_skew_s"]


def test_a_record_of_a_record_is_the_same(recorded, tmp_path):
    _, path = recorded
    twice = tmp_path / "twice.json"
    done = CliRunner().invoke(
        main, ["device", "probe", f"replay://{path}", "--record", str(twice), "--json"]
    )
    assert done.exit_code == 0
    assert json.loads(twice.read_text()) == json.loads(path.read_text())
    assert f"replay://{twice}" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "Raspberry Pi 4 Model B Rev 1.4",
        "6.6.31+rpt-rpi-v8",
        "nvidia,tegra234",
        "google/oriole/oriole:14/AP1A.240505.004/11583682:user/release-keys",
        "Filename Type Size Used Priority\n/dev/zram0 partition 1942144 12 100",
        "some avg10=0.00 avg60=0.12 avg300=0.05 total=1234567",
        "/sys/class/hwmon/hwmon1/in1_input 5008",
        "libstdc++.so.6.0.30",
        "11:38:09",
    ],
)
def test_what_names_nobody_stays_as_it_is(text):
    names = secrets_of("user pi\nuser nvidia\nhost raspberrypi\nhost jetson\n", "ssh://pi@jetson")
    assert scrubbed(text, names) == text


class Answering:
    """A transport that answers each of our scripts by a text."""

    address = "local://"

    def __init__(self, texts):
        self.texts = texts

    def run(self, argv, *, timeout_s=60.0, stdin=b""):
        text = self.texts[command_key(argv)]
        return Completed(argv=tuple(argv), exit_code=0, stdout=text.encode(), stderr=b"")

    def push(self, source, target, *, timeout_s=600.0):
        raise AssertionError

    def pull(self, source, target, *, timeout_s=600.0, bytes_max=FILE_BYTES_MAX):
        raise AssertionError

    def close(self):
        pass


def test_who_is_called_as_a_mark_is_spoils_no_record(tmp_path):
    words = f"x\n{MARK}home\n/home/edgebench\n{MARK}kernel\n6.1\n"
    inner = Answering({"edgebench-facts": words, "edgebench-names": "user edgebench\n"})
    recorder = Recorder(inner)
    read_facts(recorder)
    path = tmp_path / "r.json"
    write_capture(path, recorder.capture())
    facts = read_facts(open_replay(f"replay://{path}"))
    assert (facts["home"], facts["kernel"]) == ("/home/user", "6.1")


@pytest.mark.parametrize(
    ("told", "address", "text"),
    [
        ("user bob", "local://", "/home/bob/x"),
        ("person Bob Miller", "local://", "PC of Bob Miller"),
        ("host bobs-pi.lan", "local://", "on bobs-pi"),
        ("domain corp.example.com", "local://", "x.corp.example.com"),
        ("serial R5CT30ABCDE", "local://", "id SNr5ct30abcde7."),
        ("", "local://", "/sys/class/power_supply/hid-a3:f1:b2:c4:00:0b-battery/online"),
        ("", "adb://R5CT30ABCDE", "id R5CT30ABCDE."),
        ("", "ssh://bob@bobs-pi:2222", "bob at bobs-pi"),
        ("", "local://", "Serial\t\t: 00000000a3f1b2c4"),
        ("", "local://", "POWER_SUPPLY_SERIAL_NUMBER=A1"),
    ],
)
def test_a_name_is_found_wherever_it_stands(told, address, text):
    shown = scrubbed(text, secrets_of(told, address))
    assert not any(n in shown for n in ("bob", "Bob", "corp", "R5CT", "r5ct", "a3", "=A1"))
