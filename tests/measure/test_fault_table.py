"""Rows of the fault table: a board breaks in the middle of a block, and what was finished stays."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.core import Reason, Recorded, Status
from edgebench.device.connect import connect
from edgebench.device.jobs import start, wait
from edgebench.errors import DeviceError, JobFailed
from edgebench.measure.cell import is_finished
from edgebench.measure.launched import ran
from edgebench.measure.restarts import measure_through
from edgebench.runner import RunnerJob
from tests.conftest import miss, need
from tests.device.conftest import launch_of
from tests.programs import UnavailableError
from tests.restarts import board_restarted, sshd_restarted
from tests.simulated import BRISK, runners_of
from tests.sshd import Board, started

__all__ = ["launch_of"]

# Long enough for a fault to hit a process in its middle.
SLOW = replace(BRISK, sample_min_s=2.0, sample_max_s=2.5)


# Loaded into every program of the board: a wall clock that is off by what a file says.
CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long off_s(void) {
  char text[24] = {0};
  int file = open(OFF, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
  close(file);
  return atol(text);
}

int clock_gettime(clockid_t which, struct timespec *now) {
  int code = (int)syscall(SYS_clock_gettime, which, now);
  if (code == 0 && which == CLOCK_REALTIME) now->tv_sec += off_s();
  return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec fine;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &fine);
  now->tv_sec = fine.tv_sec;
  now->tv_usec = fine.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec fine;
  clock_gettime(CLOCK_REALTIME, &fine);
  if (now) *now = fine.tv_sec;
  return fine.tv_sec;
}
"""


class Bench:
    """A board of the module's own, that may be broken and mended."""

    def __init__(self, server, clock):
        self.server = server
        self.clock = clock
        self.device = connect(server.address)

    @property
    def jobs(self):
        return self.server.seen(self.device.work_folder / "jobs")


@pytest.fixture(scope="module")
def shaken():
    """A board that is provisioned once; each test leaves it as it was."""
    for program in ("sshd", "nsenter", "unshare"):
        need(program)
    if os.geteuid() != 0:
        miss("only root can break a board of its own")
    folder = Path(tempfile.mkdtemp(prefix="eb-shaken-"))
    folder.chmod(0o755)
    programs, etc, clock = folder / "bin", folder / "etc", folder / "clock"
    programs.mkdir()
    etc.mkdir()
    clock.write_text("0")
    (folder / "clock.c").write_text(CLOCK)
    compiled = ["-shared", "-fPIC", f'-DOFF="{clock}"', "-o", str(folder / "clock.so")]
    subprocess.run([need("gcc"), *compiled, str(folder / "clock.c")], check=True)
    (etc / "ld.so.preload").write_text(f"{folder}/clock.so\n")
    board = Board(mounts={}, path=programs, etc=etc)
    try:
        with started(board=board) as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
            bench = Bench(server, clock)
            yield bench
            bench.device.transport.close()
    except UnavailableError as error:
        miss(str(error))
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def in_block(bench, fault, *, block=1):
    """Do something once, in the middle of a process of this block."""
    stop = threading.Event()
    happened = []

    def watch():
        while not stop.is_set() and not list(bench.jobs.glob(f"*.b{block}-*/pid")):
            time.sleep(0.05)
        if not stop.wait(1.0):
            fault()
            happened.append(time.monotonic())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield happened
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def through(task, wheels):
    """Every state of the cells while they are measured, and what was said."""

    def measure(bench, tasks=None, protocol=SLOW):
        told: list[str] = []
        states = list(
            measure_through(
                bench.device,
                tasks or [task],
                protocol,
                kept={},
                cache=wheels,
                progress=told.append,
            )
        )
        return states, told

    return measure


def whole(states):
    """The last state, once it holds every block that was asked for, the first as it first was."""
    last = states[-1]
    assert last.measurement.status is Status.OK
    assert [process.block for process in last.measurement.processes] == [0, 1]
    (first, *_) = (state for state in states if state.measurement.processes)
    assert first.measurement.processes[0] == last.measurement.processes[0]
    return last


def test_a_cut_in_a_run_costs_nothing(shaken, through):
    with in_block(shaken, shaken.server.cut) as happened:
        states, _ = through(shaken)
    assert happened
    whole(states)


def test_a_board_that_is_started_anew_keeps_its_blocks_and_repeats_the_broken_one(shaken, through):
    def reset():
        shaken.server = board_restarted(shaken.server)

    with in_block(shaken, reset) as happened:
        states, told = through(shaken)
    assert happened
    whole(states)
    (words,) = (line for line in told if "started anew" in line)
    assert "repeated" in words
    assert list(shaken.jobs.iterdir()) == []


def test_a_server_of_ssh_that_is_started_anew_costs_nothing(shaken, through):
    def restart():
        shaken.server = sshd_restarted(shaken.server)

    with in_block(shaken, restart) as happened:
        states, told = through(shaken)
    assert happened
    whole(states)
    assert not [line for line in told if "started anew" in line]


def test_a_runner_that_is_killed_fails_its_cell_and_no_other(shaken, through, task):
    killed = []

    def kill():
        killed.extend(runners_of(shaken.server.uid))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    tasks = [task, replace(task, job=replace(task.job, variant="other"))]
    with in_block(shaken, kill):
        states, _ = through(shaken, tasks)
    assert len(killed) == 1
    last = {state.measurement.key: state.measurement for state in states}
    by_status = {cell.status: cell for cell in last.values()}
    assert set(by_status) == {Status.OK, Status.FAILED}
    assert by_status[Status.FAILED].reasons == (Reason.KILLED,)
    assert "code 137" in str(by_status[Status.FAILED].error)
    # What it had measured before is still there for whoever looks.
    assert [process.block for process in by_status[Status.FAILED].processes] == [0]


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_wall_clock_that_jumps_by_an_hour_in_a_run_costs_nothing(shaken, through, jump_s):
    try:
        with in_block(shaken, lambda: shaken.clock.write_text(str(jump_s))) as happened:
            states, _ = through(shaken)
        there_s = int(shaken.device.transport.run(["date", "+%s"]).stdout)
    finally:
        shaken.clock.write_text("0")
    assert happened
    assert abs(there_s - time.time() - jump_s) < 600
    last = whole(states)
    assert all(block.min() > 0 and block.max() < 10**10 for block in last.samples.values())


def remount(bench, options):
    """Change how the board's disk is mounted."""
    work = bench.device.work_folder
    words = f"mountpoint -q {work} || mount --bind {work} {work}; mount -o remount,bind,{options} "
    nsenter = ["nsenter", "--target", str(bench.server.pid), "--mount", "sh", "-c"]
    subprocess.run([*nsenter, f"{words} {work}"], check=True, capture_output=True)


def test_a_disk_that_turns_read_only_ends_the_device_and_is_named(shaken, task, wheels):
    seen: list[Recorded] = []

    def measure(kept):
        found = measure_through(
            shaken.device, [task], SLOW, kept=kept, cache=wheels, progress=print
        )
        seen.extend(state for state in found)

    try:
        with (
            in_block(shaken, lambda: remount(shaken, "ro")),
            pytest.raises(DeviceError, match="Read-only file system") as caught,
        ):
            measure({})
    finally:
        remount(shaken, "rw")
    assert "dmesg" in str(caught.value.hint)
    # The cell stays open: `run --resume` goes on with it.
    assert not is_finished(seen[-1].measurement)
    assert [process.block for process in seen[-1].measurement.processes] == [0]
    measure({seen[-1].measurement.key: seen[-1]})
    whole(seen)


def test_nothing_can_be_sent_to_a_disk_that_is_read_only(shaken, tmp_path):
    from edgebench.device.files import deliver

    (tmp_path / "model").write_bytes(os.urandom(1000))
    shaken.device.transport.run(["mkdir", "-p", str(shaken.device.work_folder)])
    remount(shaken, "ro")
    try:
        with pytest.raises(DeviceError, match="Read-only file system"):
            deliver(shaken.device, tmp_path / "model")
    finally:
        remount(shaken, "rw")


HUNGRY = "exec python3 -c \"x = b'x' * (400 << 20)\""


@pytest.fixture
def narrow():
    """Let a process, and all that it starts, have no more than so much memory."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    roots = [m[1] for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
    limit = "memory.limit_in_bytes"
    if not roots:
        roots = [m[1] for m in mounts if m[2] == "cgroup2"]
        limit = "memory.max"
    if os.geteuid() != 0 or not roots:
        miss("no cgroup of the memory's can be made here")
    place = Path(roots[0]) / f"eb-{os.getpid()}"

    def confine(pid, size_bytes):
        place.mkdir()
        (place / limit).write_text(str(size_bytes))
        (place / "cgroup.procs").write_text(str(pid))

    yield confine
    for _ in range(50):
        with contextlib.suppress(OSError):
            place.rmdir()
            return
        time.sleep(0.1)


def test_a_runner_that_the_kernel_kills_for_want_of_memory_says_so(narrow, launch_of, monkeypatch):
    need("sshd")
    with started() as server:
        monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
        narrow(server.pid, 100 << 20)
        device = connect(server.address)
        job = RunnerJob(kind="latency", model="m", runtime="onnxruntime")
        with (
            pytest.raises(JobFailed, match="ran out of memory") as caught,
            ran(device, launch_of(HUNGRY), job, name="hungry", protocol=BRISK),
        ):
            raise AssertionError
        assert caught.value.reason == Reason.KILLED
        # The server is still there, and so is the device.
        running = start(device, launch_of("exit 3"), job, name="modest")
        assert wait(device, running, timeout_s=30).exit_code == 3
        device.transport.close()
