"""What the doctor prints, and what it ends with."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from edgebench.device.replay import Answer, Capture, write_capture
from tests.device.boards import BOARDS


@pytest.fixture
def replayed(tmp_path, monkeypatch):
    """The address of a board that was captured, with some answers changed."""
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(tmp_path / "devices.toml"))

    def write(board, **answers):
        text = BOARDS[board].read_text()
        text += "".join(f"\n@@edgebench-fact {name}\n{words}\n" for name, words in answers.items())
        path = tmp_path / "board.json"
        capture = Capture(answers={"edgebench-facts": Answer(stdout=text)}, recorded_s=1763884800.0)
        write_capture(path, capture)
        return f"replay://{path}"

    return write


QUIET = {
    "frequency_policies": "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor performance"
}


def test_what_only_costs_a_doubt_ends_with_0(replayed):
    done = CliRunner().invoke(main, ["device", "doctor", replayed("pi4-bookworm", **QUIET)])
    assert done.exit_code == 0
    assert "doubt: throttled_before: under-voltage, throttled\n" in done.stdout
    assert done.stdout.endswith("nothing would spoil a measurement\n")


def test_what_spoils_a_measurement_ends_with_3(replayed):
    done = CliRunner().invoke(main, ["device", "doctor", replayed("pi4-bookworm")])
    assert done.exit_code == 3
    assert done.stdout.startswith("serious: governor: policy0 ondemand\n")
    assert "raspberry-pi-4: " in done.stdout


def test_one_document_is_all_that_a_script_reads(replayed):
    address = replayed("pixel-6-android-14")
    done = CliRunner().invoke(main, ["device", "doctor", address, "--json"])
    told = json.loads(done.stdout)
    assert (told["schema"], told["profile"]) == ("edgebench.doctor/1", "android-phone")
    assert {"battery_low", "asleep", "cores_withheld"} <= {row["check"] for row in told["findings"]}
    assert set(told["findings"][0]) == {
        *("check", "severity", "found", "why", "source", "mend", "edgebench")
    }


def test_what_a_device_says_does_not_steer_the_terminal(replayed):
    policy = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor \x1b[2Jevil\x07"
    address = replayed("pi4-bookworm", frequency_policies=policy)
    shown = CliRunner().invoke(main, ["device", "doctor", address]).stdout
    assert r"policy0 \x1b[2Jevil\x07" in shown
    assert "\x1b" not in shown
    assert "\x1b" not in CliRunner().invoke(main, ["device", "probe", address]).stdout


def test_who_is_root_is_told_no_sudo(replayed):
    address = replayed("pi4-bookworm", is_root="yes")
    told = json.loads(CliRunner().invoke(main, ["device", "doctor", address, "--json"]).stdout)
    mends = {row["check"]: row["mend"] for row in told["findings"]}
    assert mends["governor"].startswith("echo performance | tee /sys/devices/system/cpu/cpufreq/")
    assert not any("sudo" in (mend or "") for mend in mends.values())


def test_a_device_that_is_not_there_ends_with_2():
    assert CliRunner().invoke(main, ["device", "doctor", "none-such"]).exit_code == 2


def test_a_meter_at_the_host_is_no_missing_meter(replayed):
    address = replayed("pi4-bookworm")
    path = Path(address.removeprefix("replay://"))
    document = json.loads(path.read_text())
    document["answers"]["edgebench-look"] = {"stdout": "tool\0sh\0"}
    path.write_text(json.dumps(document))
    add = ["device", "add", "pi", address, "--profile", "raspberry-pi-4"]
    checks = []
    for more in ([], ["--meter", "tasmota:192.0.2.9"]):
        CliRunner().invoke(main, [*add, *more])
        told = json.loads(CliRunner().invoke(main, ["device", "doctor", "pi", "--json"]).stdout)
        checks.append("energy_source" in {row["check"] for row in told["findings"]})
    assert checks == [True, False]
