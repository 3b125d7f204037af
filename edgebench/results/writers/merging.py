"""Tables in files: what is there is read, merged with what is new, and replaced whole."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgebench.errors import ConfigError
from edgebench.results.columns import CELLS, SAMPLES, Column
from edgebench.results.files import words, written
from edgebench.results.frames import Tables, merged, names_of, typed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFormat:
    """How one table is read from a file and written to it.

    Attributes:
        names: The columns of a file, before anything else of it is read.
        damage: What reading raises where the file is no such table.
    """

    names: Callable[[Path], Sequence[str]]
    read: Callable[[Path, Sequence[Column]], "pd.DataFrame"]
    write: Callable[["pd.DataFrame", BinaryIO], None]
    damage: tuple[type[Exception], ...]


def samples_path(path: Path) -> Path:
    """Where the samples lie whose cells lie in `path`.

    >>> print(samples_path(Path("a/x.csv")))
    a/x.samples.csv
    """
    return path.with_name(f"{path.stem}.samples{path.suffix}")


def merge(tables: Tables, target: str, form: TableFormat) -> list[str]:
    """Put the runs into the two files of `target`, in place of what these hold of them.

    Raises:
        ConfigError: One of the files is no table of this edgebench or of an older one.
        NotDone: The system does not let them be written.
    """
    path = Path(target)
    beside = samples_path(path)
    with _only_one(path.parent):
        cells = _merged(path, tables.cells, tables.names, CELLS, form)
        samples = _merged(beside, tables.samples, tables.names, SAMPLES, form)
        # Both are whole on the disk before either takes its place.
        with written(path) as cells_file, written(beside) as samples_file:
            for table, file in ((cells, cells_file), (samples, samples_file)):
                form.write(table, file)
                file.flush()
    return [str(path), str(beside)]


def _merged(
    path: Path,
    new: "pd.DataFrame",
    runs: Sequence[str],
    columns: Sequence[Column],
    form: TableFormat,
) -> "pd.DataFrame":
    old = read_table(path, columns, form) if path.exists() else typed(new[:0], columns)
    return merged(old, new, runs, columns)


def read_table(path: Path, columns: Sequence[Column], form: TableFormat) -> "pd.DataFrame":
    """A table as it was exported; columns that an older edgebench did not know are empty.

    Raises:
        ConfigError: It has columns that are not ours, lacks a key, or cannot be read.
    """
    try:
        check_columns(str(path), form.names(path), columns)
        return typed(form.read(path, columns), columns)
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {words(error)}."
        raise ConfigError(msg, hint="Name another file.") from error
    except form.damage as error:
        msg = f"{str(path)!r} is not a table that edgebench wrote: {error}."
        raise ConfigError(msg, hint="Name another file, or remove this one.") from error


def check_columns(name: str, found: Sequence[str], columns: Sequence[Column]) -> None:
    """Refuse a table that neither this edgebench nor an older one has made.

    Raises:
        ConfigError: It has columns that are not ours, or lacks one of the key.
    """
    ours = set(names_of(columns))
    foreign = [column for column in found if column not in ours]
    lacking = [c.name for c in columns if c.is_key and c.name not in found]
    if not foreign and not lacking:
        return
    what = f"holds {_listed(foreign)}" if foreign else f"lacks {_listed(lacking)}"
    msg = f"{name!r} {what}: it was written by another program, or another version of edgebench."
    raise ConfigError(msg, hint="Name another target, and export the runs anew.")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no export reads what another is about to replace."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        msg = f"{str(folder)!r} cannot be used: {words(error)}."
        raise ConfigError(msg, hint="Name another file.") from error
    try:
        # Some network file systems lock no folders: there it is for the user to wait.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
