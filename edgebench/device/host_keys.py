"""Whether the key that a server shows is the one that the user trusts: `known_hosts`, strictly.

paramiko's own reader refuses a whole file for one line that it does not know. This one reads what
it can, as ssh(1) does: hashed names, patterns, `[host]:port`, and `@revoked`. `@cert-authority`
lines are passed over (paramiko offers no host certificates), and so are broken ones, with a
warning in the log.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edgebench.errors import DeviceError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of `known_hosts`.

    Attributes:
        names: The first column: names, patterns, or one hashed name.
        key: The bytes of the public key.
        where: File and line, for messages.
    """

    names: str
    kind: str
    key: bytes
    is_revoked: bool
    where: str


def read_known_hosts(paths: Iterable[Path]) -> tuple[Entry, ...]:
    """All lines that can be understood; a file that is not there holds none."""
    entries: list[Entry] = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("%s cannot be read: %s", path, error.strerror)
            continue
        for number, line in enumerate(lines, start=1):
            entry = _entry(line, f"{path}:{number}")
            if entry is not None:
                entries.append(entry)
    return tuple(entries)


def known_kinds(entries: Sequence[Entry], name: str) -> tuple[str, ...]:
    """Kinds of key that are trusted for a host, for the server to show one of these."""
    kinds = (e.kind for e in entries if not e.is_revoked and _is_named(e.names, name))
    return tuple(dict.fromkeys(kinds))


def check_key(entries: Sequence[Entry], name: str, key: bytes, *, accept: str) -> None:
    """Refuse a key that is not the one in `known_hosts`.

    Args:
        accept: The command that adds the key of this host, for the hint.

    Raises:
        DeviceError: The key is revoked, differs from the known one, or is not known at all.
    """
    shown = f"{_kind(key)} key {fingerprint(key)}"
    for entry in entries:
        if entry.is_revoked and entry.key == key and _is_named(entry.names, name):
            msg = f"{name!r} shows the {shown}, which is marked @revoked in {entry.where}."
            raise DeviceError(msg, hint="Whoever holds a revoked key may not be your device.")
    known = [e for e in entries if not e.is_revoked and _is_named(e.names, name)]
    if any(entry.key == key for entry in known):
        return
    if known:
        places = ", ".join(entry.where for entry in known)
        msg = f"The host key of {name!r} has changed: it shows the {shown}, not that of {places}."
        hint = (
            "Somebody may be between you and the device. If you did set it up anew: "
            f"ssh-keygen -R {name!r}, then connect again."
        )
        raise DeviceError(msg, hint=hint)
    msg = f"The host key of {name!r} is not known: it shows the {shown}."
    hint = (
        "Compare it with what the device itself says "
        f"(ssh-keygen -lf /etc/ssh/ssh_host_{_short_kind(key)}_key.pub), then accept it: {accept}"
    )
    raise DeviceError(msg, hint=hint)


def fingerprint(key: bytes) -> str:
    """As OpenSSH shows it.

    >>> fingerprint(b"")
    'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'
    """
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return "SHA256:" + digest.rstrip("=")


def _entry(line: str, where: str) -> Entry | None:
    fields = line.split()
    if not fields or fields[0].startswith("#"):
        return None
    marker = fields.pop(0) if fields[0].startswith("@") else ""
    if marker not in {"", "@revoked"}:
        if marker != "@cert-authority":
            log.warning("%s is passed over: its marker %r is not known", where, marker)
        return None
    try:
        names, kind, encoded = fields[:3]
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        log.warning("%s is passed over: it is not `names kind key`", where)
        return None
    if _kind(key) != kind:
        log.warning("%s is passed over: it says %r, but its key is none", where, kind)
        return None
    return Entry(names=names, kind=kind, key=key, is_revoked=bool(marker), where=where)


def _kind(key: bytes) -> str:
    """The kind that stands inside a public key, before its numbers."""
    length = int.from_bytes(key[:4], "big")
    return key[4 : 4 + length].decode("ascii", errors="replace")


def _short_kind(key: bytes) -> str:
    return next((k for k in ("ed25519", "ecdsa", "rsa") if k in _kind(key)), "ed25519")


def _is_named(names: str, name: str) -> bool:
    """Whether the first column of a line means this host.

    >>> _is_named("*.lab,!bad.lab", "pi.lab"), _is_named("*.lab,!bad.lab", "bad.lab")
    (True, False)
    >>> _is_named("[127.0.0.1]:2222", "[127.0.0.1]:2222"), _is_named("pi", "pi5")
    (True, False)
    """
    if names.startswith("|1|"):
        return _is_hashed(names, name)
    patterns = list(_patterns(names.lower()))
    wanted = name.lower()
    if any(is_negated and fnmatchcase(wanted, p) for is_negated, p in patterns):
        return False
    return any(not is_negated and fnmatchcase(wanted, p) for is_negated, p in patterns)


def _patterns(names: str) -> Iterator[tuple[bool, str]]:
    for pattern in names.split(","):
        # Only * and ? are patterns here; a bracket is part of `[host]:port`.
        literal = re.sub(r"\[", "[[]", pattern.removeprefix("!"))
        yield pattern.startswith("!"), literal


def _is_hashed(names: str, name: str) -> bool:
    try:
        _, _, salt, digest = names.split("|")
        expected = base64.b64decode(digest)
        # SHA-1 is what the format says; it hides names, and proves nothing.
        found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(found, expected)
