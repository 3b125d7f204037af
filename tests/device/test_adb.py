"""Which device behind adb is reached, and why it is not."""

import shutil
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from edgebench.device.facts import read_facts
from edgebench.device.provision import provision
from edgebench.device.transport import open_transport
from edgebench.errors import ConfigError, DeviceError, DeviceLost
from tests.conftest import miss
from tests.device.conftest import EACH_ADB
from tests.phone import switched_on
from tests.sshd import free_port


def answer(address):
    transport = open_transport(address)
    return transport.run(["echo", "here"]).stdout


@EACH_ADB
def test_a_device_on_the_network_is_connected_to(spare):
    assert answer(spare.address) == b"here\n"


def test_a_device_on_a_cable_is_named_by_its_serial(server, spare):
    assert answer(f"adb://{server.plug(spare)}") == b"here\n"


def test_the_only_device_needs_no_name(server, spare):
    server.plug(spare)
    assert answer("adb://") == b"here\n"


def test_none_at_all_is_a_lost_device_with_the_remedy(server):
    with pytest.raises(DeviceLost, match="No device is attached") as caught:
        answer("adb://")
    assert "USB debugging" in str(caught.value.hint)


def test_several_devices_and_none_named_are_listed_as_addresses(server, spare):
    with switched_on() as other:
        serials = [server.plug(spare), server.plug(other)]
        with pytest.raises(ConfigError, match="2 devices are attached") as caught:
            answer("adb://")
        for serial in serials:
            assert f"adb://{serial}" in str(caught.value.hint)
            assert answer(f"adb://{serial}") == b"here\n"


def test_among_several_the_variable_of_adb_itself_decides(server, spare, monkeypatch):
    with switched_on() as other:
        server.plug(other)
        monkeypatch.setenv("ANDROID_SERIAL", server.plug(spare))
        transport = open_transport("adb://")
        assert transport.run(["id", "-u"]).stdout == b"%d\n" % spare.uid


def test_an_unknown_serial_lists_those_that_are_attached(server, spare):
    serial = server.plug(spare)
    with pytest.raises(DeviceLost, match="no device 'R5CT30'") as caught:
        answer("adb://R5CT30")
    assert f"adb://{serial}" in str(caught.value.hint)


def test_nobody_listens(server):
    with pytest.raises(DeviceLost, match=r"cannot be reached by adb: .*[Rr]efused") as caught:
        answer(f"adb://127.0.0.1:{free_port()}")
    assert "adb tcpip 5555" in str(caught.value.hint)


@EACH_ADB
@pytest.mark.parametrize("way", ["network", "cable"])
def test_a_device_that_does_not_trust_this_computer_is_no_lost_one(server, spare, way):
    spare.is_now(auth="refuse")
    address = spare.address if way == "network" else f"adb://{server.plug(spare)}"
    with pytest.raises(DeviceError, match="does not trust this computer") as caught:
        answer(address)
    assert not isinstance(caught.value, DeviceLost)
    assert "allow USB debugging" in str(caught.value.hint)


def test_a_device_that_comes_to_trust_this_computer_knows_it_again(spare):
    spare.is_now(auth="accept")
    assert answer(spare.address) == b"here\n"
    spare.is_now(auth="refuse")  # any other key
    spare.cut()
    assert answer(spare.address) == b"here\n"


def test_a_device_that_is_offline_is_a_lost_one(server, spare):
    spare.is_now(silent=True)
    serial = server.plug(spare)
    with pytest.raises(DeviceLost, match=r"does not answer .*'offline'") as caught:
        answer(f"adb://{serial}")
    assert "Plug it in again" in str(caught.value.hint)


def test_without_a_client_the_package_is_named(server, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEBENCH_ADB")
    with pytest.raises(ConfigError, match="take the program 'adb'") as caught:
        answer("adb://")
    assert "apt install adb" in str(caught.value.hint)


def test_a_variable_names_the_client(spare, monkeypatch, tmp_path):
    client = str(shutil.which("adb"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEBENCH_ADB", client)
    assert answer(spare.address) == b"here\n"


@pytest.mark.parametrize("mode", [None, 0o644, 0o755])
def test_a_variable_that_names_no_client_is_told(server, monkeypatch, tmp_path, mode):
    path = tmp_path / "adb"
    if mode is not None:
        path.write_bytes(b"\0not a program")
        path.chmod(mode)
    monkeypatch.setenv("EDGEBENCH_ADB", str(path))
    with pytest.raises(ConfigError, match=str(path)) as caught:
        answer("adb://")
    assert caught.value.hint


def test_a_server_that_is_not_there_is_told(server, monkeypatch):
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:board.invalid:5037")
    with pytest.raises(DeviceLost, match="server of adb does not answer") as caught:
        answer("adb://")
    assert "ADB_SERVER_SOCKET" in str(caught.value.hint)


def test_another_server_is_named_by_the_variable_of_adb_itself(server, spare, monkeypatch):
    serial = server.plug(spare)
    monkeypatch.delenv("ANDROID_ADB_SERVER_PORT")
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{server.port}")
    assert answer(f"adb://{serial}") == b"here\n"


def test_a_phone_works_in_a_folder_that_lets_programs_run(phone, handset):
    assert handset.profile.name == "android-phone"
    assert handset.work_folder == PurePosixPath("/data/local/tmp/edgebench")
    assert handset.facts["work_is_noexec"] is False
    assert handset.facts["work_is_writable"] is True


def test_a_folder_of_the_shared_storage_is_refused_with_the_reason(handset, tmp_path):
    if any(python["packages"]["onnxruntime"] for python in handset.facts["pythons"]):
        miss("the system's Python has a runtime already, which needs no such folder")
    work = "/sdcard/edgebench"
    facts = read_facts(handset.transport, work_folder=work)
    device = replace(handset, facts=facts, work_folder=PurePosixPath(work))
    with pytest.raises(DeviceError, match=r"'/sdcard/edgebench' .* is mounted noexec") as caught:
        provision(device, "onnxruntime", cache=tmp_path, progress=pytest.fail)
    assert "another file system" in str(caught.value.hint)
