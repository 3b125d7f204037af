"""Which runs lie in a folder, without reading ten thousand documents.

What a listing needs of a `run.json` is kept beside the runs in `.index.json`. A run is looked up by
the inode, size and times of its `run.json`; where one of these has changed, the document is read.
So are documents that changed within the last two seconds, for a file system's clock may not tell
two writes apart that are closer (git's "racy" entries), and those that are broken. Whoever removes
the index loses nothing.
"""

import contextlib
import fnmatch
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import edgebench
from edgebench.errors import ConfigError, NotDone
from edgebench.results.files import written

if TYPE_CHECKING:
    from edgebench.results.store import RunDocument

INDEX: Final = ".index.json"
# Of another version nothing is believed: it may have read the same document otherwise.
INDEX_SCHEMA: Final = f"edgebench.index/1 of {edgebench.__version__}"
SETTLED_NS: Final = 2_000_000_000

_UNITS: Final[Mapping[str, str]] = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a listing says of a run.

    Attributes:
        created: As `run.json` has it; None where that is broken, likewise the fields after it.
        models: What was compressed, or the files that were measured, as the user named them.
        pairs: Variant and device of the cells, each pair once.
        error: Why `run.json` says nothing.
    """

    folder: Path
    created: str | None = None
    command: str | None = None
    cells: int | None = None
    finished: bool | None = None
    models: Sequence[str] = ()
    pairs: Sequence[Sequence[str]] = ()
    error: str | None = None

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "run": str(self.folder),
            "created": self.created,
            "command": self.command,
            "models": list(self.models),
            "variants": [*dict.fromkeys(variant for variant, _ in self.pairs)],
            "devices": [*dict.fromkeys(device for _, device in self.pairs)],
            "cells": self.cells,
            "finished": self.finished,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are listed; names may hold `*` and `?`, and nothing named is everything.

    Attributes:
        models: The model as it was named, or its file's name, with its ending or without.
        variants: With `devices`: a run has a cell of one of these on one of those.
        since: The earliest time at which a run was made.
    """

    models: Sequence[str] = ()
    variants: Sequence[str] = ()
    devices: Sequence[str] = ()
    since: datetime | None = None

    def holds(self, run: Listed) -> bool:
        """Whether a run is wanted; a broken one always is, for nobody can say that it is not."""
        if run.created is None:
            return True
        if self.since is not None and _time(run.created) < self.since:
            return False
        names = {name for model in run.models for name in _names(model)}
        return _matches(names, self.models) and any(
            _matches({variant}, self.variants) and _matches({device}, self.devices)
            for variant, device in run.pairs or [("", "")]
        )


def list_runs(out: Path, wanted: Wanted | None = None) -> list[Listed]:
    """The runs in a folder, the newest first, and those that are broken at the end."""
    known = _read_index(out)
    found: dict[str, Any] = {}
    runs = []
    started_ns = time.time_ns()
    for name, stamp in _stamps(out):
        entry = known.get(name)
        if entry is None or entry["stamp"] != stamp:
            entry = {"stamp": stamp, "row": _read(out / name)}
        if _is_settled(stamp, started_ns) and entry["row"]["error"] is None:
            found[name] = entry
        runs.append(Listed(folder=out / name, **entry["row"]))
    if found != known:
        # A folder that cannot be written to can be listed all the same.
        with contextlib.suppress(NotDone):
            _write_index(out, found)
    chosen = [run for run in runs if wanted is None or wanted.holds(run)]
    whole = sorted(
        (run for run in chosen if run.created is not None),
        key=lambda run: (_time(str(run.created)), run.folder.name),
        reverse=True,
    )
    return whole + sorted(
        (run for run in chosen if run.created is None), key=lambda run: run.folder.name
    )


def since(text: str, now: datetime) -> datetime:
    """The time of an ISO date (UTC where it names no zone), or so long before `now`.

    Raises:
        ConfigError: It is neither.

    >>> now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    >>> print(since("7d", now), since("2026-03-01", now), sep=", ")
    2026-03-01 12:00:00+00:00, 2026-03-01 00:00:00+00:00
    """
    try:
        if ago := re.fullmatch(r"(\d+)\s*([hdw])", text.strip()):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return _time(text)
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is neither a date nor a duration."
        raise ConfigError(msg, hint="Write `2026-03-01`, `7d`, `12h` or `2w`.") from error


def _time(text: str) -> datetime:
    time_read = datetime.fromisoformat(text)
    return time_read if time_read.tzinfo else time_read.replace(tzinfo=UTC)


def _names(model: str) -> tuple[str, ...]:
    path = PurePosixPath(model)
    return model, path.name, path.stem, model.removeprefix("zoo:")


def _matches(names: set[str], patterns: Sequence[str]) -> bool:
    """Whether one of the names is one of the patterns."""
    return not patterns or any(
        name == pattern or fnmatch.fnmatchcase(name, pattern)
        for name in names
        for pattern in patterns
    )


def _stamps(out: Path) -> Iterator[tuple[str, list[int]]]:
    """Each folder with a `run.json`, and what tells one state of that file from another."""
    try:
        names = os.listdir(out)  # noqa: PTH208 - ten thousand paths cost more than their names
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        msg = f"{str(out)!r} cannot be read: {error.strerror}."
        raise ConfigError(msg, hint="Name another folder with --out.") from error
    for name in names:
        try:
            told = os.stat(f"{out}/{name}/run.json")  # noqa: PTH116 - as above
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            # Reading it will say what is wrong.
            yield name, []
        else:
            yield name, [told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns]


def _is_settled(stamp: Sequence[int], now_ns: int) -> bool:
    """Whether a change after `now_ns` would show in the stamp."""
    return bool(stamp) and max(stamp[2:]) < now_ns - SETTLED_NS


def _read(folder: Path) -> dict[str, Any]:
    """What the index keeps of a run: the fields of `Listed` but its folder."""
    from edgebench.results.store import read_run

    try:
        run = read_run(folder)
        _time(run.created)
    except ConfigError as error:
        told = Listed(folder=folder, error=str(error))
    except ValueError as error:
        told = Listed(folder=folder, error=f"run.json: `created`: {error}.")
    else:
        told = _listed(folder, run)
    row = asdict(told)
    del row["folder"]
    return row


def _listed(folder: Path, run: "RunDocument") -> Listed:
    pairs = dict.fromkeys((cell.variant, cell.device) for cell in run.cells)
    return Listed(
        folder=folder,
        created=run.created,
        command=run.command,
        cells=len(run.cells),
        finished=run.finished,
        models=models_of(run.plan),
        pairs=[list(pair) for pair in pairs],
    )


def models_of(plan: Mapping[str, Any]) -> list[str]:
    """The models of a run's plan: the one that is compressed, or the files that are measured."""
    model = plan.get("model")
    found = [model.get("source")] if isinstance(model, Mapping) else plan.get("models")
    return [name for name in found or () if isinstance(name, str)]


def _read_index(out: Path) -> dict[str, Any]:
    """What is known by the runs' names; nothing where the index is not one of ours, or damaged."""
    try:
        document = json.loads((out / INDEX).read_bytes())
        if document["schema"] != INDEX_SCHEMA:
            return {}
        known: dict[str, Any] = {name: _checked(entry) for name, entry in document["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return known


def _write_index(out: Path, runs: Mapping[str, Any]) -> None:
    text = json.dumps({"schema": INDEX_SCHEMA, "runs": runs}, separators=(",", ":"))
    with written(out / INDEX) as file:
        file.write(text.encode())


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry; raises where it is none that a listing could be made of."""
    listed = Listed(folder=Path(), **entry["row"])
    _time(listed.created)  # type: ignore[arg-type] # what is no time raises
    len(entry["stamp"])
    return entry
