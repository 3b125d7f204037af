import json
import shutil
from typing import TYPE_CHECKING

import pytest

from edgebench.device.facts import FACTS, MARK, fingerprint, read_facts, script, split_answers
from edgebench.device.local import LocalTransport
from edgebench.device.phone_facts import PHONE_FACTS
from edgebench.device.replay import Answer, Capture, ReplayTransport
from edgebench.device.share_facts import LOAD_FACTS, SHARE_FACTS
from edgebench.device.share_readers import is_emulated
from edgebench.device.state_facts import STATE_FACTS
from edgebench.errors import DeviceError
from tests.device.boards import BOARDS, replayed

if TYPE_CHECKING:
    from pydantic import JsonValue


# What a virtual machine, or one that is no board, may not have.
RARE = {name for name, fact in STATE_FACTS.items() if fact.part == "state"} - {"cpu_count"}
RARE |= {"frequency_now_hz", "fan_pwm", "screen", "power_modes", "soc", "product", "firmware"}
RARE |= {"build", "cpu_revisions", "governors_available", "throttled", "thermal_trips_c"}
RARE |= {"over_current_events", "cpus_offline", *PHONE_FACTS, *SHARE_FACTS, *LOAD_FACTS}


def test_a_device_tells_everything_in_one_round_trip():
    replay = replayed("pi4-bookworm")
    read_facts(replay)
    assert len(replay.sent) == 1


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_fact_is_read_from_a_board(name):
    facts = read_facts(replayed(name))
    expected = json.loads(BOARDS[name].with_suffix(".json").read_text())
    assert {key: facts[key] for key in expected} == expected


def test_of_all_boards_the_emulated_ones_are_known_as_such():
    emulated = {name for name in BOARDS if is_emulated(read_facts(replayed(name)))}
    assert emulated == {"pi4-in-qemu-user", "pi3-in-qemu-system", "virt-in-qemu-system"}


def test_every_fact_has_a_capture():
    answers = split_answers(BOARDS["pi4-bookworm"].read_text())
    assert set(answers) == set(FACTS)


def test_this_machine_says_what_it_is(tmp_path):
    facts = read_facts(LocalTransport(), work_folder=str(tmp_path))
    unknown = {key for key, value in facts.items() if value is None}
    assert unknown <= {"model", "l4t", "governor", "temperatures_c", "cpu_features", "cpus", *RARE}
    assert isinstance(facts["work_free_bytes"], int)
    assert facts["work_is_writable"] is True
    assert facts["clock_skew_s"] == 0


def test_nothing_that_names_one_single_board_is_asked_for():
    words = ("serial", "hostname", "uname -a", "uname -n", "address", "machine-id", "product_uuid")
    assert not [word for word in words if word in script()]


def test_a_command_that_fails_leaves_its_fact_unknown_and_the_others_alone(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "uname"):
        (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    facts = read_facts(LocalTransport())
    assert facts["architecture"]
    assert (facts["libc"], facts["work_free_bytes"], facts["clock_skew_s"]) == (None, None, None)


def test_a_device_without_a_shell_is_refused():
    answers = {"edgebench-facts": Answer(exit_code=127, stderr="sh: not found")}
    with pytest.raises(DeviceError, match="does not run shell scripts: sh: not found"):
        read_facts(ReplayTransport(Capture(answers=answers)))


def test_a_work_folder_that_is_not_there_yet_is_judged_by_the_one_above_it(tmp_path):
    facts = read_facts(LocalTransport(), work_folder=str(tmp_path / "a b" / "c"))
    assert facts["work_is_writable"] is True


def test_the_hardware_has_one_fingerprint_and_the_software_another():
    facts = read_facts(replayed("pi4-bookworm"))
    same: dict[str, JsonValue] = {
        **facts,
        "temperatures_c": {"cpu-thermal": 70.0},
        "memory_available_bytes": 1,
    }
    updated = {**facts, "kernel": "7.0.0"}
    assert fingerprint(same) == fingerprint(facts)
    assert fingerprint(updated)["hw"] == fingerprint(facts)["hw"]
    assert fingerprint(updated)["sw"] != fingerprint(facts)["sw"]


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({"frequency_now_hz": {"policy0": 600000000}, "temperatures_c": {"cpu": 80.0}}, set()),
        ({"fan_pwm": {"hwmon2/pwm1": 255}, "screen": "on", "work_free_bytes": 5}, set()),
        ({"power_mode": {"id": 0, "name": "MAXN", "fan": None}}, {"state"}),
        ({"clocks_locked": True}, {"state"}),
        ({"swaps": []}, {"state"}),
        ({"supply": "low"}, {"state"}),
        ({"cpu_count": 2}, {"state"}),
        ({"clusters": []}, {"state"}),
        ({"emulator": "qemu-aarch64"}, {"hw"}),
        ({"battery": {"level_percent": 5}, "throttled": {"now": ["throttled"]}}, set()),
        ({"load": {"running": 9.0}, "steal_ratio": 0.5, "swap_used_bytes": 7}, set()),
        ({"soc": "brcm,bcm2712"}, {"hw"}),
        ({"firmware": "version 1"}, {"sw"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_changes_by_itself_is_in_no_fingerprint_and_what_somebody_changed_is(changed, parts):
    facts = read_facts(replayed("pi4-bookworm"))
    before, after = fingerprint(facts), fingerprint({**facts, **changed})
    assert {part for part in before if before[part] != after[part]} == parts


def test_the_marks_of_the_script_are_those_that_are_looked_for():
    done = LocalTransport().run(["sh", "-c", script(), "edgebench-facts", "/", ""])
    assert done.stdout.decode().count(MARK) == len(FACTS)
