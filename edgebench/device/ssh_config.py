"""From `ssh://pi@board:22` and the user's `~/.ssh/config` to the hops that lead there."""

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edgebench.errors import ConfigError

CONFIG_VARIABLE: Final = "EDGEBENCH_SSH_CONFIG"
SYSTEM_KNOWN_HOSTS: Final = Path("/etc/ssh/ssh_known_hosts")
DEFAULT_KEYS: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
HOPS_MAX: Final = 8
EXAMPLE: Final = "ssh://pi@192.0.2.7 or ssh://pi@raspberrypi.local:2222"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One SSH server on the way, the last of them being the device.

    Attributes:
        alias: As the user wrote it.
        known_as: Name under which its key stands in `known_hosts`.
        key_files: In the order in which they are tried.
        is_agent_used: Whether keys of the agent are tried after them.
        via: The hop before it; None where it is reached directly.
    """

    alias: str
    host: str
    port: int
    user: str
    known_as: str
    key_files: tuple[Path, ...]
    is_agent_used: bool
    known_hosts: tuple[Path, ...]
    via: "Hop | None"


def route(address: str) -> Hop:
    """The hops to an address; the device is the outermost value, the first hop the innermost.

    Raises:
        ConfigError: The address or the configuration is not what it should be.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        msg = f"{address!r} has no usable port: {error}."
        raise ConfigError(msg, hint=f"Write {EXAMPLE}.") from error
    if parts.password is not None:
        msg = f"The address of {host!r} holds a password, which would end up in files and logs."
        raise ConfigError(msg, hint="Leave it out; you are asked for it, or name a variable.")
    if parts.scheme != "ssh" or not host or parts.path.strip("/") or parts.query:
        msg = f"{address!r} is not the address of an SSH server."
        raise ConfigError(msg, hint=f"Write {EXAMPLE}.")
    # urlsplit lowers the host, but an alias in the configuration is matched as it is written.
    written = re.search(re.escape(host), parts.netloc, re.IGNORECASE)
    alias = written[0] if written else host
    return _hop(alias, user=parts.username, port=port, depth=0)


def _hop(alias: str, *, user: str | None, port: int | None, depth: int) -> Hop:
    if depth > HOPS_MAX:
        msg = f"ProxyJump of {alias!r} goes through more than {HOPS_MAX} hosts, or in a circle."
        raise ConfigError(msg, hint=f"Mend ProxyJump in {_config_path()}.")
    settings = _settings(alias)
    host = settings.get("hostname", alias)
    port = port or int(settings.get("port", "22"))
    key_alias = settings.get("hostkeyalias")
    return Hop(
        alias=alias,
        host=host,
        port=port,
        user=user or settings.get("user") or getpass.getuser(),
        known_as=key_alias or (host if port == 22 else f"[{host}]:{port}"),
        key_files=_key_files(settings),
        is_agent_used=settings.get("identitiesonly", "no").lower() != "yes"
        and settings.get("identityagent", "").lower() != "none",
        known_hosts=_known_hosts(settings),
        via=_jump(settings.get("proxyjump", "none"), depth),
    )


def _jump(value: str, depth: int) -> Hop | None:
    """The last of `user@host:port,user@host:port`, each reached through the one before it."""
    hop: Hop | None = None
    if value.lower() == "none":
        return None
    for jump in value.split(","):
        parts = urlsplit(jump.strip() if "://" in jump else f"ssh://{jump.strip()}")
        inner = _hop(parts.hostname or "", user=parts.username, port=parts.port, depth=depth + 1)
        # Only the first of a list may have a jump of its own, as ssh(1) does it.
        hop = inner if hop is None else replace(inner, via=hop)
    return hop


def _key_files(settings: Mapping[str, str]) -> tuple[Path, ...]:
    named = tuple(Path(name).expanduser() for name in settings.get("identityfile", "").split("\n"))
    if settings.get("identityfile"):
        return named
    return tuple(path for key in DEFAULT_KEYS if (path := Path.home() / ".ssh" / key).exists())


def _known_hosts(settings: Mapping[str, str]) -> tuple[Path, ...]:
    value = settings.get("userknownhostsfile", "~/.ssh/known_hosts")
    names = [] if value.lower() == "none" else value.split()
    return (*(Path(name.strip('"')).expanduser() for name in names), SYSTEM_KNOWN_HOSTS)


def _config_path() -> Path:
    return Path(os.environ.get(CONFIG_VARIABLE) or Path.home() / ".ssh" / "config")


def _settings(alias: str) -> dict[str, str]:
    """What the configuration says of a host; several key files are joined by newlines.

    Raises:
        ConfigError: The file cannot be read or understood.
    """
    import paramiko

    path = _config_path()
    try:
        text = _with_includes(path, depth=0)
    except FileNotFoundError:
        return {}
    except OSError as error:
        msg = f"The SSH configuration {str(path)!r} cannot be read: {error.strerror}."
        raise ConfigError(msg) from error
    try:
        found = paramiko.SSHConfig.from_text(text).lookup(alias)
    except (paramiko.ConfigParseError, paramiko.CouldNotCanonicalize, ImportError) as error:
        # paramiko wants the package `invoke` for `Match exec`, and says so by ImportError.
        msg = f"The SSH configuration {str(path)!r} is not understood: {error}."
        raise ConfigError(msg, hint=f"Point ${CONFIG_VARIABLE} to a simpler one.") from error
    settings: Mapping[str, str | list[str] | None] = {**found}
    return {
        key: "\n".join(value) if isinstance(value, list) else value
        for key, value in settings.items()
        if value is not None
    }


def _with_includes(path: Path, *, depth: int) -> str:
    """The text of a configuration with its `Include` lines filled in, which paramiko ignores."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        include = re.match(r"\s*include[\s=]+(.+)", line, re.IGNORECASE)
        if include is None or depth > HOPS_MAX:
            lines.append(line)
            continue
        for pattern in include[1].split():
            base = Path(pattern.strip('"')).expanduser()
            base = base if base.is_absolute() else Path.home() / ".ssh" / base
            found = sorted(base.parent.glob(base.name))
            lines.extend(_with_includes(path, depth=depth + 1) for path in found)
    return "\n".join(lines) + "\n"
