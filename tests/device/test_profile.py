import re

import pytest

from edgebench.device.profile import load_profile, profile_names, propose
from edgebench.device.releases import FORMATS
from edgebench.errors import ConfigError
from edgebench.runner import shipped

SHIPPED = {
    *("raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w"),
    *("jetson-nano", "jetson-xavier-nx", "jetson-orin-nano", "jetson-agx-orin"),
    *("android-phone", "android-termux", "linux-board", "this-machine"),
}


def test_the_promised_profiles_ship():
    assert set(profile_names()) == SHIPPED


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_profile_loads(name):
    profile = load_profile(name)
    assert profile.name == name
    assert profile.url.startswith("https://")
    assert set(profile.runtimes) <= set(FORMATS)
    assert profile.traps


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberry-pi-3"),
        ("Raspberry Pi 4 Model B Rev 1.4", "raspberry-pi-4"),
        ("Raspberry Pi 400 Rev 1.0", "raspberry-pi-4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi 500 Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi Compute Module 5 Rev 1.0", "raspberry-pi-5"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberry-pi-zero-2-w"),
        ("NVIDIA Jetson Nano Developer Kit", "jetson-nano"),
        ("NVIDIA Jetson Xavier NX Developer Kit", "jetson-xavier-nx"),
        ("NVIDIA Jetson Orin Nano Developer Kit", "jetson-orin-nano"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "jetson-agx-orin"),
        ("Radxa ROCK 5B", "linux-board"),
        ("QEMU Standard PC", "linux-board"),
        ("", "linux-board"),
        (None, "linux-board"),
    ],
)
def test_the_boards_own_model_string_proposes_its_profile(model, name):
    assert propose({"model": model}).profile.name == name


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("raspberry-pi-zero-2-w", ()),
        ("raspberry-pi-3", ()),
        ("raspberry-pi-4", ()),
        ("raspberry-pi-5", ("dotprod", "fp16")),
        ("jetson-nano", ()),
        ("jetson-xavier-nx", ("fp16",)),
        ("jetson-orin-nano", ("dotprod", "fp16")),
        ("jetson-agx-orin", ("dotprod", "fp16")),
        ("android-phone", None),
        ("android-termux", None),
        ("linux-board", None),
        ("this-machine", None),
    ],
)
def test_a_board_says_what_its_cores_can_and_a_kind_of_many_boards_says_nothing(name, features):
    profile = load_profile(name)
    assert profile.cpu_features == features
    assert profile.arch == (None if features is None else "arm")


def test_what_cores_can_is_said_with_the_document_that_says_so():
    for path in shipped("device_profiles").glob("*.toml"):
        text = path.read_text()
        assert ("cpu_features" in text) == bool(re.search(r"(?m)^# \S+ in https://", text))


def test_no_two_profiles_claim_one_board():
    for name in profile_names():
        for other in profile_names():
            patterns = load_profile(name).match
            assert name == other or not set(patterns) & set(load_profile(other).match)


def test_a_profile_that_is_not_there_lists_those_that_are():
    with pytest.raises(ConfigError, match="no device profile 'raspberypi-4'") as caught:
        load_profile("raspberypi-4")
    assert "Did you mean 'raspberry-pi-4'?" in str(caught.value.hint)
    assert "jetson-nano" in str(caught.value.hint)
