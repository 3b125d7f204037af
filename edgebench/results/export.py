"""Runs in the formats of other programs."""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgebench.errors import ConfigError, NotDone
from edgebench.results.frames import Readable, Tables
from edgebench.results.writers import csv, markdown, parquet, postgresql, sqlite

INSTALL: Final = "pip install 'edgebench[export]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """A format.

    Attributes:
        write: Writes runs to a target, and says what it wrote, a name each.
        needs: Packages of the extra `export`.
    """

    write: Callable[[Tables, str], list[str]]
    needs: tuple[str, ...] = ()


# By the ending of a file, or by the scheme of an address.
WRITERS: Final[Mapping[str, Writer]] = {
    ".csv": Writer(write=csv.write),
    ".md": Writer(write=markdown.write),
    ".parquet": Writer(write=parquet.write, needs=("pyarrow",)),
    "sqlite://": Writer(write=sqlite.write, needs=("sqlalchemy",)),
    "postgresql://": Writer(write=postgresql.write, needs=("sqlalchemy", "psycopg")),
}


def writer_of(target: str) -> Writer:
    """The writer of a target, and whether it can be used here.

    Raises:
        ConfigError: No format is so named, or a package is missing.
    """
    scheme = re.match(r"[a-z]+(?:\+\w+)?://", target)
    kind = re.sub(r"\+\w+", "", scheme[0]) if scheme else Path(target).suffix
    writer = WRITERS.get(kind)
    if writer is None:
        # What follows a scheme may hold a password.
        msg = f"Nothing writes {scheme[0] if scheme else target!r}."
        raise ConfigError(msg, hint=f"A target ends in or begins with: {', '.join(WRITERS)}.")
    for package in writer.needs:
        try:
            importlib.import_module(package)
        except ImportError as error:
            msg = f"{kind!r} needs the package {package!r}: {error}."
            raise ConfigError(msg, hint=INSTALL) from error
    return writer


def export(runs: Sequence[Readable], target: str) -> list[str]:
    """Write runs to a target; what it holds of them is replaced, and all else stays.

    Returns:
        What was written, a name each; an address without its password.

    Raises:
        ConfigError: No format is so named, or nothing can be written there.
    """
    writer = writer_of(target)
    try:
        return writer.write(Tables(runs), target)
    except NotDone as error:
        hint = error.hint if "://" in target else "Name another file, or make room there."
        raise ConfigError(str(error), hint=hint) from error
