"""What was made once and is not made again: a folder for each way that was walked.

    made/<key>/       the file and `made.json`, renamed here when both are whole
    judged/<key>.json accuracy of a file on a validation set
    locks/<key>       held by the process that is making it
    logs/<key>.log    what its tools printed

A key is the sha256 of all that decides what comes out, so that nothing in here is ever stale.
Everything may be deleted at any time.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.compress.inspect import sha256_of
from edgebench.compress.technique import Accuracies, Promises
from edgebench.core import Artifact, Progress

SCHEMA: Final = "edgebench.made/2"
MADE_FILE: Final = "made.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file, and how it came to be: a line of the ledger but for the accuracy."""

    schema: str = SCHEMA
    artifact: Artifact
    changed: Mapping[str, JsonValue]
    settings: Mapping[str, JsonValue]
    versions: Mapping[str, str]
    seconds: float
    accuracies: Accuracies = field(default_factory=Accuracies)
    promises: Promises = field(default_factory=Promises)


_MADE: Final = TypeAdapter(Made)


def key_of(document: Mapping[str, JsonValue]) -> str:
    """The name of what this document decides.

    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def take(cache: Path, key: str) -> Made | None:
    """What was made under this key; None where nothing was, or where it was changed since."""
    folder = cache / "made" / key
    try:
        made = _MADE.validate_json((folder / MADE_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    path = folder / made.artifact.path.name
    if made.schema != SCHEMA or not path.exists() or sha256_of(path) != made.artifact.sha256:
        return None
    return replace(made, artifact=replace(made.artifact, path=path.absolute()))


def put(cache: Path, key: str, made: Made, *, folder: Path) -> Made:
    """Move a folder from `workplace` into the cache; what stood there unfit is replaced."""
    (folder / MADE_FILE).write_bytes(_MADE.dump_json(made))
    home = cache / "made" / key
    if home.exists():
        shutil.rmtree(home)
    folder.rename(home)
    return replace(made, artifact=replace(made.artifact, path=home / made.artifact.path.name))


@contextmanager
def workplace(cache: Path, key: str) -> Iterator[Path]:
    """An empty folder on the cache's own file system; what is left in it is removed.

    Whoever calls holds `only_one`: other folders of this key are left from processes that died.
    """
    for left in (cache / "made").glob(f".{key}-*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = cache / "made" / f".{key}-{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    try:
        yield folder.absolute()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def only_one(cache: Path, key: str, *, progress: Progress) -> Iterator[None]:
    """Hold the key's lock, so that two processes do not make the same thing at once.

    The kernel lets go of it when its holder dies, however that happens.
    """
    path = cache / "locks" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is making the same: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def log_of(cache: Path, key: str) -> Path:
    """Where the tools' chatter goes."""
    path = cache / "logs" / f"{key}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.absolute()
