"""A session with a device, kept for `replay://`: what it said, without what names one single board.

Answers of edgebench's own questions alone are kept: facts, and the files that tell of meters and
monitors. Names, serial numbers and addresses are asked of the device for one purpose: to be found
in those answers and replaced.
"""

import ipaddress
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import FILE_BYTES_MAX, Completed, Transport
from edgebench.device.facts import MARK, split_answers
from edgebench.device.look import Listing, read_listing, write_listing
from edgebench.device.replay import Answer, Capture, ReplayTransport, command_key

FACTS_KEY: Final = "edgebench-facts"
LOOK_KEY: Final = "edgebench-look"
NAMES_S: Final = 30.0

# Each line that it prints is something to be replaced: KIND VALUE.
_NAMES: Final = """
told() { while read -r v; do [ -n "$v" ] && echo "$1 $v"; done; }
{ id -un; echo "$USER"; echo "$LOGNAME"; } | told user
getent passwd "$(id -u)" | cut -d : -f 5 | cut -d , -f 1 | told person
{ uname -n; hostname -f; cat /etc/hostname; getprop net.hostname; } | told host
{ dnsdomainname; sed -n 's/^\\(search\\|domain\\)[[:space:]]*//p' /etc/resolv.conf; } |
  tr ' ' '\\n' | told domain
echo "$HOME" | told home
{ for f in /proc/device-tree/serial-number /sys/firmware/devicetree/base/serial-number; do
    [ -r $f ] && { tr -d '\\0' < $f; echo; }
  done
  sed -n 's/^Serial[[:space:]]*: *//p' /proc/cpuinfo
  cat /sys/class/dmi/id/*_serial /sys/class/dmi/id/product_uuid /etc/machine-id
  cat /sys/devices/soc0/serial_number /sys/class/power_supply/*/serial_number
  cat /sys/block/*/device/serial /sys/class/mmc_host/*/*/serial /sys/class/net/*/address
  getprop ro.serialno; getprop ro.boot.serialno
} | told serial
"""
# What every board of a kind is called, says nothing of whose it is; it may stand in its model, too.
_COMMON: Final = frozenset(
    [
        *("android", "debian", "default", "dietpi", "jetson", "linaro", "linux", "localhost"),
        *("none", "nvidia", "orangepi", "pi", "raspberry", "raspberrypi", "rock", "root"),
        *("shell", "tegra", "ubuntu", "user"),
    ]
)
_SERIAL_SHORTEST: Final = 6
_ANYWHERE: Final = 8
_STANDS_FOR: Final[Mapping[str, str]] = {
    "home": "/home/user",
    "user": "user",
    "person": "user",
    "host": "board",
    "domain": "example.org",
    "serial": "0000",
}

_MAC: Final = re.compile(
    r"(?<![0-9A-Za-z:])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Za-z])"
)
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?![\w:.])")
_UUID: Final = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SERIAL: Final = re.compile(r"(?i)(serial[\w \t]*?[:=][ \t]*)([^\s\0][^\n\0]*)")


class Recorder:
    """Passes everything on to another transport, and keeps the answers to edgebench's questions."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._answers: dict[str, Answer] = {}
        self._began_s = inner.recorded_s if isinstance(inner, ReplayTransport) else None

    @property
    def address(self) -> str:
        """That of the device."""
        return self._inner.address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program, and keep what it answered where it is one of ours."""
        key = command_key(argv)
        if key == FACTS_KEY and not isinstance(self._inner, ReplayTransport):
            self._began_s = time.time()
        done = self._inner.run(argv, timeout_s=timeout_s, stdin=stdin)
        if key in {FACTS_KEY, LOOK_KEY}:
            stdout = done.stdout.decode(errors="replace")
            self._answers[key] = Answer(stdout=stdout, exit_code=done.exit_code)
        return done

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to the device."""
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
        self._inner.pull(source, target, timeout_s=timeout_s, bytes_max=bytes_max)

    def close(self) -> None:
        """Let go of the device."""
        self._inner.close()

    def capture(self) -> Capture:
        """What was said, scrubbed.

        Raises:
            DeviceLost: The device does not answer any more.
        """
        names = secrets_of(self._told_names(), self.address)
        answers = {
            key: replace(answer, stdout=_reduced(key, answer.stdout, names))
            for key, answer in self._answers.items()
        }
        began_s = self._began_s
        return Capture(answers=answers, recorded_s=None if began_s is None else round(began_s, 3))

    def _told_names(self) -> str:
        """Nothing of a device that is itself replayed: there they were replaced before."""
        if isinstance(self._inner, ReplayTransport):
            return ""
        argv = ("sh", "-c", _NAMES, "edgebench-names")
        return self._inner.run(argv, timeout_s=NAMES_S).stdout.decode(errors="replace")


def secrets_of(told: str, address: str) -> dict[str, str]:
    r"""What is to be replaced by what, of the words of the script and the address; longest first.

    >>> secrets_of("user alice\nhome /home/alice\n", "ssh://lab-7.lan:2222")
    {'/home/alice': '/home/user', 'lab-7.lan': 'board', 'alice': 'user', 'lab-7': 'board'}
    """
    found: dict[str, str] = {}
    for line in [*told.splitlines(), *_of_address(address)]:
        kind, _, value = line.partition(" ")
        for word in _words(kind, value.strip()):
            if word.lower() not in _COMMON:
                found.setdefault(word, _STANDS_FOR[kind])
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _words(kind: str, value: str) -> list[str]:
    """What of a value would tell it; nothing of one that is too common a word to be looked for."""
    is_telling = {
        "home": value.count("/") > 1,
        "user": len(value) > 1,
        "person": " " in value,
        "host": len(value) > 1,
        "domain": "." in value,
        "serial": len(value) >= _SERIAL_SHORTEST and bool(re.search(r"[1-9]", value)),
    }
    if not is_telling.get(kind, False):
        return []
    short = value.partition(".")[0]
    return [value, short] if kind == "host" and len(short) > 1 and not short.isdigit() else [value]


def _of_address(address: str) -> list[str]:
    """User, host and serial number of an address."""
    scheme, _, rest = address.partition("://")
    if scheme == "adb":
        return [f"serial {rest}", f"host {rest.rpartition(':')[0]}"]
    user, _, place = rest.rpartition("@")
    host = re.sub(r":\d+$", "", place.partition("/")[0]).strip("[]")
    return [f"user {user}", f"host {host}"] if scheme == "ssh" else []


def scrubbed(text: str, names: Mapping[str, str]) -> str:
    r"""A text without names, and without what looks like an address or a serial number.

    >>> scrubbed("alice at 10.1.2.3, fe80::1\nSerial\t: 10000000abc", {"alice": "user"})
    'user at 192.0.2.1, 2001:db8::1\nSerial\t: 0000'
    """
    for name, stand_in in names.items():
        # A short one as a whole word: the user `al` is no part of `thermal`.
        pattern = re.escape(name)
        if len(name) < _ANYWHERE:
            pattern = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
        text = re.sub(pattern, stand_in, text, flags=re.IGNORECASE)
    text = _UUID.sub("00000000-0000-0000-0000-000000000000", text)
    text = _MAC.sub("02:00:00:00:00:00", text)
    text = _IPV4.sub("192.0.2.1", text)
    text = _IPV6.sub(lambda found: "2001:db8::1" if _is_ipv6(found[0]) else found[0], text)
    text = _EMAIL.sub("user@example.org", text)
    return _SERIAL.sub(r"\g<1>0000", text)


def _is_ipv6(word: str) -> bool:
    try:
        address = ipaddress.IPv6Address(word)
    except ValueError:
        return False
    return not address.is_unspecified


def _reduced(key: str, text: str, names: Mapping[str, str]) -> str:
    """The answers alone, without what a login prints; of mounts, the one that is asked about.

    Each is scrubbed by itself: a user may be called as a mark is, or as a fact.
    """
    if key == LOOK_KEY:
        return write_listing(_known(read_listing(text), names))
    answers = split_answers(text)
    if "work_is_noexec" in answers:
        answers["work_is_noexec"] = _one_mount(answers["work_is_noexec"])
    for name in ("work_free_bytes", "work_is_noexec"):
        if name in answers:
            answers[name] = re.sub(r"(?m)^\S+(?=\s+\d+\s+\d+\s+-?\d+\s)", "disk", answers[name])
    return "\n".join(f"{MARK}{name}\n{scrubbed(told, names)}" for name, told in answers.items())


def _known(listing: Listing, names: Mapping[str, str]) -> Listing:
    """Files of the kernel's alone; the name of one may have an address in it."""
    files = {
        scrubbed(path, names): scrubbed(text, names)
        for path, text in listing.files.items()
        if path.startswith(("/sys/", "/proc/"))
    }
    closed = frozenset(scrubbed(path, names) for path in listing.closed)
    return replace(listing, files=files, closed=closed)


def _one_mount(answer: str) -> str:
    table, separator, mounts = answer.partition("--\n")
    row = re.search(r"%\s+(/.*)$", table, re.MULTILINE)
    place = row[1].strip().replace(" ", "\\040") if row else ""
    rows = [line.split() for line in mounts.splitlines() if line.split()[1:2] == [place]]
    return table + separator + "".join(f"disk {' '.join(row[1:])}\n" for row in rows)
