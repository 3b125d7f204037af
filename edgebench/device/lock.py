"""One at a time: a device that is measured is locked, on the device itself, for every host.

`lock_scripts` is the device's side. Whoever holds the lock is heard of with the calls that it makes
anyhow; a holder that was not heard of for `LEASE_S` and of which no job runs any more, one that
began before the device did, and one of this machine that is no more, hold nothing.
"""

import contextlib
import dataclasses
import getpass
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import FILE_BYTES_MAX, Completed, Device, Progress, Transport
from edgebench.device.halt import pause
from edgebench.device.job_scripts import WAIT_NAME
from edgebench.device.jobs import is_abandoned, this_process
from edgebench.device.lock_scripts import RELEASE, TAKE
from edgebench.device.patience import patiently
from edgebench.errors import DeviceError

# Longer than a host is ever silent: a file that is sent, or a meter that is read, takes as long.
LEASE_S: Final = 600
BEAT_S: Final = 30.0
CALL_S: Final = 60.0
# A look costs the device that somebody measures a moment.
LOOK_AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0)
CHARACTERS_MAX: Final = 80
# Whoever takes it makes its folder first, and then writes there who that is.
NAMELESS_LOOKS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a device, as the device has it: nothing of it is believed.

    Attributes:
        owner: Which process, as `jobs.this_process` says it.
        since: When it took the lock, by its own clock.
    """

    host: str = "?"
    user: str = "?"
    run: str = "?"
    since: str = "?"
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lock that somebody else has.

    Attributes:
        number: Of the lock; none after it has it again.
        heard_s: How long ago the holder was last heard of.
    """

    number: int
    heard_s: int
    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What this process asks a device for."""

    transport: Transport
    name: str
    work_folder: PurePosixPath
    token: str
    document: bytes

    def take(self, *, over: int = 0) -> Held | None:
        """Take the lock, or say anew that we have it; who has it where that is somebody else.

        Args:
            over: Number of a lock whose holder is known to be no more.

        Raises:
            DeviceLost: The device does not answer.
            DeviceError: Nothing can be written there.
        """
        jobs = str(self.work_folder / "jobs")
        arguments = (self.token, str(self.work_folder), jobs, str(LEASE_S), str(over))
        done = self.transport.run(
            ("sh", "-c", TAKE, "edgebench-lock", *arguments), timeout_s=CALL_S, stdin=self.document
        )
        if done.exit_code != 0:
            words = done.stderr.decode(errors="replace").strip()[-300:]
            msg = f"{self.name} cannot be locked: {words or done.exit_code}."
            raise DeviceError(msg, hint="Let $EDGEBENCH_LOCKS name a folder there to write to.")
        return read_answer(done.stdout.decode(errors="replace"))

    def release(self) -> None:
        """Give the lock back; nothing where it is no more ours."""
        arguments = (self.token, str(self.work_folder))
        self.transport.run(("sh", "-c", RELEASE, "edgebench-unlock", *arguments), timeout_s=CALL_S)


class LockedTransport:
    """A way to a device on which the lock is renewed from time to time, before a call.

    While a job is waited for, that is where the host looks at it anyhow: no sooner than it must.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._inner = claim.transport
        self._heard_s = time.monotonic()

    @property
    def address(self) -> str:
        """Where the device stands."""
        return self._inner.address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""
        self._renew(2 * BEAT_S if WAIT_NAME in argv else BEAT_S)
        return self._inner.run(argv, timeout_s=timeout_s, stdin=stdin)

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to the device."""
        self._renew(BEAT_S)
        self._inner.push(source, target, timeout_s=timeout_s)

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from the device."""
        self._renew(BEAT_S)
        self._inner.pull(source, target, timeout_s=timeout_s, bytes_max=bytes_max)

    def close(self) -> None:
        """End the connection."""
        self._inner.close()

    def _renew(self, after_s: float) -> None:
        if time.monotonic() - self._heard_s < after_s:
            return
        held = self._claim.take()
        if held is not None:
            msg = f"{self._claim.name} has not heard of this run for too long. {told(held)}"
            raise DeviceError(msg, hint="`edgebench run --resume RUN` goes on once it is free.")
        self._heard_s = time.monotonic()


@contextlib.contextmanager
def locked(
    device: Device, *, run: str, wait_s: float = 0.0, progress: Progress
) -> Iterator[Device]:
    """A device that nobody else measures while the block runs.

    Another device of this very process that is the same machine is waited for, however long.

    Args:
        run: What whoever finds it locked is told.
        wait_s: How long to wait for somebody else.

    Raises:
        DeviceLost: It does not answer.
        DeviceError: Somebody else has it, or it cannot be locked.
    """
    holder = Holder(
        host=platform.node(),
        user=_user(),
        run=run,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        owner=this_process(),
    )
    claim = Claim(
        transport=device.transport,
        name=device.name,
        work_folder=device.work_folder,
        token=secrets.token_hex(8),
        document=json.dumps(dataclasses.asdict(holder)).encode(),
    )
    _take(claim, holder, wait_s, progress)
    try:
        yield replace(device, transport=LockedTransport(claim))
    finally:
        # Without a link the device finds out by itself that nobody is there any more.
        with contextlib.suppress(DeviceError):
            claim.release()


def told(held: Held) -> str:
    """Who has the lock, in a sentence."""
    who = held.holder
    ago = f"last heard of {held.heard_s} s ago"
    return f"{who.user} on {who.host} measures there since {who.since} (run {who.run}, {ago})."


def read_answer(answer: str) -> Held | None:
    r"""Who has the lock; None where that is us.

    >>> read_answer("ours\n") is None
    True
    >>> read_answer('held 3 12\n{"host": "pc\\u001b[2J", "user": 5}').holder.host
    'pc[2J'
    """
    state, _, document = answer.partition("\n")
    found = re.fullmatch(r"held (\d+) (\d+)", state)
    if found is None:
        return None
    return Held(number=int(found[1]), heard_s=int(found[2]), holder=_holder(document))


def _holder(document: str) -> Holder:
    try:
        fields = json.loads(document)
    except (ValueError, RecursionError):
        return Holder()
    if not isinstance(fields, dict):
        return Holder()
    names = [field.name for field in dataclasses.fields(Holder)]
    texts = {name: fields[name] for name in names if isinstance(fields.get(name), str)}
    return Holder(**{name: _plain(text) for name, text in texts.items()})


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:CHARACTERS_MAX]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _take(claim: Claim, ours: Holder, wait_s: float, progress: Progress) -> None:
    until_s = time.monotonic() + wait_s
    take: Callable[[], Held | None] = claim.take
    seen: Holder | None = None
    looks = 0
    while (held := patiently(take)) is not None:
        take = claim.take
        if is_abandoned(held.holder.owner):
            progress(f"unlocked: {told(held)} Its process is no more.")
            take = _over(claim, held.number)
            continue
        left_s = until_s - time.monotonic()
        is_new = held.holder == Holder() and looks < NAMELESS_LOOKS_MAX
        is_waited_for = is_new or held.holder.owner == ours.owner
        if left_s <= 0 and not is_waited_for:
            raise _refused(claim.name, held)
        if held.holder != seen and not is_new:
            progress(f"waits: {told(held)}")
            seen = held.holder
        look_s = LOOK_AGAIN_S[min(looks, len(LOOK_AGAIN_S) - 1)]
        pause(look_s if is_waited_for else min(look_s, left_s))
        looks += 1


def _over(claim: Claim, number: int) -> Callable[[], Held | None]:
    return lambda: claim.take(over=number)


def _refused(name: str, held: Held) -> DeviceError:
    msg = f"{name} is locked: {told(held)}"
    free = f"it is free {LEASE_S} s after its holder was last heard of"
    return DeviceError(msg, hint=f"--wait-for-lock SECONDS waits for it; {free}.")
