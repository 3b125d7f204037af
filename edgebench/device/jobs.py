"""Programs that run on a device on their own: started, waited for, ended, found again.

The link may break at any time; what runs goes on, and writes into its job folder how it ended. So
"killed" (an exit code of 128 + n), "vanished" (no exit code, and nobody left who would write one:
the power went) and "lost" (nobody answers) are three different things.
"""

import contextlib
import functools
import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from edgebench.core import Completed, Device, Reason
from edgebench.device import job_scripts as scripts
from edgebench.device.fact_readers import free_bytes
from edgebench.device.patience import PATIENCE_S, patiently
from edgebench.errors import DeviceError, DeviceFull, JobFailed
from edgebench.runner import RunnerJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.device.provision import Launch

SLICE_S: Final = 60.0  # one question to the device; it answers earlier when the job ends earlier
ANSWER_S: Final = 20.0
LOOK_S: Final = 0.2  # a device that answers at once need not be asked at once again
# Where less is left, neither an exit code nor an answer can be relied upon.
FULL_BYTES: Final = 64 << 10
NO_SPACE_WORDS: Final = "No space left on device"
READ_ONLY_WORDS: Final = "Read-only file system"
# As `runners/launch.sh` writes it.
NO_MEMORY_WORDS: Final = "Killed: out of memory"
READ_ONLY_HINT: Final = (
    "A kernel turns a disk that fails read-only: see `dmesg` there, check the card, restart it."
)
OURS_HINT: Final = "Is the folder not ours?"
RESTARTED: Final = "The device was started anew while the runner was at work."


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A job that was started.

    Attributes:
        boot: Which boot of the device's kernel it runs under; empty where that is not known.
    """

    folder: PurePosixPath
    boot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended.

    Attributes:
        exit_code: As a shell gives it, 128 + n where signal n ended the runner; None where there
            is none.
        how: `restarted` where the device was started anew meanwhile.
        log: The last 8 kB of what the runner printed.
    """

    exit_code: int | None
    how: Literal["finished", "killed", "vanished", "restarted"]
    log: str


def start(device: Device, launch: "Launch", job: RunnerJob, *, name: str) -> Running:
    """Start the runner detached, in a job folder of its own.

    A link that breaks meanwhile is made anew, and the runner is started no second time.

    Raises:
        DeviceLost: The device does not come back.
        DeviceFull: Its disk is.
        DeviceError: The job folder cannot be written, or nothing can be started.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".")
    folder = device.work_folder / "jobs" / f"{plain}-{secrets.token_hex(4)}"
    program = (*launch.argv, str(folder / "job.json"))
    launcher = str(PurePosixPath(launch.argv[-1]).with_name("launch.sh"))
    variables = [f"{key}={value}" for key, value in launch.env.items()]
    command = (*variables, "sh", launcher, str(folder), *program)
    argv = ("sh", "-c", scripts.START, "edgebench-start", str(folder), this_process(), *command)
    done = _patiently(device, argv, stdin=f"{job.to_json()}\n".encode())
    if done.exit_code != 0:
        words = done.stderr.decode(errors="replace").strip()[-500:]
        msg = f"{device.name} does not start the runner in {str(folder)!r}: {words or '-'}."
        if NO_SPACE_WORDS in words or is_full(device):
            raise DeviceFull(msg, hint="Its disk is full: free some.")
        raise DeviceError(msg, hint=READ_ONLY_HINT if READ_ONLY_WORDS in words else OURS_HINT)
    boot = re.fullmatch(rb"([0-9a-f-]{36})\s*", done.stdout)
    return Running(folder=folder, boot=boot[1].decode() if boot else "")


def is_full(device: Device) -> bool:
    """Whether nothing more can be written where jobs are; raises DeviceLost as `start` does."""
    done = _patiently(device, ("df", "-Pk", str(device.work_folder)))
    left_bytes = free_bytes(done.stdout.decode(errors="replace"))
    return left_bytes is not None and left_bytes < FULL_BYTES


def refuses_writes(device: Device) -> DeviceError | None:
    """Why nothing can be written where jobs are, though there is space; None where it can."""
    place = device.work_folder / "jobs"
    done = _patiently(device, ("sh", "-c", scripts.WRITE, "edgebench-write", str(place)))
    words = done.stderr.decode(errors="replace")
    if READ_ONLY_WORDS not in words:
        return None
    msg = f"{device.name} lets nothing be written in {str(place)!r} any more: {READ_ONLY_WORDS}."
    return DeviceError(msg, hint=READ_ONLY_HINT)


def wait(
    device: Device,
    running: Running,
    *,
    timeout_s: float,
    quiet_s: float = 0.0,
    patience_s: float = PATIENCE_S,
) -> Ended:
    """Wait for a job's end, without disturbing it and whatever happens to the link.

    Args:
        quiet_s: How long neither host nor device look at the job, where looking costs anything.
        patience_s: How long a device may be out of reach before it counts as lost.

    Raises:
        JobFailed: It took longer than `timeout_s`; it was ended.
        DeviceLost: The device did not come back.
    """
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        slice_s = min(max(quiet_s, SLICE_S), left_s)
        times = (f"{min(quiet_s, slice_s):.3f}", f"{max(1, round(slice_s))}")
        waiting = (scripts.WAIT, scripts.WAIT_NAME, str(running.folder), *times, running.boot)
        argv = ("sh", "-c", *waiting)
        done = _patiently(device, argv, timeout_s=slice_s + ANSWER_S, patience_s=patience_s)
        ended = read_end(done.stdout.decode(errors="replace"))
        if ended is not None:
            return ended
        quiet_s = 0.0
        time.sleep(min(LOOK_S, max(0.0, deadline_s - time.monotonic())))
    stop(device, running)
    msg = f"The runner on {device.name} took longer than {timeout_s:g} s; it was ended."
    raise JobFailed(msg, reason=Reason.TIMEOUT)


def read_end(answer: str) -> Ended | None:
    r"""How a job ended; None while it runs.

    >>> read_end("finished 137\nout of\nmemory\n")
    Ended(exit_code=137, how='killed', log='out of\nmemory\n')
    >>> read_end("running\n") is None
    True
    """
    state, _, log = answer.partition("\n")
    word, _, detail = state.partition(" ")
    if word == "finished" and re.fullmatch(r"\d{1,3}", detail):
        code = int(detail)
        return Ended(exit_code=code, how="killed" if code > 128 else "finished", log=log)
    if word == "restarted" or (word == "vanished" and _is_younger(detail)):
        return Ended(exit_code=None, how="restarted", log=f"{log}{RESTARTED}\n")
    if word == "vanished":
        return Ended(exit_code=None, how="vanished", log=f"{log}{_last_sign(detail)}\n")
    return None


def stop(device: Device, running: Running) -> None:
    """End the runner and its whole session, if it is still there and really ours."""
    argv = ("sh", "-c", scripts.STOP, "edgebench-stop", str(running.folder))
    _patiently(device, argv)


def clean(device: Device, running: Running) -> None:
    """Remove a job's folder; what runs there is ended first."""
    jobs = device.work_folder / "jobs"
    if running.folder.parent != jobs:
        msg = f"{running.folder} is no job folder of {jobs}"
        raise ValueError(msg)
    stop(device, running)
    _patiently(device, ("rm", "-rf", "--", str(running.folder)))


def end_leftovers(device: Device) -> tuple[str, ...]:
    """End and remove what earlier runs from this machine left on the device; their names.

    A job whose edgebench is still at work, or that another machine started, is left alone.
    """
    argv = ("sh", "-c", scripts.LIST, "edgebench-list", str(device.work_folder / "jobs"))
    done = _patiently(device, argv)
    ended: list[str] = []
    for line in done.stdout.decode(errors="replace").splitlines():
        owner, _, name = line.partition("\t")
        # Names of ours, and nothing that leads elsewhere.
        if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) and is_abandoned(owner):
            clean(device, Running(folder=device.work_folder / "jobs" / name))
            ended.append(name)
    return tuple(ended)


def is_abandoned(owner: str) -> bool:
    """Whether a job was started from this machine, by a process that is no more."""
    host, _, process = owner.partition(" ")
    pid, _, started = process.partition(" ")
    return host == _this_host() and pid.isdigit() and _start_time(int(pid)) != started


def this_process() -> str:
    """Who starts a job: this machine (hashed), this process, and when that began."""
    return f"{_this_host()} {os.getpid()} {_start_time(os.getpid())}"


def _this_host() -> str:
    machine = ""
    with contextlib.suppress(OSError):
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return hashlib.sha256(f"{machine or os.uname().nodename} {os.getuid()}".encode()).hexdigest()[
        :16
    ]


def _start_time(pid: int) -> str:
    """When a process of this machine began; empty where it is not there, or has ended already."""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if stat[0] in {"Z", "X"} else stat[19]
    return ""


def _times(detail: str) -> "Mapping[str, float]":
    return {key: float(value) for key, value in re.findall(r"(now|beat)=(\d+(?:\.\d+)?)", detail)}


def _is_younger(detail: str) -> bool:
    """Whether the device is up for less time than it was when the job last gave a sign."""
    times = _times(detail)
    return {"now", "beat"} <= times.keys() and times["now"] < times["beat"]


def _last_sign(detail: str) -> str:
    """What the device's uptime says about a job that left no exit code."""
    times = _times(detail)
    if not {"now", "beat"} <= times.keys():
        return "The runner is gone and wrote no exit code."
    ago_s = times["now"] - times["beat"]
    return f"The runner is gone and wrote no exit code; its last sign of life is {ago_s:.0f} s old."


def _patiently(
    device: Device,
    argv: tuple[str, ...],
    *,
    stdin: bytes = b"",
    timeout_s: float = 60.0,
    patience_s: float = PATIENCE_S,
) -> Completed:
    """Run a program that may be run twice, through losses of the link."""
    run = functools.partial(device.transport.run, argv, timeout_s=timeout_s, stdin=stdin)
    return patiently(run, patience_s=patience_s)
