"""One program over one SSH channel: argv as given, framed output."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from edgebench.core import Completed
from edgebench.device.frames import OUTPUT_BYTES_MAX, Framed

if TYPE_CHECKING:
    from paramiko import Channel, Transport

PATIENCE_S: Final = 1.0  # how long a send waits for the window before it looks whether to go on


class Conversation:
    """A program that runs on the device, as far as it has been heard."""

    def __init__(self, argv: Sequence[str], *, bytes_max: int = OUTPUT_BYTES_MAX) -> None:
        self._framed = Framed(argv, bytes_max=bytes_max)
        self._channel: Channel | None = None

    @property
    def argv(self) -> tuple[str, ...]:
        """What was asked for."""
        return self._framed.argv

    @property
    def pid(self) -> int | None:
        """Of the shell that leads the program's session on the device; None before it spoke."""
        return self._framed.pid

    def hold(self, connection: "Transport", feed: Iterable[bytes]) -> Completed:
        """Run the program to its end.

        Raises:
            LinkLost: The channel ended first. Errors of paramiko itself pass through.
            TooMuch: The program printed more than it may.
        """
        self._channel = channel = connection.open_session()
        channel.settimeout(PATIENCE_S)
        channel.exec_command(self._framed.command)
        # Both streams are drained at once: a full window of either would stop the program.
        errors = threading.Thread(
            target=self._hear, args=(channel.recv_stderr, self._framed.stderr), daemon=True
        )
        errors.start()
        threading.Thread(target=_send, args=(channel, feed), daemon=True).start()
        self._hear(channel.recv, self._framed.stdout)
        errors.join()
        self.leave()
        return self._framed.completed()

    def _hear(self, receive: Callable[[int], bytes], heard: bytearray) -> None:
        self._framed.read(receive, heard)
        if len(heard) > self._framed.bytes_max:
            self.leave()

    def leave(self) -> None:
        """Close the channel; whoever still reads from it or writes to it comes back."""
        if self._channel is not None:
            self._channel.close()


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
