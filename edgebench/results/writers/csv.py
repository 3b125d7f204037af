"""`.csv`: two files that a spreadsheet may open without running what a name holds.

A text that a spreadsheet would take for a formula is given an apostrophe in front, and every text
stands in quotes (OWASP, "CSV Injection"). A text that begins with an apostrophe is given one more,
so that `read` knows what was there.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from edgebench.results.columns import Column, Kind
from edgebench.results.frames import DTYPES, Tables
from edgebench.results.writers.merging import TableFormat, merge

if TYPE_CHECKING:
    import pandas as pd

# https://owasp.org/www-community/attacks/CSV_Injection, the full-width forms included.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def write(tables: Tables, target: str) -> list[str]:
    """Put the runs into `x.csv` and `x.samples.csv`."""
    return merge(tables, target, CSV)


def write_table(table: "pd.DataFrame", file: BinaryIO) -> None:
    """One table in UTF-8 with a header; where there is nothing, the text is empty."""
    texts = [name for name, kind in table.dtypes.items() if kind == DTYPES[Kind.TEXT]]
    safe = table.assign(**{str(name): _on_texts(table[name], defused) for name in texts})
    safe.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def read(path: Path, columns: Sequence[Column]) -> "pd.DataFrame":
    """One table as it was before its texts were defused; numbers with a fraction are texts yet."""
    import pandas as pd

    # Before pandas 3 its own reader of numbers was wrong in the last digit: they are texts to it.
    kinds = {c.name: Kind.TEXT if c.kind is Kind.REAL else c.kind for c in columns}
    types = {name: DTYPES[kinds[name]] for name in _names(path)}
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    texts = [c.name for c in columns if c.kind is Kind.TEXT and c.name in table]
    return table.assign(**{name: _on_texts(table[name], restored) for name in texts})


def defused(text: str) -> str:
    """The text as no spreadsheet takes it for a formula.

    >>> defused("=cmd()"), defused("'a"), defused("a=b")
    ("'=cmd()", "''a", 'a=b')
    """
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def restored(text: str) -> str:
    """The text before it was defused.

    >>> restored(defused("=cmd()")), restored(defused("'a"))
    ('=cmd()', "'a")
    """
    return text.removeprefix("'")


def _on_texts(texts: "pd.Series[str]", change: Callable[[str], str]) -> "pd.Series[str]":
    """Every text changed; of a million samples few are different."""
    return texts.map({text: change(text) for text in texts.dropna().unique()}).astype(texts.dtype)


def _names(path: Path) -> list[str]:
    import pandas as pd

    return [str(name) for name in pd.read_csv(path, nrows=0).columns]


CSV: Final = TableFormat(
    names=_names, read=read, write=write_table, damage=(ValueError, TypeError, OverflowError)
)
