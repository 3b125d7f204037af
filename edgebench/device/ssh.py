"""A device behind SSH, by paramiko, which by itself is slow on small calls and deaf to dead links.

What is done about that stands where it is done: sockets in `ssh_login`, deadlines in `patience`,
frames in `frames`, host keys in `host_keys`.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from edgebench.core import FILE_BYTES_MAX, Completed
from edgebench.device.frames import CHUNK, END, END_S, LinkLost, TooMuch, too_much
from edgebench.device.patience import within
from edgebench.device.ssh_config import Hop, route
from edgebench.device.ssh_exec import Conversation
from edgebench.device.ssh_login import Secrets, connect_hop
from edgebench.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    import paramiko

# Its threads report a lost link on stderr, past everybody, where nobody set up logging; the loss
# itself is raised as DeviceLost.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# `cat` and not SFTP: half of the boards with dropbear have no SFTP server, and it is faster.
PUSH: Final = 'cat > "$1" && wc -c < "$1"'


class SshTransport:
    """Runs programs over one connection, one at a time; connects when it must.

    A device that was lost is connected to anew by the next call, so whoever wants to try again
    just calls again.
    """

    def __init__(self, address: str, hop: Hop, secrets: Secrets) -> None:
        self._address = address
        self._hop = hop
        self._secrets = secrets
        self._connections: tuple[paramiko.Transport, ...] = ()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where the device stands, as the user wrote it."""
        return self._address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end.

        Connecting has limits of its own and does not count: somebody may have to type a password.

        Raises:
            DeviceLost: The device does not answer, or the link broke before the program ended.
            DeviceError: The program took longer than `timeout_s`; it was ended.
        """
        return self._hold(Conversation(argv), [stdin] if stdin else [], timeout_s)

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to just that name; where the link breaks, a part of it may stay there."""
        argv = ("sh", "-c", PUSH, "edgebench-push", str(target))
        done = self._hold(Conversation(argv), _chunks(source), timeout_s)
        if done.exit_code != 0:
            raise DeviceError(_not_copied(source, target, done))
        taken = done.stdout.decode(errors="replace").strip()
        if taken != str(source.stat().st_size):
            msg = f"{self._address} took {taken[:20]!r} bytes of {source.name!r}, not all."
            raise DeviceLost(msg)

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from the device."""
        conversation = Conversation(("cat", "--", str(source)), bytes_max=bytes_max)
        done = self._hold(conversation, [], timeout_s)
        if done.exit_code != 0:
            raise DeviceError(_not_copied(source, target, done))
        target.write_bytes(done.stdout)

    def close(self) -> None:
        """End the connection."""
        connections, self._connections = self._connections, ()
        for connection in reversed(connections):
            connection.close()

    def _hold(
        self, conversation: Conversation, feed: Iterable[bytes], timeout_s: float
    ) -> Completed:
        import paramiko

        with self._lock:
            connection = self._connected()
            try:
                return within(timeout_s, lambda: conversation.hold(connection, feed))
            except TimeoutError:
                raise self._gave_up(connection, conversation, timeout_s) from None
            except TooMuch as error:
                self.close()
                raise too_much(self._address, conversation.argv[0], error) from error
            except LinkLost as error:
                if connection.is_active() and str(error):
                    msg = (
                        f"The login shell of {self._address} runs nothing; it says {str(error)!r}."
                    )
                    raise DeviceError(msg, hint="Give the user a shell by `chsh`.") from error
                raise self._lost(conversation, error) from error
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise self._lost(conversation, error) from error

    def _connected(self) -> "paramiko.Transport":
        if not self._connections or not all(c.is_active() for c in self._connections):
            self.close()
            self._connections = connect_hop(self._hop, self._secrets)
        return self._connections[-1]

    def _lost(self, conversation: Conversation, error: Exception) -> DeviceLost:
        self.close()
        reason = str(error) or "the connection ended"
        msg = f"{self._address} was lost during {conversation.argv[0]!r}: {reason}."
        return DeviceLost(msg, hint="Is it still powered and on the network?")

    def _gave_up(
        self, connection: "paramiko.Transport", conversation: Conversation, timeout_s: float
    ) -> DeviceError:
        """End what took too long. A device that lets us is no lost one."""
        import paramiko

        what = f"{conversation.argv[0]!r} on {self._address} took longer than {timeout_s:g} s"
        conversation.leave()
        # Before the program spoke there is nothing to end, but the device still has to answer.
        end = Conversation(("sh", "-c", END, "edgebench-end", str(conversation.pid or "")))
        try:
            within(END_S, lambda: end.hold(connection, []))
        except (TimeoutError, LinkLost, paramiko.SSHException, OSError, EOFError):
            self.close()
            msg = f"{what}, and the device does not answer any more."
            return DeviceLost(msg)
        return DeviceError(f"{what}; it was ended.")


def open_ssh(
    address: str,
    /,
    *,
    password: Callable[[str], str] | None = None,
    password_env: str | None = None,
) -> SshTransport:
    """The transport of `ssh://USER@HOST:PORT`.

    Raises:
        ConfigError: The address or the user's SSH configuration is wrong.
    """
    secrets = Secrets(password, password_env)
    return SshTransport(address, route(address), secrets)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _not_copied(source: Path | PurePosixPath, target: Path | PurePosixPath, done: Completed) -> str:
    words = done.stderr.decode(errors="replace").strip()
    return f"{str(source)!r} cannot be copied to {str(target)!r}: {words or done.exit_code}."
