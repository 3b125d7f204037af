"""What a program on a device prints, between two marks with a random token on each stream.

A login shell may print whatever its rc files say, and neither paramiko nor adb tells a program that
ended with an odd code from a link that broke: only the closing mark, written by a shell on the
device, proves how a program ended.
"""

import re
import secrets
import shlex
from collections.abc import Callable, Sequence
from typing import Final

from edgebench.core import Completed
from edgebench.errors import DeviceError
from edgebench.units import show_size

# `$0` is the token. The marks open and close both streams, so that nothing waits for the end of a
# stream which a program left running in the background may hold open for ever.
WRAPPER: Final = (
    # What is made there is the login user's alone.
    "umask 077; "
    'printf "%s start %d\\n" "$0" $$; printf "%s start %d\\n" "$0" $$ >&2; "$@"; code=$?; '
    'printf "%s end %d\\n" "$0" $code; printf "%s end %d\\n" "$0" $code >&2'
)
# dash knows `--` after `-s TERM` only, and takes it for a process id after `-TERM`.
END: Final = '[ -n "$1" ] && kill -s TERM -- "-$1" && sleep 1 && kill -s KILL -- "-$1"'
END_S: Final = 5.0
CHUNK: Final = 1 << 18
OUTPUT_BYTES_MAX: Final = 64 << 20
HEAD_BYTES: Final = 1 << 16  # the opening mark comes before anything longer than what rc files say


class LinkLost(Exception):
    """The link ended before the program's closing mark came."""


class TooMuch(Exception):
    """A program printed or wrote more than it may.

    Attributes:
        bytes_max: What it may.
    """

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"more than {show_size(bytes_max)}")
        self.bytes_max = bytes_max


def too_much(address: str, what: str, error: TooMuch) -> DeviceError:
    """The error for a program that printed more than it may."""
    msg = f"{what!r} on {address} gave {error}; it was not heard to its end."
    hint = "No program of ours prints as much: is the device what it seems to be?"
    return DeviceError(msg, hint=hint)


class Framed:
    """A program's output, as far as it has been heard.

    Attributes:
        argv: What was asked for.
        token: What the marks begin with.
        bytes_max: How much is taken of each stream.
    """

    def __init__(self, argv: Sequence[str], *, bytes_max: int = OUTPUT_BYTES_MAX) -> None:
        self.argv = tuple(argv)
        self.bytes_max = bytes_max
        self.token = f"edgebench-{secrets.token_hex(16)}"
        self.stdout = bytearray()
        self.stderr = bytearray()

    @property
    def command(self) -> str:
        """What the device's shell is given."""
        return f"exec sh -c {shlex.quote(WRAPPER)} {self.token} {shlex.join(self.argv)}"

    @property
    def pid(self) -> int | None:
        """Of the shell that leads the program's session on the device; None before it spoke."""
        mark = re.search(rf"{self.token} start (\d{{1,9}})\r?\n".encode(), self.stdout[:HEAD_BYTES])
        return int(mark[1]) if mark else None

    @property
    def exit_code(self) -> int | None:
        """As the closing mark on the standard output says it; None before it came."""
        mark = re.search(rf"{self.token} end (\d{{1,3}})\r?\n".encode(), self.stdout)
        return int(mark[1]) if mark else None

    def read(self, receive: Callable[[int], bytes], heard: bytearray) -> None:
        """Collect a stream until its closing mark is whole, or it ends, or there is too much."""
        end = re.compile(rf"{self.token} end \d{{1,3}}\r?\n".encode())
        while True:
            try:
                chunk = receive(CHUNK)
            except TimeoutError:
                continue
            if not chunk:
                return
            start = max(0, len(heard) - len(self.token) - 16)
            heard += chunk
            if end.search(heard, start) or len(heard) > self.bytes_max:
                return

    def check_size(self) -> None:
        """Raise TooMuch where a stream was not heard to its end for its size."""
        if max(len(self.stdout), len(self.stderr)) > self.bytes_max:
            raise TooMuch(self.bytes_max)

    def completed(self) -> Completed:
        """How the program ended.

        Raises:
            LinkLost: The closing marks did not come; its words are what was said in their place.
            TooMuch: Before they could come.
        """
        self.check_size()
        frame = re.compile(
            rf"{self.token} start \d+\n(.*){self.token} end (\d{{1,3}})\n".encode(), re.DOTALL
        )
        stdout, stderr = frame.search(self.stdout), frame.search(self.stderr)
        if stdout is None or stderr is None:
            raise LinkLost(self.last_words())
        return Completed(
            argv=self.argv,
            exit_code=int(stdout[2]),
            stdout=bytes(stdout[1]),
            stderr=bytes(stderr[1]),
        )

    def last_words(self) -> str:
        """What was said where the frame should have been: a login that is no shell says why."""
        if self.pid is not None:
            return ""
        return (self.stdout + self.stderr)[-300:].decode(errors="replace").strip()
