"""The guard on a device: what it sets is put back, whoever dies."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.connect import connect
from edgebench.device.look import Listing
from edgebench.device.settings import Board, Wanted, lines_of
from edgebench.device.steady import renew, steady
from edgebench.runner import shipped
from tests.conftest import miss

GUARD = shipped("runners") / "guard.sh"


@pytest.fixture
def board(tmp_path):
    """Folders of a device, with one file that can be set."""
    for name in ("steady", "jobs"):
        (tmp_path / name).mkdir()
    (tmp_path / "governor").write_text("ondemand\n")
    return tmp_path


def guarded(board, *, lease_s, settings=None):
    """Start a guard; what it prints."""
    lines = settings or f"{board}/governor performance\n"
    argv = ["sh", str(GUARD), str(board / "steady"), str(board / "jobs"), str(lease_s)]
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout


def reads(board):
    return (board / "governor").read_text().strip()


def until(condition, seconds=15.0):
    """Whether it came to be in time."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if condition():
            return True
        time.sleep(0.1)
    return False


def is_restored(board):
    return (board / "steady" / "restored").exists()


def test_what_was_set_is_read_back_and_released(board):
    assert guarded(board, lease_s=600) == f"{board}/governor performance\n"
    assert reads(board) == "performance"
    (board / "steady" / "release").touch()
    assert until(lambda: is_restored(board))
    assert reads(board) == "ondemand"


def test_what_was_before_is_on_the_disk_before_anything_is_set(board, monkeypatch):
    # In the place of what has the kernel write to its disks.
    script = f"#!/bin/sh\ncat {board}/steady/before {board}/governor > {board}/told\n"
    (board / "sync").write_text(script)
    (board / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{board}:{os.environ['PATH']}")
    guarded(board, lease_s=600)
    assert (board / "told").read_text() == f"{board}/governor ondemand\nondemand\n"
    (board / "steady" / "release").touch()
    assert until(lambda: is_restored(board))


def test_a_host_that_is_not_heard_of_any_more_gets_no_say(board):
    guarded(board, lease_s=2)
    assert reads(board) == "performance"
    assert until(lambda: is_restored(board))
    assert reads(board) == "ondemand"


def test_a_job_that_still_runs_keeps_its_settings_to_its_end(board):
    launcher = shipped("runners") / "launch.sh"
    subprocess.run(["sh", launcher, board / "jobs" / "one", "sleep", "60"], check=True, timeout=20)
    guarded(board, lease_s=1)
    time.sleep(4)
    assert reads(board) == "performance"
    leader, *_ = (board / "jobs" / "one" / "pid").read_text().split()
    os.killpg(int(leader), signal.SIGKILL)
    assert until(lambda: is_restored(board))
    assert reads(board) == "ondemand"


def test_what_an_earlier_host_asked_for_is_not_taken_for_the_board_s_own(board):
    guarded(board, lease_s=600)
    guarded(board, lease_s=600, settings=f"{board}/governor powersave\n")
    assert reads(board) == "powersave"
    (board / "steady" / "release").touch()
    assert until(lambda: is_restored(board))
    assert reads(board) == "ondemand"


def test_a_file_that_cannot_be_set_reads_as_it_was(board):
    told = guarded(board, lease_s=600, settings=f"{board}/nowhere/governor performance\n")
    assert told == ""
    (board / "steady" / "release").touch()
    assert until(lambda: is_restored(board))


def standing(board):
    """Process ids of the guard that stays."""
    folder = str(board / "steady").encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            found += [int(path.parent.name)] if folder in words and b"--stand" in words else []
    assert found
    return found


def test_the_guard_outlives_a_hang_up_and_a_polite_end(board):
    guarded(board, lease_s=600)
    for pid in standing(board):
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGTERM)
    time.sleep(1.5)
    assert reads(board) == "performance"
    (board / "steady" / "release").touch()
    assert until(lambda: is_restored(board))


POLICY = "/sys/devices/system/cpu/cpufreq/policy0"


@pytest.mark.parametrize(
    ("files", "wanted", "refused"),
    [
        ({"scaling_governor": "schedutil\n"}, {f"{POLICY}/scaling_governor": "performance"}, ""),
        ({"scaling_governor": "performance\n"}, {}, ""),
        (
            {"scaling_governor": "powersave\n", "scaling_available_governors": "powersave\n"},
            {},
            "has no governor performance, only powersave",
        ),
        ({}, {}, "the kernel shows no governor"),
    ],
    ids=["to set", "as wanted", "not to be had", "none"],
)
def test_only_what_differs_and_can_be_is_set(files, wanted, refused):
    listing = Listing(files={f"{POLICY}/{name}": text for name, text in files.items()})
    found, why = lines_of(Board(listing=listing, facts={}), Wanted(governor="performance"))
    assert found == wanted
    assert refused in "".join(why)
    assert bool(refused) is bool(why)


def test_no_governor_asked_for_touches_nothing(tmp_path):
    device = replace(connect("local://"), work_folder=PurePosixPath(tmp_path))
    with steady(device, PurePosixPath(GUARD), wanted=Wanted()) as held:
        renew(device)
        assert held.reads == {}
    assert list(tmp_path.iterdir()) == []


def test_a_lease_of_a_guard_that_became_root_is_renewed_by_the_login_user(sshd):
    if sshd.uid is None:
        miss("only root can make a file that the login user may not write")
    device = connect(sshd.address)
    folder = Path(device.work_folder / "steady")
    folder.mkdir(parents=True)
    for path in (folder, *folder.parents):
        if sshd.home in path.parents:
            os.chown(path, sshd.uid, sshd.uid)
    lease = folder / "lease"
    lease.write_text("1\n")
    lease.chmod(0o644)
    renew(device)
    device.transport.close()
    assert int(lease.read_text()) > 1


def test_a_guard_is_a_file_that_ships():
    assert Path(GUARD).read_text().startswith("#!/bin/sh\n")
