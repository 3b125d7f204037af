"""One at a time: who gets a device, who is told of whom, and when a lock has ended."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgebench.core import FILE_BYTES_MAX
from edgebench.device import lock
from edgebench.device.job_scripts import WAIT_NAME
from edgebench.device.jobs import clean, start, this_process
from edgebench.device.local import LocalTransport
from edgebench.device.lock import Claim, LockedTransport, locked
from edgebench.errors import DeviceError
from edgebench.runner import RunnerJob
from tests.conftest import need

JOB = RunnerJob(kind="latency", model="m.onnx", runtime="onnxruntime")


@pytest.fixture
def claim(device):
    """Claims of several hosts on one device, whose locks nobody else looks at."""
    folder = device.work_folder / "locks"
    assert device.transport.run(["mkdir", "-p", str(folder)]).exit_code == 0

    def make(name):
        told = {"host": name, "user": "eva", "run": f"run of {name}", "since": "2026-11-29"}
        return Claim(
            transport=Elsewhere(device.transport, folder),
            name="pi5",
            work_folder=device.work_folder,
            token=name,
            document=json.dumps({**told, "owner": f"{name} 1 1"}).encode(),
        )

    return make


class Elsewhere:
    """The device's own transport, which looks for locks in a folder of the test's."""

    def __init__(self, inner, folder):
        self.inner, self.folder = inner, folder
        self.names = []

    @property
    def address(self):
        return self.inner.address

    def run(self, argv, *, timeout_s=60.0, stdin=b""):
        self.names.append(argv[3] if len(argv) > 3 else argv[0])
        variable = f"EDGEBENCH_LOCKS={self.folder}"
        return self.inner.run(["env", variable, *argv], timeout_s=timeout_s, stdin=stdin)

    def push(self, source, target, *, timeout_s=600.0):
        self.inner.push(source, target, timeout_s=timeout_s)

    def pull(self, source, target, *, timeout_s=600.0, bytes_max=FILE_BYTES_MAX):
        self.inner.pull(source, target, timeout_s=timeout_s, bytes_max=bytes_max)

    def close(self):
        self.inner.close()

    def file(self, number, name):
        return f"{self.folder}/edgebench-lock.{number}/{name}"

    def put(self, number, name, text):
        script = 'mkdir -p "${1%/*}" && cat > "$1"'
        self.inner.run(["sh", "-c", script, "x", self.file(number, name)], stdin=text.encode())

    def text(self, number, name):
        return self.inner.run(["cat", self.file(number, name)]).stdout.decode()

    def listed(self):
        return self.inner.run(["ls", str(self.folder)]).stdout.decode().split()


def test_a_device_is_the_first_ones_until_it_is_given_back(claim):
    one, other = claim("one"), claim("other")
    assert one.take() is None
    held = other.take()
    assert (held.holder.host, held.holder.user, held.holder.run) == ("one", "eva", "run of one")
    assert one.take() is None  # is still there
    other.release()
    assert other.take() is not None
    one.release()
    assert other.take() is None
    assert one.take().holder.host == "other"
    assert one.transport.listed() == ["edgebench-lock.2"]


@pytest.mark.parametrize(
    "beat",
    [
        "{now} 5 {boot}",
        "{late} 600 {boot}",
        "{now} 600 another-boot",
        "x[$(touch {mark})] 600 {boot}",
    ],
    ids=["silent for longer than its lease", "from the future", "before a reboot", "no number"],
)
def test_a_holder_that_is_no_more_holds_nothing(claim, beat):
    one, other = claim("one"), claim("other")
    assert one.take() is None
    now, _, boot = one.transport.text(1, "beat").split()
    mark = one.transport.file(1, "mark")
    words = {"now": max(int(now) - 60, 0), "late": int(now) + 9999, "boot": boot, "mark": mark}
    one.transport.put(1, "beat", beat.format(**words) + "\n")
    assert other.take() is None
    assert one.take().holder.host == "other"


def test_a_holder_whose_job_still_runs_holds_the_device(claim, device, launch_of):
    one, other = claim("one"), claim("other")
    assert one.take() is None
    running = start(device, launch_of("exec sleep 60"), JOB, name="cell")
    now, _, boot = one.transport.text(1, "beat").split()
    one.transport.put(1, "beat", f"{max(int(now) - 60, 0)} 5 {boot}\n")
    assert other.take().holder.host == "one"
    clean(device, running)
    assert other.take() is None


def test_whoever_is_about_to_take_a_lock_has_it_and_who_died_at_that_has_not(claim):
    one = claim("one")
    one.transport.put(7, "token", "somebody")
    assert one.take().number == 7
    folder = one.transport.file(7, "token").rpartition("/")[0]
    one.transport.inner.run(["touch", "-d", "2001-01-01 00:00:00", folder])
    assert one.take() is None


def test_a_lock_of_whom_one_knows_that_he_is_no_more_is_taken_over(claim):
    one, other = claim("one"), claim("other")
    assert one.take() is None
    held = other.take()
    assert other.take(over=held.number + 1) is not None
    assert other.take(over=held.number) is None
    assert one.take().holder.host == "other"


@pytest.mark.parametrize(
    "document",
    ["", "no JSON", "[1]", "[" * 5000, '{"host": 5}', '{"host": "\\u001b[2J\\n", "run": ' + '"x"}'],
)
def test_what_a_holder_says_of_itself_is_not_believed(claim, document):
    one, other = claim("one"), claim("other")
    assert one.take() is None
    one.transport.put(1, "holder", document)
    held = other.take()
    assert held.number == 1
    assert lock.told(held).isprintable()


def test_of_many_who_come_at_once_one_gets_it(here, tmp_path):
    folder = tmp_path / "locks"
    folder.mkdir()

    def claim(name):
        return Claim(
            transport=Elsewhere(LocalTransport(), folder),
            name="here",
            work_folder=here.work_folder,
            token=name,
            document=b"{}",
        )

    for turn in range(5):
        claims = [claim(f"{turn}-{n}") for n in range(8)]
        barrier = threading.Barrier(len(claims))

        def take(one, barrier=barrier):
            barrier.wait()
            return one.take()

        with ThreadPoolExecutor(len(claims)) as pool:
            held = list(pool.map(take, claims))
        assert held.count(None) == 1
        claims[held.index(None)].release()


class Shelled(Elsewhere):
    """A device whose `sh` is another program."""

    def __init__(self, inner, folder, shell):
        super().__init__(inner, folder)
        self.shell = shell

    def run(self, argv, *, timeout_s=60.0, stdin=b""):
        assert argv[0] == "sh"
        return super().run([*self.shell, *argv[1:]], timeout_s=timeout_s, stdin=stdin)


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["bash", "--posix"]], ids=" ".join)
def test_any_shell_keeps_a_lock_and_runs_nothing_that_stands_in_one(here, tmp_path, shell):
    need(shell[0])
    folder, mark = tmp_path / "locks", tmp_path / "mark"
    folder.mkdir()

    def claim(name):
        return Claim(
            transport=Shelled(LocalTransport(), folder, shell),
            name="here",
            work_folder=here.work_folder,
            token=name,
            document=b"{}",
        )

    one, other = claim("one"), claim("other")
    assert one.take() is None
    assert other.take() is not None
    boot = one.transport.text(1, "beat").split()[2]
    one.transport.put(1, "beat", f"x[$(touch${{IFS}}{mark})] 600 {boot}\n")
    assert other.take() is None
    one.transport.put(2, "beat", f"5 x[$(touch${{IFS}}{mark})] {boot}\n")
    assert claim("third").take() is None
    assert not mark.exists()
    assert one.transport.listed() == ["edgebench-lock.3"]


class Bare(Elsewhere):
    """A device where nobody may write anywhere."""

    def run(self, argv, *, timeout_s=60.0, stdin=b""):
        words = [word.replace("/tmp /data/local/tmp", "/proc") for word in argv]
        return super().run(words, timeout_s=timeout_s, stdin=stdin)


def test_a_device_that_cannot_be_written_to_cannot_be_locked(here):
    nowhere = Claim(
        transport=Bare(here.transport, "/proc"),
        name="here",
        work_folder=here.work_folder,
        token="x",
        document=b"{}",
    )
    with pytest.raises(DeviceError, match="cannot be locked"):
        nowhere.take()


def test_a_lock_is_renewed_before_a_call_and_seldom_while_a_job_is_waited_for(claim, monkeypatch):
    one = claim("one")
    assert one.take() is None
    transport = LockedTransport(one)
    transport.run(["true"])
    monkeypatch.setattr(lock, "BEAT_S", 0.0)
    transport.run(["true"])
    transport.run(["sh", "-c", "true", WAIT_NAME])
    sent = one.transport.names
    assert sent.count("edgebench-lock") == 3
    one.release()
    assert claim("other").take() is None
    with pytest.raises(DeviceError, match="eva on other measures there"):
        transport.run(["true"])


def test_a_lock_of_this_machine_whose_process_is_gone_is_taken_at_once(here, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_LOCKS", str(tmp_path))
    machine = this_process().split()[0]
    gone = Claim(
        transport=here.transport,
        name="here",
        work_folder=here.work_folder,
        token="gone",
        document=json.dumps({"owner": f"{machine} 4999999 1", "host": "here"}).encode(),
    )
    assert gone.take() is None
    lines: list[str] = []
    with locked(here, run="mine", progress=lines.append) as device:
        assert device.transport.run(["echo", "x"]).stdout == b"x\n"
    assert "Its process is no more" in lines[0]


def test_another_hosts_lock_is_refused_with_its_holder_and_the_remedy(here, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_LOCKS", str(tmp_path))
    told = {"owner": "elsewhere 1 1", "host": "pc", "user": "eva", "run": "r", "since": "noon"}
    other = Claim(
        transport=here.transport,
        name="here",
        work_folder=here.work_folder,
        token="other",
        document=json.dumps(told).encode(),
    )
    assert other.take() is None
    lines: list[str] = []
    with (
        pytest.raises(DeviceError, match=r"eva on pc measures there since noon \(run r") as refusal,
        locked(here, run="mine", progress=lines.append),
    ):
        pass
    assert "--wait-for-lock" in str(refusal.value.hint)
    threading.Timer(0.5, other.release).start()
    with locked(here, run="mine", wait_s=600, progress=lines.append):
        held = other.take()
        assert held is not None
        assert held.holder.run == "mine"
    assert lines == [line for line in lines if line.startswith("waits: eva on pc")]


def test_who_has_just_taken_a_lock_is_named_once_it_has_said_so(here, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_LOCKS", str(tmp_path))
    folder = tmp_path / "edgebench-lock.1"
    folder.mkdir()
    told = json.dumps({"owner": "elsewhere 1 1", "host": "pc", "user": "eva", "run": "r"})
    threading.Timer(0.2, (folder / "holder").write_text, [told]).start()
    lines: list[str] = []
    with (
        pytest.raises(DeviceError, match="eva on pc measures there"),
        locked(here, run="mine", progress=lines.append),
    ):
        pass
    assert lines == []
