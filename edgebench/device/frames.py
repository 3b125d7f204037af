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

# `$0` is the token. The marks open and close both streams, so that nothing waits for the end of a
# stream which a program left running in the background may hold open for ever.
WRAPPER: Final = (
    'printf "%s start %d\\n" "$0" $$; printf "%s start %d\\n" "$0" $$ >&2; "$@"; code=$?; '
    'printf "%s end %d\\n" "$0" $code; printf "%s end %d\\n" "$0" $code >&2'
)
# dash knows `--` after `-s TERM` only, and takes it for a process id after `-TERM`.
END: Final = '[ -n "$1" ] && kill -s TERM -- "-$1" && sleep 1 && kill -s KILL -- "-$1"'
END_S: Final = 5.0
CHUNK: Final = 1 << 18
HEAD_BYTES: Final = 1 << 16  # the opening mark comes before anything longer than what rc files say


class LinkLost(Exception):
    """The link ended before the program's closing mark came."""


class Framed:
    """A program's output, as far as it has been heard.

    Attributes:
        argv: What was asked for.
        token: What the marks begin with.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
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
        mark = re.search(rf"{self.token} start (\d+)\r?\n".encode(), self.stdout[:HEAD_BYTES])
        return int(mark[1]) if mark else None

    @property
    def exit_code(self) -> int | None:
        """As the closing mark on the standard output says it; None before it came."""
        mark = re.search(rf"{self.token} end (\d+)\r?\n".encode(), self.stdout)
        return int(mark[1]) if mark else None

    def read(self, receive: Callable[[int], bytes], heard: bytearray) -> None:
        """Collect a stream until its closing mark is whole, or it ends."""
        end = re.compile(rf"{self.token} end \d+\r?\n".encode())
        while True:
            try:
                chunk = receive(CHUNK)
            except TimeoutError:
                continue
            if not chunk:
                return
            start = max(0, len(heard) - len(self.token) - 16)
            heard += chunk
            if end.search(heard, start):
                return

    def completed(self) -> Completed:
        """How the program ended.

        Raises:
            LinkLost: The closing marks did not come; its words are what was said in their place.
        """
        frame = re.compile(
            rf"{self.token} start \d+\n(.*){self.token} end (\d+)\n".encode(), re.DOTALL
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
