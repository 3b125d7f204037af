"""From `adb://SERIAL`, `adb://HOST:PORT` or `adb://` to a device that adb may use, or why not."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edgebench.device.adb_client import Attached, attached, call, said
from edgebench.errors import ConfigError, DeviceError, DeviceLost

EXAMPLE: Final = "adb://R5CT30ABCDE, adb://192.0.2.7:5555 or, where one device is attached, adb://"
SERIAL: Final = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:%\[\]-]*")
SERIAL_VARIABLE: Final = "ANDROID_SERIAL"
SETTLE_S: Final = 3.0  # a link that was just made, or is made anew, is in these states for a moment
PASSING: Final = frozenset({"offline", "connecting", "authorizing", "unauthorized"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a device that is attached cannot be used.

    Attributes:
        is_lost: Whether it may come back by itself.
    """

    words: str
    hint: str
    is_lost: bool = False


TROUBLES: Final[Mapping[str, Trouble]] = {
    "unauthorized": Trouble(
        words="does not trust this computer",
        hint="Unlock its screen and allow USB debugging for this computer. Where it does not ask: "
        "revoke the authorizations in its developer options, and plug it in again.",
    ),
    "authorizing": Trouble(
        words="has not said yet whether it trusts this computer",
        hint="Unlock its screen and allow USB debugging for this computer.",
    ),
    "offline": Trouble(
        words="is attached, but its adbd does not answer",
        hint="Plug it in again, or switch USB debugging off and on.",
        is_lost=True,
    ),
    "no permissions": Trouble(
        words="may not be opened by this user",
        hint="Install the udev rules (on Debian: android-sdk-platform-tools-common), join the "
        "group plugdev, and plug it in again.",
    ),
}
NOT_STARTED: Final = Trouble(words="has not started Android", hint="Start it: `adb reboot`.")


def serial_of(address: str) -> str:
    """The serial in an address; empty where it names none.

    >>> serial_of("adb://192.0.2.7:5555"), serial_of("adb://")
    ('192.0.2.7:5555', '')

    Raises:
        ConfigError: It is no address of this kind.
    """
    serial = address.removeprefix("adb://").removesuffix("/")
    if serial and not SERIAL.fullmatch(serial):
        msg = f"{address!r} is not the address of a device behind adb."
        raise ConfigError(msg, hint=f"Write {EXAMPLE}.")
    port = _port(serial)
    if port is not None and not 0 < int(port) < 1 << 16:
        msg = f"{address!r} has no usable port: {port}."
        raise ConfigError(msg, hint=f"Write {EXAMPLE}.")
    return serial


def reach(client: str, serial: str) -> Attached:
    """Have a device attached, and know what its adbd can.

    Args:
        serial: Empty for the one that is there.

    Raises:
        ConfigError: Several are attached, and none is named.
        DeviceLost: It is not there.
        DeviceError: It is there, but may not be used.
    """
    states = attached(client)
    serial = serial or _only(states)
    state, words = states.get(serial), ""
    if _port(serial) and state in {None, "offline"}:
        words = _connected_anew(client, serial)
        state = attached(client).get(serial)
    until_s = time.monotonic() + SETTLE_S
    while state in PASSING and time.monotonic() < until_s:
        time.sleep(0.1)
        state = attached(client).get(serial)
    if state != "device":
        raise _unusable(serial, state, words, attached(client))
    return Attached(client=client, serial=serial, has_shell_v2=_has_shell_v2(client, serial))


def is_usable(device: Attached) -> bool:
    """Whether the server still has it."""
    return attached(device.client).get(device.serial) == "device"


def let_go(device: Attached) -> None:
    """Give up a link that hangs: every later command would wait on it too."""
    words = ("disconnect", device.serial) if _port(device.serial) else ("reconnect",)
    argv = (device.client, *words) if _port(device.serial) else device.argv(*words)
    _tried(argv)


def _only(states: Mapping[str, str]) -> str:
    """The one device that is attached, or that the user's environment names."""
    named = os.environ.get(SERIAL_VARIABLE)
    if named:
        return named
    if not states:
        msg = "No device is attached to adb."
        hint = "Plug one in, with USB debugging switched on; `adb devices` lists what is there."
        raise DeviceLost(msg, hint=hint)
    if len(states) > 1:
        msg = f"{len(states)} devices are attached to adb, and 'adb://' names none of them."
        raise ConfigError(msg, hint=f"Write one of {_addresses(states)}.")
    return next(iter(states))


def _connected_anew(client: str, serial: str) -> str:
    """Connect over the network, also where the server takes a dead link for a good one."""
    until_s = time.monotonic() + SETTLE_S
    _tried((client, "disconnect", serial))
    words = _tried((client, "connect", serial))
    while words.startswith("already connected") and time.monotonic() < until_s:
        if attached(client).get(serial) == "device":
            break
        time.sleep(0.1)  # what was disconnected takes a moment to be gone
        words = _tried((client, "connect", serial))
    return words


def _tried(argv: tuple[str, ...]) -> str:
    """What the client says, whose exit code means nothing here."""
    try:
        return said(call(argv))
    except TimeoutError:
        return f"no answer to `adb {argv[-2]}`"


def _has_shell_v2(client: str, serial: str) -> bool:
    device = Attached(client=client, serial=serial)
    try:
        done = call(device.argv("features"))
    except TimeoutError as error:
        let_go(device)
        msg = f"{serial!r} is attached to adb, but does not say what it can."
        raise DeviceLost(msg) from error
    if done.exit_code != 0:
        msg = f"{serial!r} was lost when it was asked what it can: {said(done)}."
        raise DeviceLost(msg)
    return "shell_v2" in done.stdout.decode(errors="replace").split()


def _unusable(serial: str, state: str | None, words: str, states: Mapping[str, str]) -> DeviceError:
    if state is None and _port(serial):
        msg = f"{serial!r} cannot be reached by adb: {words or 'it is gone'}."
        hint = "Is it on the network? Over USB, `adb tcpip 5555` makes it listen until it restarts."
        return DeviceLost(msg, hint=hint)
    if state is None:
        there = f"Attached: {_addresses(states)}." if states else "No device is attached."
        msg = f"There is no device {serial!r} attached to adb."
        return DeviceLost(msg, hint=f"{there} Is it plugged in, with USB debugging switched on?")
    known = [trouble for name, trouble in TROUBLES.items() if state.startswith(name)]
    trouble = known[0] if known else NOT_STARTED
    kind = DeviceLost if trouble.is_lost else DeviceError
    msg = f"{serial!r} {trouble.words} (adb calls it {state!r})."
    return kind(msg, hint=trouble.hint)


def _addresses(states: Mapping[str, str]) -> str:
    return ", ".join(f"adb://{serial}" for serial in sorted(states))


def _port(serial: str) -> str | None:
    """The port of a device that is reached over the network; None for any other."""
    found = re.fullmatch(r"(?!usb:).+:(\d+)", serial)
    return found[1] if found else None
