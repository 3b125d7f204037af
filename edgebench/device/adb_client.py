"""The program `adb`: where it is, what it is told, and which devices it knows.

It has no deadlines of its own, and says by words alone whether a device refused something or was
lost. Its server is the user's: ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_PORT and the like are left to
it.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from edgebench.core import Completed
from edgebench.device.frames import LinkLost
from edgebench.errors import ConfigError, DeviceError, DeviceLost

CLIENT_VARIABLE: Final = "EDGEBENCH_ADB"
CALL_S: Final = 20.0


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


def call(argv: tuple[str, ...], *, timeout_s: float = CALL_S) -> Completed:
    """Run the client to its end.

    Raises:
        TimeoutError: It took longer; it was ended.
        ConfigError: It cannot be run.
    """
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    except OSError as error:
        msg = f"{argv[0]!r} cannot be run: {error.strerror}."
        raise ConfigError(msg, hint=f"Let {CLIENT_VARIABLE} name a program `adb`.") from error
    return Completed(argv=argv, exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


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


def transfer(device: Attached, *words: str, timeout_s: float) -> None:
    """Have the client `push` or `pull` a file.

    Only its exit code counts: it reports a file as pushed that was not.

    Raises:
        TimeoutError: It took longer.
        LinkLost: It did not come to its end.
        DeviceError: The device refused it.
    """
    done = call(device.argv(*words), timeout_s=timeout_s)
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
