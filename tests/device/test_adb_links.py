"""What becomes of programs and files behind adb when the link, its server or an old adbd fails."""

import os
import signal
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.connect import connect
from edgebench.device.jobs import clean, start, wait
from edgebench.device.patience import patiently
from edgebench.device.transport import open_transport
from edgebench.errors import DeviceError, DeviceLost
from edgebench.runner import RunnerJob
from tests.device.conftest import EACH_ADB

PLACE = PurePosixPath("/data/local/tmp")


@pytest.fixture(params=["network", "cable"])
def address(request, server, spare):
    """Of a phone that may be lost; over the network the server connects to it again by itself."""
    return spare.address if request.param == "network" else f"adb://{server.plug(spare)}"


@pytest.fixture
def attached(server, spare, address):
    """Attach the phone again where a cable was pulled."""
    return lambda: spare.address in address or server.plug(spare)


def listing(phone):
    return sorted(path.name for path in phone.seen(PLACE).iterdir())


def test_a_cable_that_is_pulled_in_a_command_is_a_lost_device(spare, address, attached):
    transport = open_transport(address)
    transport.run(["true"])
    threading.Timer(0.5, spare.cut).start()
    with pytest.raises(DeviceLost, match="was lost during 'sleep'"):
        transport.run(["sleep", "20"], timeout_s=15)
    attached()
    assert transport.run(["echo", "back"]).stdout == b"back\n"


@EACH_ADB
def test_a_cable_that_is_pulled_in_a_push_leaves_what_was_there(spare, address, attached, tmp_path):
    transport = open_transport(address)
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(os.urandom(8_000_000))
    transport.push(tmp_path / "old", PLACE / "f")
    spare.is_now(drop_after=3_000_000)
    with pytest.raises(DeviceLost, match="was lost during 'adb push'"):
        transport.push(tmp_path / "new", PLACE / "f")
    spare.is_now()
    assert spare.seen(PLACE / "f").read_bytes() == b"old"
    attached()
    transport.push(tmp_path / "new", PLACE / "f")
    assert spare.seen(PLACE / "f").read_bytes() == (tmp_path / "new").read_bytes()


@EACH_ADB
def test_a_cable_that_is_pulled_in_a_pull_leaves_nothing_here(spare, address, attached, tmp_path):
    transport = open_transport(address)
    transport.run(["true"])
    spare.seen(PLACE / "f").write_bytes(os.urandom(8_000_000))
    spare.is_now(drop_after=3_000_000)
    with pytest.raises(DeviceLost, match="was lost during 'adb pull'"):
        transport.pull(PLACE / "f", tmp_path / "f")
    spare.is_now()
    assert list(tmp_path.iterdir()) == []
    attached()
    transport.pull(PLACE / "f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == spare.seen(PLACE / "f").read_bytes()


def test_a_device_that_went_away_meanwhile_is_attached_anew(spare, address, attached):
    transport = open_transport(address)
    transport.run(["true"])
    spare.cut()
    attached()
    assert patiently(lambda: transport.run(["echo", "back"])).stdout == b"back\n"


def test_a_device_that_stays_away_is_lost_when_patience_ends(spare, address):
    transport = open_transport(address)
    transport.run(["true"])
    os.kill(spare.pid, signal.SIGKILL)
    with pytest.raises(DeviceLost):
        patiently(lambda: transport.run(["true"]), patience_s=0.1)


def test_a_device_that_hangs_is_noticed_at_the_deadline(spare):
    transport = open_transport(spare.address)
    transport.run(["true"])
    spare.is_now(stall_after=0)
    with pytest.raises(DeviceLost, match="does not answer any more"):
        transport.run(["true"], timeout_s=1)
    spare.is_now()
    assert patiently(lambda: transport.run(["echo", "back"])).stdout == b"back\n"


def test_a_push_that_hangs_is_noticed_at_the_deadline(spare, tmp_path):
    (tmp_path / "f").write_bytes(bytes(8_000_000))
    transport = open_transport(spare.address)
    transport.run(["true"])
    spare.is_now(stall_after=3_000_000)
    with pytest.raises(DeviceLost, match=r"'adb push' .* does not answer any more"):
        transport.push(tmp_path / "f", PLACE / "f", timeout_s=2)


def test_a_server_that_was_killed_is_started_again(server, spare):
    transport = open_transport(spare.address)
    transport.run(["true"])
    server.kill()
    assert transport.run(["echo", "back"]).stdout == b"back\n"


def test_a_server_that_is_killed_in_a_command_is_a_lost_device(server, spare):
    transport = open_transport(spare.address)
    transport.run(["true"])
    threading.Timer(0.5, server.kill).start()
    with pytest.raises(DeviceLost, match="was lost during 'sleep'"):
        transport.run(["sleep", "20"], timeout_s=15)
    assert transport.run(["echo", "back"]).stdout == b"back\n"


@EACH_ADB
def test_a_job_survives_the_link_and_is_waited_for_again(spare, launch_of):
    device = connect(spare.address)
    job = RunnerJob(kind="latency", model="m", runtime="litert")
    running = start(device, launch_of("sleep 3; echo survived; exit 7"), job, name="cut")
    for delay_s in (0.4, 1.2):
        threading.Timer(delay_s, spare.cut).start()
    ended = wait(device, running, timeout_s=60)
    assert (ended.exit_code, ended.log) == (7, "survived\n")
    clean(device, running)


@EACH_ADB
def test_a_job_survives_a_server_that_is_killed_and_is_waited_for_again(server, spare, launch_of):
    device = connect(spare.address)
    job = RunnerJob(kind="latency", model="m", runtime="litert")
    running = start(device, launch_of("sleep 3; echo survived; exit 7"), job, name="restarted")
    threading.Timer(0.7, server.kill).start()
    ended = wait(device, running, timeout_s=60)
    assert (ended.exit_code, ended.log) == (7, "survived\n")
    clean(device, running)


def test_a_file_that_arrives_as_another_is_refused_and_removed(spare, tmp_path):
    spare.is_now(damage=True)
    (tmp_path / "f").write_bytes(os.urandom(100_000))
    transport = open_transport(spare.address)
    with pytest.raises(DeviceError, match=r"'f' arrived on .* as [0-9a-f]{64}, not as"):
        transport.push(tmp_path / "f", PLACE / "f")
    assert listing(spare) == []


@EACH_ADB
def test_a_full_disk_is_the_devices_own_word(spare, tmp_path):
    (tmp_path / "f").write_bytes(bytes(20_000_000))
    transport = open_transport(spare.address)
    with pytest.raises(DeviceError, match="No space left on device") as caught:
        transport.push(tmp_path / "f", PurePosixPath("/sdcard/f"))
    assert not isinstance(caught.value, DeviceLost)


def test_a_command_that_is_longer_than_adb_passes_on_arrives(spare):
    transport = open_transport(spare.address)
    words = ["x" * 100_000, "it's", "$HOME"]
    done = transport.run(["printf", "%s\\n", *words])
    assert done.stdout.decode().split("\n") == [*words, ""]
    assert listing(spare) == []


def test_a_background_program_that_holds_the_streams_does_not_hold_the_call(spare):
    transport = open_transport(spare.address)
    begun = time.monotonic()
    done = transport.run(["sh", "-c", "sleep 20 & echo $!"], timeout_s=15)
    transport.run(["kill", done.stdout.decode().strip()])
    assert time.monotonic() - begun < 10


@pytest.fixture(params=["one stream", "a terminal"])
def old(request, spare):
    """A phone from before Android 7."""
    without = ["shell_v2", "stat_v2", "ls_v2", "sendrecv_v2", "fixed_push_mkdir"]
    spare.is_now(without=without, terminal=request.param == "a terminal")
    return spare


def test_an_old_device_keeps_streams_apart_and_says_how_a_program_ended(old):
    script = "printf 'out\\n'; printf 'err\\r\\n' >&2; exit 42"
    done = open_transport(old.address).run(["sh", "-c", script])
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\r\n", 42)
    assert listing(old) == []


def test_an_old_device_is_told_every_byte_and_where_they_end(old):
    data = bytes(range(256)) * 3000
    assert open_transport(old.address).run(["cat"], stdin=data).stdout == data


def test_an_old_device_tells_a_signal(old):
    assert open_transport(old.address).run(["sh", "-c", "kill -9 $$"]).exit_code == 137


def test_a_program_on_an_old_device_is_ended_at_its_deadline(old):
    transport = open_transport(old.address)
    script = 'echo $$ > "$1"; trap "" TERM HUP; while :; do sleep 0.1; done'
    with pytest.raises(DeviceError, match="it was ended") as caught:
        transport.run(["sh", "-c", script, "x", str(PLACE / "pid")], timeout_s=2)
    assert not isinstance(caught.value, DeviceLost)
    pid = old.seen(PLACE / "pid").read_text().strip()
    deadline = time.monotonic() + 5
    while Path("/proc", pid).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path("/proc", pid).exists()


def test_files_go_to_an_old_device_and_come_back(old, tmp_path):
    transport = open_transport(old.address)
    (tmp_path / "f").write_bytes(os.urandom(300_000))
    transport.push(tmp_path / "f", PLACE / "f")
    transport.pull(PLACE / "f", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "f").read_bytes()


def test_a_lost_old_device_is_a_lost_one(old):
    transport = open_transport(old.address)
    transport.run(["true"])
    threading.Timer(0.7, old.cut).start()
    with pytest.raises(DeviceLost, match="was lost during 'sleep'"):
        transport.run(["sleep", "20"], timeout_s=15)
