"""A launch of the runner on a device, until its files are here and its folder there is gone."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgebench.core import Device, MeasureProtocol, Reason
from edgebench.device.files import fetch
from edgebench.device.jobs import (
    NO_MEMORY_WORDS,
    NO_SPACE_WORDS,
    RESTARTED,
    Ended,
    Running,
    clean,
    is_full,
    refuses_writes,
    start,
    wait,
)
from edgebench.device.patience import patiently
from edgebench.device.provision import Launch
from edgebench.device.settings import Wanted
from edgebench.device.steady import renew
from edgebench.errors import DeviceError, DeviceFull, DeviceLost, DeviceRestarted, JobFailed
from edgebench.runner import RunnerJob, RunnerResult, read_result
from edgebench.untrusted import DOCUMENT_BYTES_MAX

# How the runner ends by itself: with an answer, or with one that says why there is none.
ANSWERED: Final = frozenset({0, 1})
LOG_CHARACTERS: Final = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A runner that answered, while its files are still on the device."""

    device: Device
    running: Running
    result: RunnerResult
    scratch: Path = field(repr=False)

    def fetch_as(self, name: str, target: Path) -> Path:
        """Bring a file that the runner wrote to `target`."""
        return patiently(lambda: fetch(self.device, self.running.folder / name, target))

    def file(self, name: str) -> Path:
        """Bring a file that nobody needs after the launch."""
        return self.fetch_as(name, self.scratch / name)


@contextlib.contextmanager
def ran(
    device: Device,
    launch: Launch,
    asked: RunnerJob,
    *,
    name: str,
    protocol: MeasureProtocol,
    quiet_s: float = 0.0,
) -> Iterator[Done]:
    """Run a job to its end; its folder on the device is gone after that, however it ended.

    Raises:
        JobFailed: The runner failed, was killed, or took too long; the other cells go on.
        DeviceRestarted: The device was started anew meanwhile; the job is to be repeated.
        DeviceError: It cannot write any more, or does not come back.
    """
    if Wanted.of(protocol).named():
        patiently(lambda: renew(device))
    try:
        running = start(device, launch, asked, name=name)
    except DeviceFull as error:
        raise JobFailed(str(error), reason=Reason.NO_SPACE, hint=error.hint) from error
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        try:
            ended = wait(device, running, timeout_s=protocol.timeout_s, quiet_s=quiet_s)
            result = _answer(device, running, ended, Path(scratch))
            yield Done(device=device, running=running, result=result, scratch=Path(scratch))
        finally:
            # A device that is lost keeps the folder; that must not hide why it was lost.
            with contextlib.suppress(DeviceError):
                clean(device, running)


def _answer(device: Device, running: Running, ended: Ended, scratch: Path) -> RunnerResult:
    """What the runner wrote; raises JobFailed with how it ended where it wrote nothing."""
    if ended.how == "restarted":
        hint = "A weak power supply does that, and so does a watchdog, or heat."
        msg = f"{device.name}: {RESTARTED}"
        raise DeviceRestarted(msg, hint=hint)
    if ended.how != "finished" or ended.exit_code not in ANSWERED:
        raise _unanswered(device, ended)
    try:
        document = patiently(
            lambda: fetch(
                device,
                running.folder / "result.json",
                scratch / "result.json",
                bytes_max=DOCUMENT_BYTES_MAX,
            )
        )
    except DeviceLost:
        raise
    except DeviceError as error:
        raise _unanswered(device, ended, why=str(error)) from error
    return read_result(document.read_bytes())


def _unanswered(device: Device, ended: Ended, *, why: str = "-") -> JobFailed | DeviceError:
    """Why there is no answer; on a full disk neither the log nor the exit code may say so."""
    log = ended.log[-LOG_CHARACTERS:].strip() or "-"
    if (refusal := refuses_writes(device)) is not None:
        return refusal
    if NO_SPACE_WORDS in ended.log or is_full(device):
        msg = f"The device has no space left for what the runner writes. Its log: {log}"
        return JobFailed(msg, reason=Reason.NO_SPACE)
    if ended.how == "finished" and (ended.exit_code or 0) < 128:
        msg = f"The runner ended with code {ended.exit_code} and no answer: {why} Its log: {log}"
        return JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    if NO_MEMORY_WORDS in ended.log:
        msg = f"{device.name} ran out of memory, and its kernel killed the runner. Its log: {log}"
        hint = "Make the model smaller, or free memory on the device."
        return JobFailed(msg, reason=Reason.KILLED, hint=hint)
    how = "vanished" if ended.how == "vanished" else f"was killed (code {ended.exit_code})"
    msg = f"The runner {how}. Its log: {log}"
    hint = "A runtime that crashes on this model, or too little memory, does that."
    return JobFailed(msg, reason=Reason.KILLED, hint=hint)
