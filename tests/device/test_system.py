"""What a board lacks of a system is taken from a folder that the user names."""

import platform
import tarfile
from pathlib import Path

import pytest

from edgebench.device import system
from edgebench.device.native_bundle import native_bundle
from edgebench.device.python_bundle import interpreter
from edgebench.errors import DeviceError

MACHINE = platform.machine()


@pytest.fixture
def named(monkeypatch, tmp_path):
    """A folder of systems; that for machines like this one is still to be laid there."""
    if MACHINE not in system.MACHINES:
        pytest.skip(f"nothing is sent to {MACHINE}")
    monkeypatch.setenv("EDGEBENCH_SYSROOT", str(tmp_path / "systems"))
    (tmp_path / "systems").mkdir()
    return tmp_path / "systems" / MACHINE


def test_a_system_that_is_named_is_taken_and_nothing_is_fetched(named, wheels):
    named.symlink_to("/")
    bundle = native_bundle(
        "litert-native", MACHINE, is_whole=True, cache=wheels, progress=lambda words: None
    )
    with tarfile.open(bundle.archive) as archive:
        modes = {entry.name: entry.mode for entry in archive.getmembers()}
    assert f"lib/{bundle.loader}" in modes
    assert {"edgebench-native", "libLiteRt.so", "launch.sh", "guard.sh", "lib/libc.so.6"} <= set(
        modes
    )
    assert {name for name, mode in modes.items() if mode == 0o755} == {
        "edgebench-native",
        f"lib/{bundle.loader}",
    }
    start = bundle.argv(Path("/on/board"))
    assert start[0] == f"/on/board/lib/{bundle.loader}"
    assert start[-2:] == ("/on/board/edgebench-native", "/on/board/libLiteRt.so")


def test_a_system_without_a_library_is_told_which(named, tmp_path):
    named.mkdir()
    with pytest.raises(DeviceError, match=r"has no libstdc\+\+\.so\.6") as caught:
        system.library(named, MACHINE, "libstdc++.so.6")
    assert "$EDGEBENCH_SYSROOT" in str(caught.value.hint)


def test_a_system_without_a_python_is_told_so(named, tmp_path):
    named.mkdir()
    with pytest.raises(DeviceError, match=r"has no Python 3\.8 or newer in usr/bin"):
        interpreter(MACHINE, cache=tmp_path, progress=pytest.fail)


def test_a_link_of_a_system_leads_to_its_own_files(named):
    folder = named / "lib" / system.MACHINES[MACHINE].triplet
    folder.mkdir(parents=True)
    (named / "lib64").mkdir()
    (folder / "libx.so.1.0").write_bytes(b"x")
    (named / "lib64" / "libx.so.1").symlink_to(
        f"/lib/{system.MACHINES[MACHINE].triplet}/libx.so.1.0"
    )
    assert system.library(named, MACHINE, "libx.so.1") == folder / "libx.so.1.0"


def test_a_machine_that_has_no_name_there_is_refused(tmp_path):
    with pytest.raises(DeviceError, match="no C library to send to riscv64"):
        system.system_root("riscv64", system.LIBRARIES, cache=tmp_path, progress=pytest.fail)
