"""One program over one SSH channel: argv as given, framed output, a deadline for the whole of it.

What comes back over SSH is framed by a random token, because a login shell may print whatever its
rc files say, and because paramiko reports -1 both for a program that a signal ended and for a link
that broke: only the closing frame, written by a shell on the device, proves how a program ended.
"""

import re
import secrets
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from edgebench.core import Completed

if TYPE_CHECKING:
    from paramiko import Channel, Transport

# `$0` is the token. The frame opens and closes both streams, so that nothing waits for the end of
# a stream which a program left running in the background may hold open for ever.
WRAPPER: Final = (
    'printf "%s start %d\\n" "$0" $$; printf "%s start %d\\n" "$0" $$ >&2; "$@"; code=$?; '
    'printf "%s end %d\\n" "$0" $code; printf "%s end %d\\n" "$0" $code >&2'
)
CHUNK: Final = 1 << 18
PATIENCE_S: Final = 1.0  # how long a send waits for the window before it looks whether to go on
HEAD_BYTES: Final = 1 << 16  # the opening frame comes before anything longer than what rc files say

T = TypeVar("T")


class LinkLost(Exception):
    """The channel ended before the program's closing frame came."""


class Conversation:
    """A program that runs on the device, as far as it has been heard.

    Attributes:
        argv: What was asked for.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = tuple(argv)
        self._token = f"edgebench-{secrets.token_hex(16)}"
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._channel: Channel | None = None

    @property
    def command(self) -> str:
        """What the login shell is given."""
        return f"exec sh -c {shlex.quote(WRAPPER)} {self._token} {shlex.join(self.argv)}"

    @property
    def pid(self) -> int | None:
        """Of the shell that leads the program's session on the device; None before it spoke."""
        frame = re.search(rf"{self._token} start (\d+)\n".encode(), self._stdout[:HEAD_BYTES])
        return int(frame[1]) if frame else None

    def hold(self, connection: "Transport", feed: Iterable[bytes]) -> Completed:
        """Run the program to its end.

        Raises:
            LinkLost: The channel ended first. Errors of paramiko itself pass through.
        """
        self._channel = channel = connection.open_session()
        channel.settimeout(PATIENCE_S)
        channel.exec_command(self.command)
        # Both streams are drained at once: a full window of either would stop the program.
        errors = threading.Thread(
            target=self._read, args=(channel.recv_stderr, self._stderr), daemon=True
        )
        errors.start()
        threading.Thread(target=_send, args=(channel, feed), daemon=True).start()
        self._read(channel.recv, self._stdout)
        errors.join()
        self.leave()
        return self._completed()

    def leave(self) -> None:
        """Close the channel; whoever still reads from it or writes to it comes back."""
        if self._channel is not None:
            self._channel.close()

    def _read(self, receive: Callable[[int], bytes], heard: bytearray) -> None:
        """Collect a stream until its closing frame is whole, or it ends."""
        end = re.compile(rf"{self._token} end \d+\n".encode())
        while True:
            try:
                chunk = receive(CHUNK)
            except TimeoutError:
                continue
            if not chunk:
                return
            start = max(0, len(heard) - len(self._token) - 16)
            heard += chunk
            if end.search(heard, start):
                return

    def _completed(self) -> Completed:
        frame = re.compile(
            rf"{self._token} start \d+\n(.*){self._token} end (\d+)\n".encode(), re.DOTALL
        )
        stdout, stderr = frame.search(self._stdout), frame.search(self._stderr)
        if stdout is None or stderr is None:
            raise LinkLost(self._last_words())
        return Completed(
            argv=self.argv,
            exit_code=int(stdout[2]),
            stdout=bytes(stdout[1]),
            stderr=bytes(stderr[1]),
        )

    def _last_words(self) -> str:
        """What was said where the frame should have been: a login that is no shell says why."""
        if self.pid is not None:
            return ""
        return (self._stdout + self._stderr)[-300:].decode(errors="replace").strip()


def within(timeout_s: float, action: Callable[[], T]) -> T:
    """Do something that may hang for ever, for no longer than this.

    It goes on in its thread after the deadline; the caller then closes what it hangs on.

    Raises:
        TimeoutError: It took longer.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def act() -> None:
        try:
            outcome.append(action())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError
    return outcome[0]


def _send(channel: "Channel", feed: Iterable[bytes]) -> None:
    """Give the program its standard input, and close it."""
    try:
        for chunk in feed:
            rest = chunk
            while rest:
                try:
                    rest = rest[channel.send(rest) :]
                except TimeoutError:
                    continue
        channel.shutdown_write()
    except (OSError, EOFError):
        # The program ended without reading all of it, or the link broke: the frame tells which.
        return
