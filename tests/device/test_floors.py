"""The floor of a device: kept by its name, and forgotten when the device is another."""

import json

import pytest

from edgebench.device.connect import connect
from edgebench.device.facts import fingerprint
from edgebench.device.floors import Floor, floor_path, read_floor, write_floor
from edgebench.errors import ConfigError

FACTS = {"architecture": "aarch64", "kernel": "6.6.31", "governor": "ondemand"}


@pytest.fixture(autouse=True)
def _inventory(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(tmp_path / "devices.toml"))


def floor(name="pi5", **changes):
    fields = {
        "created": "2026-01-01T00:00:00+00:00",
        "floor_ratio": 0.031,
        "launches": 40,
        "runtime": "litert",
        "governor": "ondemand",
        "fingerprint": fingerprint(FACTS),
    }
    return Floor(name=name, **{**fields, **changes})


def test_a_floor_is_read_as_it_was_written():
    assert read_floor("pi5", FACTS) is None
    write_floor(floor())
    assert read_floor("pi5", FACTS) == floor()


@pytest.mark.parametrize(
    "facts",
    [
        {**FACTS, "kernel": "6.12.1"},
        {**FACTS, "architecture": "x86_64"},
        {**FACTS, "governor": "performance"},
    ],
    ids=["another kernel", "another board", "another governor"],
)
def test_a_device_that_is_another_now_has_no_floor(facts):
    write_floor(floor())
    assert read_floor("pi5", facts) is None


def test_two_names_that_become_one_file_are_not_one_device():
    write_floor(floor("ssh://a@b:22"))
    assert floor_path("ssh://a@b:22") == floor_path("ssh-a-b-22")
    assert read_floor("ssh-a-b-22", FACTS) is None


def test_a_damaged_floor_is_said():
    write_floor(floor())
    path = floor_path("pi5")
    path.write_text(json.dumps({"name": "pi5"}))
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read_floor("pi5", FACTS)
    assert "calibrate the device again" in str(caught.value.hint)


def test_a_device_that_was_calibrated_says_its_floor():
    here = connect("local://")
    assert "noise_floor_ratio" not in here.facts
    governor = here.facts["governor"]
    write_floor(
        floor("local://", governor=governor, fingerprint=fingerprint(here.facts), floor_ratio=0.07)
    )
    assert connect("local://").facts["noise_floor_ratio"] == 0.07
