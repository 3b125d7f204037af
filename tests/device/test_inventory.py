import tomllib

import pytest

from edgebench.device.connect import connect
from edgebench.device.inventory import (
    Entry,
    add_entry,
    inventory_path,
    read_inventory,
    remove_entry,
)
from edgebench.errors import ConfigError, DeviceError


@pytest.fixture(autouse=True)
def inventory(tmp_path, monkeypatch):
    path = tmp_path / "new folder" / "devices.toml"
    monkeypatch.setenv("EDGEBENCH_CONFIG", str(path))
    return path


def test_what_was_added_is_there():
    pi = Entry(
        name="pi-5.lab", address="ssh://pi@192.0.2.7", profile="raspberry-pi-5", password_env="P"
    )
    nano = Entry(name="nano", address='ssh://"odd"\\@ünï', meter="tasmota:192.0.2.9")
    add_entry(pi)
    add_entry(nano)
    assert read_inventory() == {"pi-5.lab": pi, "nano": nano}
    remove_entry("nano")
    assert read_inventory() == {"pi-5.lab": pi}


def test_a_device_is_replaced_by_one_of_its_name(inventory):
    add_entry(Entry(name="pi", address="ssh://pi@a"))
    add_entry(Entry(name="pi", address="ssh://pi@b"))
    assert tomllib.loads(inventory.read_text()) == {"device": {"pi": {"address": "ssh://pi@b"}}}
    assert list(inventory.parent.iterdir()) == [inventory]


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "ssh://x", "ü", "x" * 64])
def test_a_name_that_could_be_taken_for_something_else_is_refused(name):
    with pytest.raises(ConfigError, match="cannot be the name"):
        add_entry(Entry(name=name, address="ssh://pi@a"))


def test_a_password_is_never_written(inventory):
    with pytest.raises(ConfigError, match="holds a password") as caught:
        add_entry(Entry(name="pi", address="ssh://pi:hunter2@a"))
    assert "hunter2" not in str(caught.value)
    assert not inventory.exists()


def test_a_device_that_is_not_there_lists_those_that_are():
    add_entry(Entry(name="pi4", address="ssh://pi@a"))
    for use in (remove_entry, connect):
        with pytest.raises(ConfigError, match="no device 'pi5'") as caught:
            use("pi5")
        assert "pi4" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[device.x]\n",
        "[device.x]\naddress = 1\n",
        "[device.x]\naddress='a'\npassword='p'\n",
        "device = 1\n",
    ],
)
def test_a_file_that_is_no_inventory_is_named(inventory, text):
    inventory.parent.mkdir()
    inventory.write_text(text)
    with pytest.raises(ConfigError, match=r"devices\.toml"):
        read_inventory()


def test_without_a_setting_the_inventory_is_in_the_users_configuration(monkeypatch, tmp_path):
    monkeypatch.delenv("EDGEBENCH_CONFIG")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert inventory_path() == tmp_path / ".config" / "edgebench" / "devices.toml"
    assert read_inventory() == {}


def test_a_device_of_the_inventory_is_connected_to(sshd):
    add_entry(Entry(name="bench", address=sshd.address, profile="raspberry-pi-4"))
    device = connect("bench")
    assert (device.name, device.profile.name) == ("bench", "raspberry-pi-4")
    assert str(device.work_folder) == f"{sshd.home}/.cache/edgebench"
    device.transport.close()


def test_an_unknown_profile_fails_before_anything_is_connected():
    with pytest.raises(ConfigError, match="no device profile"):
        connect("ssh://pi@board.invalid", profile="toaster")


def test_a_device_without_a_home_is_refused(tmp_path):
    capture = tmp_path / "c.json"
    capture.write_text(
        '{"answers": {"edgebench-facts": {"stdout": "@@edgebench-fact home\\n\\n"}}}'
    )
    with pytest.raises(DeviceError, match="no home folder"):
        connect(f"replay://{capture}")
