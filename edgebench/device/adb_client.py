"""The program `adb`: where it is, what it is told, and which devices it knows.

It has no deadlines of its own, and says by words alone whether a device refused something or was
lost. Its server is the user's: ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_PORT and the like are left to
it.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgebench.core import Completed
from edgebench.device.frames import OUTPUT_BYTES_MAX, LinkLost, TooMuch
from edgebench.errors import ConfigError, DeviceError, DeviceLost

CLIENT_VARIABLE: Final = "EDGEBENCH_ADB"
CALL_S: Final = 20.0
LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A device that the client knows and may use.

    Attributes:
        client: Path of the client's program.
        has_shell_v2: Whether its adbd keeps the streams of a program apart, and ends its input.
    """

    client: str
    serial: str
    has_shell_v2: bool = False

    def argv(self, *words: str) -> tuple[str, ...]:
        """A command line for this device and no other."""
        return (self.client, "-s", self.serial, *words)


def find_client() -> str:
    """Where the program `adb` is.

    Raises:
        ConfigError: It is nowhere.
    """
    named = os.environ.get(CLIENT_VARIABLE)
    found = shutil.which(named or "adb")
    if found is None and named:
        msg = f"{CLIENT_VARIABLE} names {named!r}, which is no program."
        raise ConfigError(msg, hint="Name the file `adb`, or leave the variable out.")
    if found is None:
        msg = "Devices behind adb take the program 'adb', which is not installed."
        hint = (
            "On Debian and Ubuntu: sudo apt install adb; elsewhere Android's platform-tools, "
            f"with {CLIENT_VARIABLE} naming the file `adb`."
        )
        raise ConfigError(msg, hint=hint)
    return found


def call(
    argv: tuple[str, ...],
    *,
    timeout_s: float = CALL_S,
    grows: Path | None = None,
    bytes_max: int = OUTPUT_BYTES_MAX,
) -> Completed:
    """Run the client to its end.

    Args:
        grows: A file that the client writes; it may have no more than `bytes_max`.

    Raises:
        TimeoutError: It took longer; it was ended.
        TooMuch: It printed or wrote more than it may; it was ended.
        ConfigError: It cannot be run.
    """
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        except OSError as error:
            msg = f"{argv[0]!r} cannot be run: {error.strerror}."
            raise ConfigError(msg, hint=f"Let {CLIENT_VARIABLE} name a program `adb`.") from error
        limits: dict[Path | int, int] = {
            stdout.fileno(): OUTPUT_BYTES_MAX,
            stderr.fileno(): OUTPUT_BYTES_MAX,
            **({grows: bytes_max} if grows else {}),
        }
        with process:
            try:
                _await(process, time.monotonic() + timeout_s, limits)
            except BaseException:
                process.kill()
                raise
        for stream in (stdout, stderr):
            stream.seek(0)
        return Completed(
            argv=argv, exit_code=process.returncode, stdout=stdout.read(), stderr=stderr.read()
        )


def _await(
    process: subprocess.Popen[bytes], until_s: float, limits: Mapping[Path | int, int]
) -> None:
    """Wait for a client's end, and look at what it writes meanwhile."""
    while process.returncode is None:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(LOOK_S, left_s))
        for file, bytes_max in limits.items():
            with contextlib.suppress(FileNotFoundError):
                if os.stat(file).st_size > bytes_max:  # noqa: PTH116 - a descriptor has no Path
                    raise TooMuch(bytes_max)


def attached(client: str) -> dict[str, str]:
    """States of the devices that the server knows, by serial.

    Raises:
        DeviceLost: There is no server, and none can be started.
    """
    try:
        done = call((client, "devices"))
        if done.exit_code != 0:  # a server that is just ending; the next call starts another
            done = call((client, "devices"))
    except TimeoutError as error:
        words = f"no answer within {CALL_S:g} s"
        raise _no_server(words) from error
    if done.exit_code != 0:
        raise _no_server(said(done))
    return listed(done.stdout.decode(errors="replace"))


def listed(table: str) -> dict[str, str]:
    r"""What `adb devices` prints.

    >>> listed("List of devices attached\n0A1B\tdevice\n192.0.2.7:5555\toffline\n\n")
    {'0A1B': 'device', '192.0.2.7:5555': 'offline'}
    """
    return dict(re.findall(r"^(\S+)\t(.+?)\s*$", table, re.MULTILINE))


def transfer(
    device: Attached, *words: str, timeout_s: float, bytes_max: int = OUTPUT_BYTES_MAX
) -> None:
    """Have the client `push` or `pull` a file.

    Only its exit code counts: it reports a file as pushed that was not.

    Args:
        bytes_max: Of a file that is pulled.

    Raises:
        TimeoutError: It took longer.
        TooMuch: The file is larger than it may be.
        LinkLost: It did not come to its end.
        DeviceError: The device refused it.
    """
    grows = Path(words[2]) if words[0] == "pull" else None
    argv = device.argv(*words)
    done = call(argv, timeout_s=timeout_s, grows=grows, bytes_max=bytes_max)
    if done.exit_code == 0:
        return
    refusal = re.search(r": remote (.+)", (done.stderr + done.stdout).decode(errors="replace"))
    if refusal is None:
        raise LinkLost(said(done))
    msg = f"{words[1]!r} cannot be copied to {words[2]!r}: {refusal[1]}."
    raise DeviceError(msg)


def said(done: Completed) -> str:
    """What the client said, without what it adds on its own server and on progress."""
    lines = (done.stderr + b"\n" + done.stdout).decode(errors="replace").splitlines()
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("*")]
    first = kept[0] if kept else f"exit code {done.exit_code}"
    return re.sub(r"^(adb: )?(error: )?", "", first).rstrip(".")


def _no_server(words: str) -> DeviceLost:
    msg = f"The server of adb does not answer: {words}."
    hint = "See what `adb devices` says; ADB_SERVER_SOCKET and the like name another server."
    return DeviceLost(msg, hint=hint)
