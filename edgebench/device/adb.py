"""A device behind adb, by the user's own `adb`: a phone, or a board whose system runs an adbd.

`adb` waits for ever, takes a lost device for a program that ended with 255, and reports files as
copied that are not. So a call has a deadline, a program's end is what its closing mark says, and a
file is what its sha256 says.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import FILE_BYTES_MAX, Completed
from edgebench.device.adb_client import Attached, find_client, transfer
from edgebench.device.adb_exec import Conversation
from edgebench.device.adb_reach import is_usable, let_go, reach, serial_of
from edgebench.device.files import HASH, sha256_of
from edgebench.device.frames import END, END_S, LinkLost, TooMuch, too_much
from edgebench.device.patience import within
from edgebench.errors import DeviceError, DeviceLost

# target: may a file be put there? adb would make the folder, or copy into one of that name.
_MAY_PUT: Final = """
refuse() { echo "$1" >&2; exit 1; }
[ -d "${1%/*}/" ] || refuse "No such file or directory"
[ ! -e "$1" ] || [ -f "$1" ] || refuse "It is no plain file"
"""

# part target sha256: adb gives a file the rights and the time that it has here; others, and what
# looks for old files, expect those of a file that was just made there.
_TAKE: Final = (
    HASH
    + """
found=$(hash_of "$1")
[ "$found" = "$3" ] && touch "$1" && chmod 0 "$1" && chmod =rw "$1" && mv -f "$1" "$2" && exit 0
rm -f "$1"
echo "${found:-nothing that it could hash}"
exit 4
"""
)

# source: its hash.
_MAY_TAKE: Final = (
    HASH
    + """
refuse() { echo "$1" >&2; exit 1; }
[ -e "$1" ] || refuse "No such file or directory"
[ -f "$1" ] || refuse "It is no plain file"
[ -r "$1" ] || refuse "Permission denied"
hash_of "$1"
"""
)


class AdbTransport:
    """Runs programs by one call of `adb` each, one at a time; has the device attached when it must.

    A device that was lost is looked for anew by the next call, so whoever wants to try again just
    calls again.
    """

    def __init__(self, address: str, serial: str) -> None:
        self._address = address
        self._serial = serial
        self._attached: Attached | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where the device stands, as the user wrote it."""
        return self._address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end.

        To have the device attached has limits of its own and does not count.

        Raises:
            ConfigError: There is no client, or several devices and none that is named.
            DeviceLost: The device does not answer, or the link broke before the program ended.
            DeviceError: The program took longer than `timeout_s`; it was ended. Or the device is
                there, but may not be used.
        """
        with self._lock:
            return self._run(tuple(argv), stdin=stdin, timeout_s=timeout_s)

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to just that name, which it gets once it has arrived whole."""
        digest = sha256_of(source)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        until_s = time.monotonic() + timeout_s
        with self._lock:
            may = self._script(_MAY_PUT, "may-put", str(target), until_s=until_s)
            if may.exit_code != 0:
                raise DeviceError(_not_copied(source, target, may))
            self._copy("push", str(source.absolute()), str(part), until_s)
            arguments = (str(part), str(target), digest)
            taken = self._script(_TAKE, "take", *arguments, until_s=until_s)
        if taken.exit_code == 4 and not taken.stderr:
            found = taken.stdout.decode(errors="replace").strip()
            msg = f"{source.name!r} arrived on {self._address} as {found}, not as {digest}."
            raise DeviceError(msg)
        if taken.exit_code != 0:
            raise DeviceError(_not_copied(source, target, taken))

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from the device; it gets its name once it has arrived whole."""
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        until_s = time.monotonic() + timeout_s
        try:
            with self._lock:
                may = self._script(_MAY_TAKE, "may-take", str(source), until_s=until_s)
                if may.exit_code != 0:
                    raise DeviceError(_not_copied(source, target, may))
                part.touch()
                self._copy("pull", str(source), str(part.absolute()), until_s, bytes_max)
            expected, found = may.stdout.decode(errors="replace").strip(), sha256_of(part)
            if found != expected:
                msg = f"{str(source)!r} of {self._address} arrived as {found}, not as {expected}."
                raise DeviceError(msg, hint="Was it written to meanwhile?")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held open: the server of adb, and its links, are the user's."""

    def _script(self, script: str, name: str, *arguments: str, until_s: float) -> Completed:
        argv = ("sh", "-c", script, f"edgebench-{name}", *arguments)
        return self._run(argv, stdin=b"", timeout_s=max(1.0, until_s - time.monotonic()))

    def _run(self, argv: tuple[str, ...], *, stdin: bytes, timeout_s: float) -> Completed:
        device = self._device()
        conversation = Conversation(device, argv)
        try:
            return within(timeout_s, lambda: conversation.hold(stdin))
        except TimeoutError:
            conversation.leave()
            raise self._gave_up(device, argv[0], timeout_s, conversation.pid) from None
        except TooMuch as error:
            raise too_much(self._address, argv[0], error) from error
        except LinkLost as error:
            raise self._lost(argv[0], error) from error

    def _copy(
        self, verb: str, source: str, target: str, until_s: float, bytes_max: int = 0
    ) -> None:
        device, what = self._device(), f"adb {verb}"
        timeout_s = max(1.0, until_s - time.monotonic())
        try:
            transfer(device, verb, source, target, timeout_s=timeout_s, bytes_max=bytes_max)
        except TimeoutError:
            raise self._gave_up(device, what, timeout_s, None) from None
        except TooMuch as error:
            raise too_much(self._address, what, error) from error
        except LinkLost as error:
            raise self._lost(what, error) from error

    def _device(self) -> Attached:
        if self._attached is None or not is_usable(self._attached):
            self._attached = None
            self._attached = reach(find_client(), self._serial)
            self._serial = self._attached.serial
        return self._attached

    def _lost(self, what: str, error: Exception) -> DeviceLost:
        reason = str(error) or "the link broke"
        msg = f"{self._address} was lost during {what!r}: {reason}."
        return DeviceLost(msg, hint="Is it still powered, and plugged in or on the network?")

    def _gave_up(
        self, device: Attached, what: str, timeout_s: float, pid: int | None
    ) -> DeviceError:
        """End what took too long. A device that lets us is no lost one."""
        words = f"{what!r} on {self._address} took longer than {timeout_s:g} s"
        # Before the program spoke there is nothing to end, but the device still has to answer.
        end = Conversation(device, ("sh", "-c", END, "edgebench-end", str(pid or "")))
        try:
            within(END_S, lambda: end.hold(b""))
        except (TimeoutError, LinkLost):
            end.leave()
            let_go(device)
            self._attached = None
            return DeviceLost(f"{words}, and the device does not answer any more.")
        return DeviceError(f"{words}; it was ended.")


def open_adb(
    address: str,
    /,
    *,
    password: Callable[[str], str] | None = None,
    password_env: str | None = None,
) -> AdbTransport:
    """The transport of `adb://SERIAL`, `adb://HOST:PORT` and `adb://`.

    Raises:
        ConfigError: The address is none.
    """
    del password, password_env
    return AdbTransport(address, serial_of(address))


def _not_copied(source: Path | PurePosixPath, target: Path | PurePosixPath, done: Completed) -> str:
    words = re.sub(r"\s+", " ", done.stderr.decode(errors="replace")).strip()
    return f"{str(source)!r} cannot be copied to {str(target)!r}: {words or done.exit_code}."
