"""A run's digest, kept beside the run until something of the run changes.

`.report.json` says of which files it is: names, sizes and times. Whoever removes it loses nothing.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

import edgebench
from edgebench.errors import NotDone
from edgebench.results.files import written
from edgebench.results.report.digest import RunDigest

KEPT: Final = ".report.json"
# Another version may have read the same samples otherwise.
SCHEMA: Final = f"edgebench.report/1 of {edgebench.__version__}"
FOLDERS: Final = ("measurements", "samples", "variants")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A digest, and the stamp of what it was made of."""

    stamp: str
    digest: RunDigest


_KEPT: Final = TypeAdapter(Kept)


def stamp_of(folder: Path) -> str:
    """What tells one state of a run's files from another."""
    found = hashlib.sha256(f"{SCHEMA} {folder.resolve().name}".encode())
    for path in (folder / "run.json", *(folder / name for name in FOLDERS)):
        for line in sorted(_lines(path)):
            found.update(line.encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(NotADirectoryError, FileNotFoundError), os.scandir(path) as entries:
        # What is being written has a hidden name until it is whole.
        return [_line(e.name, e.stat()) for e in entries if not e.name.startswith(".")]
    return [_line(path.name, path.stat())] if path.is_file() else []


def _line(name: str, told: os.stat_result) -> str:
    return f"{name}\0{told.st_size}\0{told.st_mtime_ns}\n"


def read_kept(folder: Path, stamp: str) -> RunDigest | None:
    """The digest that is kept; None where there is none of these files."""
    try:
        kept = _KEPT.validate_json((folder / KEPT).read_bytes())
    except (OSError, ValidationError):
        return None
    return kept.digest if kept.stamp == stamp else None


def keep(folder: Path, digest: RunDigest, stamp: str) -> None:
    """Keep a digest; a folder that cannot be written to can be reported all the same.

    So can a run in whose names something is no Unicode.
    """
    with contextlib.suppress(NotDone, PydanticSerializationError), written(folder / KEPT) as file:
        file.write(_KEPT.dump_json(Kept(stamp=stamp, digest=digest)))
