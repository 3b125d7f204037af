"""From a hop to a connection that is logged in: socket, host key, user."""

import os
import shlex
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from edgebench.device.host_keys import check_key, known_kinds, read_known_hosts
from edgebench.device.ssh_config import Hop
from edgebench.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    from paramiko import PKey, Transport

CONNECT_S: Final = 15.0
PASSWORD_VARIABLE: Final = "EDGEBENCH_SSH_PASSWORD"
PASSPHRASE_VARIABLE: Final = "EDGEBENCH_SSH_PASSPHRASE"
KEYS_MAX: Final = 5  # sshd hangs up at the sixth failure (MaxAuthTries)

# A dead link is noticed after about 11 s. paramiko's own keepalive asks, and never looks whether
# an answer came. Shorter than this, a Wi-Fi that pauses would count as gone.
_SOCKET_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),  # without it an exec takes 40 ms longer
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where passwords come from; what was typed is remembered while the process lives, only there.

    Attributes:
        ask: Asks the user with a prompt; None where nobody can be asked.
        password_env: Name of the variable that holds the login password.
        typed: What was answered, by prompt, so that a link that is lost at night does not wait for
            somebody to type.
    """

    ask: Callable[[str], str] | None
    password_env: str | None
    typed: dict[str, str] = field(default_factory=dict, repr=False)

    def password(self, hop: Hop) -> str | None:
        """The login password of a hop."""
        for variable in (self.password_env, PASSWORD_VARIABLE):
            if variable and variable in os.environ:
                return os.environ[variable]
        return self._asked(f"Password of {hop.user}@{hop.alias}: ")

    def passphrase(self, path: Path) -> str | None:
        """What opens an encrypted key file."""
        if PASSPHRASE_VARIABLE in os.environ:
            return os.environ[PASSPHRASE_VARIABLE]
        return self._asked(f"Passphrase of {path}: ")

    def _asked(self, prompt: str) -> str | None:
        if prompt not in self.typed and self.ask:
            self.typed[prompt] = self.ask(prompt)
        return self.typed.get(prompt)


def connect_hop(hop: Hop, secrets: Secrets) -> tuple["Transport", ...]:
    """Log in to a hop, through those before it; the last connection is the hop's own.

    Raises:
        DeviceLost: It does not answer.
        DeviceError: It answers, but its key or our login is refused.
    """
    import paramiko

    outer = connect_hop(hop.via, secrets) if hop.via else ()
    connection: Transport | None = None
    try:
        channel = _tunnel(outer[-1], hop) if outer else _socket(hop)
        connection = paramiko.Transport(channel)
        _handshake(connection, hop)
        _authenticate(connection, hop, secrets)
    except (paramiko.SSHException, OSError, EOFError, DeviceError) as error:
        for broken in (*outer, *([connection] if connection else [])):
            broken.close()
        if isinstance(error, DeviceError):
            secrets.typed.clear()  # a wrong one is not to be given again
            raise
        raise _lost(hop, error) from error
    return (*outer, connection)


def _lost(hop: Hop, error: Exception) -> DeviceError:
    import paramiko

    where = f"{hop.user}@{hop.alias} ({hop.host} port {hop.port})"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        msg = f"{where} and paramiko have no algorithm in common: {error}."
        return DeviceError(msg, hint="An SSH server older than OpenSSH 7.2 must be updated.")
    reason = str(error) or type(error).__name__
    through = f" through {hop.via.alias}" if hop.via else ""
    msg = f"{where} cannot be reached{through}: {reason}."
    return DeviceLost(
        msg, hint=f"Check that `ssh -p {hop.port} {hop.user}@{hop.alias} true` works."
    )


def _socket(hop: Hop) -> socket.socket:
    link = socket.create_connection((hop.host, hop.port), timeout=CONNECT_S)
    for level, name, value in _SOCKET_OPTIONS:
        link.setsockopt(level, name, value)
    return link


def _tunnel(outer: "Transport", hop: Hop) -> socket.socket:
    target = (hop.host, hop.port)
    # paramiko takes its own channels for sockets, and its stubs do not know it.
    return cast(
        "socket.socket",
        outer.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=CONNECT_S),
    )


def _handshake(connection: "Transport", hop: Hop) -> None:
    """Exchange keys with the server and check its own."""
    entries = read_known_hosts(hop.known_hosts)
    options = connection.get_security_options()
    kinds = known_kinds(entries, hop.known_as)
    # The server is asked for a kind of key that is known, as ssh(1) does. An RSA
    # key signs by SHA-2, under another name than the key's.
    wanted = [
        k for k in options.key_types if k in kinds or (k[:8] == "rsa-sha2" and "ssh-rsa" in kinds)
    ]
    if wanted:
        options.key_types = (*wanted, *(k for k in options.key_types if k not in wanted))
    connection.start_client(timeout=CONNECT_S)
    if not connection.is_active() or not connection.initial_kex_done:
        msg = f"no SSH greeting within {CONNECT_S:g} s"
        raise TimeoutError(msg)
    key = connection.get_remote_server_key()
    check_key(entries, hop.known_as, key.asbytes(), accept=_accept(hop, key.get_name()))


def _accept(hop: Hop, kind: str) -> str:
    """The command that adds a host's key to the user's `known_hosts`."""
    scan = f"ssh-keyscan -t {kind.removeprefix('ssh-').split('-')[0]} -p {hop.port} {hop.host}"
    if hop.via:
        scan = f"ssh {hop.via.alias} {scan}"
    return f"{scan} >> {shlex.quote(str(hop.known_hosts[0]))}"


def _authenticate(connection: "Transport", hop: Hop, secrets: Secrets) -> None:
    """Log in by key files, then by the agent's keys, then by password.

    Raises:
        DeviceError: Nothing that we have was accepted.
    """
    import paramiko

    tried: list[str] = []
    try:
        allowed = list(connection.auth_none(hop.user)) or ["none"]
    except paramiko.BadAuthenticationType as refusal:
        allowed = list(refusal.allowed_types)
    if allowed == ["none"]:
        return
    if "publickey" in allowed:
        allowed = _try_keys(connection, hop, secrets, allowed, tried)
    if {"password", "keyboard-interactive"} & set(allowed) and not connection.is_authenticated():
        _try_password(connection, hop, secrets, tried)
    if not connection.is_authenticated():
        msg = (
            f"{hop.alias!r} refuses to let {hop.user!r} in; tried: {', '.join(tried) or 'nothing'}."
        )
        hint = (
            f"It allows {', '.join(allowed)}. Put a key there by `ssh-copy-id -p {hop.port} "
            f"{hop.user}@{hop.alias}`, or give the password in ${PASSWORD_VARIABLE}."
        )
        raise DeviceError(msg, hint=hint)


def _try_keys(
    connection: "Transport", hop: Hop, secrets: Secrets, allowed: list[str], tried: list[str]
) -> list[str]:
    """Offer keys until one is taken; what the server wants after it, or still allows."""
    import paramiko

    for name, key in _keys(hop, secrets, tried):
        if len(tried) >= KEYS_MAX:
            tried.append(f"no more than {KEYS_MAX} keys (name one by IdentityFile)")
            break
        tried.append(name)
        try:
            return list(connection.auth_publickey(hop.user, key))
        except paramiko.AuthenticationException:
            if not connection.is_active():
                raise
    return allowed


def _keys(hop: Hop, secrets: Secrets, tried: list[str]) -> Iterator[tuple[str, "PKey"]]:
    import paramiko

    for path in hop.key_files:
        try:
            key = _read_key(path, secrets)
        except FileNotFoundError:
            tried.append(f"{path} (not there)")
            continue
        except (
            OSError,
            ValueError,
            TypeError,
            paramiko.SSHException,
            paramiko.pkey.UnknownKeyType,
        ) as e:
            tried.append(f"{path} (unreadable: {e})")
            continue
        yield str(path), key
    if hop.is_agent_used:
        agent = paramiko.Agent()
        try:
            for number, held in enumerate(agent.get_keys(), start=1):
                yield f"key {number} of the agent", held
        finally:
            agent.close()


def _read_key(path: Path, secrets: Secrets) -> "PKey":
    import paramiko

    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException):
        # cryptography says by TypeError that a key is encrypted.
        passphrase = secrets.passphrase(path)
        if passphrase is None:
            msg = f"encrypted, and ${PASSPHRASE_VARIABLE} is not set"
            raise ValueError(msg) from None
        return paramiko.PKey.from_path(path, passphrase.encode())  # type: ignore[arg-type]  # bytes is what cryptography takes


def _try_password(connection: "Transport", hop: Hop, secrets: Secrets, tried: list[str]) -> None:
    import paramiko

    password = secrets.password(hop)
    if password is None:
        tried.append("no password (nobody to ask, and no variable set)")
        return
    tried.append("a password")
    try:
        connection.auth_password(hop.user, password)
    except paramiko.AuthenticationException:
        if not connection.is_active():
            raise
