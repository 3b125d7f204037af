"""`.parquet`: two files, each number and text as it is, compressed by zstd."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from edgebench.results.columns import Column
from edgebench.results.frames import Tables, names_of
from edgebench.results.writers.merging import TableFormat, merge

if TYPE_CHECKING:
    import pandas as pd


def write(tables: Tables, target: str) -> list[str]:
    """Put the runs into `x.parquet` and `x.samples.parquet`."""
    return merge(tables, target, PARQUET)


def read(path: Path, columns: Sequence[Column]) -> "pd.DataFrame":
    """One table."""
    import pandas as pd

    found = _names(path)
    return pd.read_parquet(path, columns=[n for n in names_of(columns) if n in found])


def _write_table(table: "pd.DataFrame", file: BinaryIO) -> None:
    table.to_parquet(file, engine="pyarrow", index=False, compression="zstd")


def _names(path: Path) -> list[str]:
    from pyarrow import parquet

    return list(parquet.read_schema(path).names)


PARQUET: Final = TableFormat(
    names=_names, read=read, write=_write_table, damage=(ValueError, TypeError)
)
