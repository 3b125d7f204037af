"""`report`: one page of runs that are on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edgebench.core import LedgerEntry
from edgebench.errors import ConfigError, NotDone
from edgebench.results.frames import Tables
from edgebench.results.report import brief, html
from edgebench.results.report.digest import RunDigest, digest_of
from edgebench.results.report.kept import keep, read_kept, stamp_of
from edgebench.results.store import read_ledger
from edgebench.results.writers import csv
from edgebench.workflow.outcome import Outcome, outcome_of, readable

# By ending, who writes it of digests; `.csv` is the table of cells of an export.
PAGES: Final[Mapping[str, Callable[..., None]]] = {".html": html.write, ".md": brief.write}


def write_report(folders: Sequence[Path], path: Path, *, with_trend: bool = False) -> None:
    """Write a report of runs, finished or not.

    Raises:
        ConfigError: Nothing is written in such a format or at that place, or a folder is no run.
    """
    if path.suffix not in {*PAGES, ".csv"}:
        msg = f"No report ends in {path.suffix!r}."
        raise ConfigError(msg, hint=f"Name a file that ends in {', '.join(PAGES)} or .csv.")
    wanted = list(dict.fromkeys(folder.resolve() for folder in folders))
    try:
        if path.suffix == ".csv":
            _write_csv(wanted, path)
        else:
            runs = [digest_run(folder) for folder in wanted]
            PAGES[path.suffix](runs, path, with_trend=with_trend)
    except NotDone as error:
        raise ConfigError(str(error), hint="Name another file, or make room there.") from error


def digest_run(folder: Path) -> RunDigest:
    """What a report shows of a run: as it was kept, or read from the raw samples and kept."""
    stamp = stamp_of(folder)
    return read_kept(folder, stamp) or _digested(outcome_of(folder), stamp)


def write_page(outcome: Outcome) -> None:
    """Put `report.html` into the run's folder, of this run alone."""
    digest = _digested(outcome, stamp_of(outcome.folder))
    html.write([digest], outcome.folder / "report.html")


def _digested(outcome: Outcome, stamp: str) -> RunDigest:
    digest = digest_of(readable(outcome), _ledgers(outcome.folder))
    keep(outcome.folder, digest, stamp)
    return digest


def _ledgers(folder: Path) -> dict[str, tuple[LedgerEntry, ...]]:
    """The ledger of each variant's file, by `name.format`; of two runtimes' files the plain one."""
    found: dict[str, tuple[LedgerEntry, ...]] = {}
    for path in sorted((folder / "variants").glob("*"), key=lambda path: len(path.name)):
        document = None if path.suffix == ".json" else read_ledger(path)
        if document is not None:
            found.setdefault(f"{document.variant}{path.suffix}", document.steps)
    return found


def _write_csv(folders: Sequence[Path], path: Path) -> None:
    """The table of cells, run by run: the samples of one at a time are in memory."""
    import pandas as pd

    from edgebench.results.files import written

    tables = [Tables([readable(outcome_of(folder))]).cells for folder in folders]
    with written(path) as file:
        csv.write_table(pd.concat(tables, ignore_index=True), file)
