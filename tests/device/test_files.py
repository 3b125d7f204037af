import contextlib
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.connect import connect
from edgebench.device.files import deliver, fetch, sha256_of
from edgebench.device.patience import patiently
from edgebench.errors import ConfigError, DeviceError, DeviceLost
from tests.conftest import miss
from tests.device.conftest import arrives_in
from tests.sshd import Board, started


def listing(device, folder):
    done = device.transport.run(["ls", "-A", str(folder)])
    return done.stdout.decode().split()


@pytest.fixture
def model(tmp_path):
    path = tmp_path / 'a model\'s "file"\nwith all.tflite'
    path.write_bytes(os.urandom(300_000))
    return path


def test_a_file_stands_under_its_hash(device, model, tmp_path):
    place = deliver(device, model)
    assert place == device.work_folder / "blobs" / sha256_of(model)
    assert fetch(device, place, tmp_path / "back").read_bytes() == model.read_bytes()
    assert listing(device, place.parent) == [place.name]


def test_a_file_that_is_there_is_not_sent_again(device, model):
    sent: list[str] = []
    for _ in range(2):
        deliver(device, model, progress=sent.append)
    assert len(sent) == 1
    assert "300.0 kB" in sent[0]


def test_a_file_that_went_bad_on_the_device_is_sent_again(device, model, tmp_path):
    place = deliver(device, model)
    bad = tmp_path / "bad"
    bad.write_bytes(bytes(300_000))
    device.transport.push(bad, place)
    sent: list[str] = []
    deliver(device, model, progress=sent.append)
    assert len(sent) == 1
    assert fetch(device, place, tmp_path / "back").read_bytes() == model.read_bytes()


def test_a_device_without_sha256sum_hashes_with_its_python(here, model, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cut", "cat", "mkdir", "df", "mv", "rm", "python3"):
        (tools / name).symlink_to(Path("/usr/bin", name))
    monkeypatch.setenv("PATH", str(tools))
    assert deliver(here, model).name == sha256_of(model)


def cut_when(sshd, has_begun):
    """A thread that cuts the links as soon as something has begun."""

    def watch():
        deadline = time.monotonic() + 60
        while not has_begun() and time.monotonic() < deadline:
            time.sleep(0.001)
        sshd.cut()

    return threading.Thread(target=watch)


def is_read(path):
    """Whether a `cat` of the file is at work."""
    words = b"\0".join((b"cat", b"--", str(path).encode()))
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(words):
                return True
    return False


def test_a_push_that_is_cut_leaves_nothing_under_the_files_name(board, sshd, tmp_path):
    device = replace(board, work_folder=board.work_folder / "cut")
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1 << 20) * 80)
    device.transport.run(["true"])
    cut = cut_when(sshd, lambda: arrives_in(sshd.seen(device.work_folder)))
    cut.start()
    with pytest.raises(DeviceLost):
        deliver(device, big)
    cut.join()
    assert sha256_of(big) not in listing(device, device.work_folder / "blobs")
    place = deliver(device, big)
    assert place.name in listing(device, place.parent)


def test_a_pull_that_is_cut_leaves_nothing_here_and_is_made_again(board, sshd, tmp_path):
    made = PurePosixPath(sshd.home) / "pulled"
    board.transport.run(["sh", "-c", 'head -c 80000000 /dev/urandom > "$1"', "x", str(made)])
    cut = cut_when(sshd, lambda: is_read(made))
    cut.start()
    with pytest.raises(DeviceLost):
        fetch(board, made, tmp_path / "in" / "pulled")
    cut.join()
    assert list((tmp_path / "in").iterdir()) == []
    found = patiently(lambda: fetch(board, made, tmp_path / "in" / "pulled"))
    assert sha256_of(found) == sha256_of(sshd.seen(made))
    board.transport.run(["rm", str(made)])


# Files arrive with a byte too much, and whatever else is read comes as it is.
SPOILT = """#!/bin/sh
/bin/cat "$@"
[ $# = 0 ] && printf x
:
"""


def test_a_file_that_arrives_as_another_is_refused_and_removed(model, tmp_path, monkeypatch):
    if os.geteuid() != 0:
        miss("only root can give a device files of its own")
    with tempfile.TemporaryDirectory(prefix="eb-spoilt-") as programs:
        Path(programs).chmod(0o755)
        (Path(programs) / "cat").write_text(SPOILT)
        (Path(programs) / "cat").chmod(0o755)
        with started(board=Board(mounts={}, path=Path(programs))) as server:
            monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
            device = connect(server.address)
            # The link counts what it took, and that is not what was sent.
            with pytest.raises(DeviceLost, match="not all"):
                deliver(device, model)
            (Path(programs) / "cat").write_text("#!/bin/sh\n/bin/cat \"$@\" | tr '\\0' '\\1'\n")
            with pytest.raises(DeviceError, match=r"arrived on .* as [0-9a-f]{64}, not as"):
                deliver(device, model)
            assert not [n for n in listing(device, device.work_folder / "blobs") if "." not in n]
            device.transport.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    if os.geteuid() != 0:
        miss("mounting a small tmpfs needs root")
    place = tmp_path / "small disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        miss("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_with_the_sizes_before_anything_is_sent(here, small_disk, tmp_path):
    device = replace(here, work_folder=PurePosixPath(small_disk))
    big = tmp_path / "big"
    big.write_bytes(bytes(3_000_000))
    with pytest.raises(DeviceError, match=r"1\.0 MB free .*3\.0 MB are needed"):
        deliver(device, big)
    assert listing(device, small_disk / "blobs") == []


def test_a_disk_that_fills_up_meanwhile_is_told_too(here, small_disk, tmp_path):
    device = replace(here, work_folder=PurePosixPath(small_disk))
    model = tmp_path / "model"
    model.write_bytes(bytes(800_000))

    def fill(_words):
        (small_disk / "other").write_bytes(bytes(700_000))

    with pytest.raises(DeviceError, match="are needed"):
        deliver(device, model, progress=fill)
    assert listing(device, small_disk / "blobs") == []


def test_a_folder_that_we_may_not_write_is_named_with_the_remedy(board, model):
    if board.facts["is_root"]:
        miss("root may write everywhere")
    device = replace(board, work_folder=PurePosixPath("/usr/lib/edgebench"))
    with pytest.raises(DeviceError, match="/usr/lib/edgebench/blobs") as caught:
        deliver(device, model)
    assert "chown" in str(caught.value.hint)


def test_a_file_that_is_not_here_is_the_users_mistake(here, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        deliver(here, tmp_path / "none.tflite")


def test_a_file_that_is_not_on_the_device_leaves_nothing_here(device, tmp_path):
    with pytest.raises(DeviceError):
        fetch(device, PurePosixPath("/nonexistent"), tmp_path / "in" / "x")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_work_folder_below_a_file_cannot_be_made(tmp_path, model):
    (tmp_path / "file").touch()
    device = replace(connect("local://"), work_folder=PurePosixPath(tmp_path / "file" / "work"))
    with pytest.raises(DeviceError, match="does not let us write"):
        deliver(device, model)
