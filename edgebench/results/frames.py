"""Runs as the two tidy tables of an export: a row a cell, and a row a sample."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgebench.results.cells import Cell, cell_document
from edgebench.results.columns import CELLS, SAMPLES, Column, Kind, plain_text
from edgebench.results.listing import models_of
from edgebench.results.ship import Advice
from edgebench.results.store import RunDocument
from edgebench.results.targets import Checked

if TYPE_CHECKING:
    import pandas as pd

# In each of them a value may be missing.
DTYPES: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "string[python]",
    Kind.INTEGER: "Int64",
    Kind.REAL: "float64",
    Kind.BOOLEAN: "boolean",
}


@dataclass(frozen=True, kw_only=True)
class Readable:
    """A run with its verdicts, as a writer takes it.

    Attributes:
        name: Of its folder.
        document: Its `run.json`.
    """

    name: str
    document: RunDocument
    cells: Sequence[Cell]
    checked: Sequence[Checked]
    advice: Sequence[Advice]


@dataclass(frozen=True)
class Tables:
    """What runs come to, as writers of tables take it."""

    runs: Sequence[Readable]

    @property
    def names(self) -> list[str]:
        """The runs, as they stand in the column `run`."""
        return [str(plain_text(run.name)) for run in self.runs]

    @cached_property
    def cells(self) -> "pd.DataFrame":
        """A row a cell, measured or not: `columns.CELLS`."""
        import pandas as pd

        rows = [row_of(run, cell) for run in self.runs for cell in run.cells]
        return typed(pd.DataFrame(rows, columns=names_of(CELLS)), CELLS)

    @cached_property
    def samples(self) -> "pd.DataFrame":
        """A row a sample of every cell that was measured: `columns.SAMPLES`."""
        import pandas as pd

        parts = [part for run in self.runs for cell in run.cells for part in _samples(run, cell)]
        empty = pd.DataFrame(columns=names_of(SAMPLES))
        return typed(pd.concat(parts, ignore_index=True) if parts else empty, SAMPLES)


def names_of(columns: Sequence[Column]) -> list[str]:
    """The columns' names, in their order."""
    return [column.name for column in columns]


def dtypes_of(columns: Sequence[Column]) -> dict[str, str]:
    """What pandas is to hold in each column."""
    return {column.name: DTYPES[column.kind] for column in columns}


def typed(table: "pd.DataFrame", columns: Sequence[Column]) -> "pd.DataFrame":
    """The table with just these columns and their types; one that it lacks is empty."""
    return table.reindex(columns=names_of(columns)).astype(dtypes_of(columns))


def merged(
    old: "pd.DataFrame", new: "pd.DataFrame", runs: Collection[str], columns: Sequence[Column]
) -> "pd.DataFrame":
    """The rows of the runs that are new in place of those that were there, ordered by run.

    The order is of the names, which begin with a time: so it does not depend on who came first.
    """
    import pandas as pd

    kept = old[~old["run"].isin(list(runs))]
    both = pd.concat([typed(kept, columns), new], ignore_index=True)
    return both.sort_values("run", kind="stable", ignore_index=True)


def row_of(run: Readable, cell: Cell) -> dict[str, Any]:
    """A cell's row of the table of cells."""
    document = _document(run, cell)
    return {column.name: column.of(document) for column in CELLS}


def _document(run: Readable, cell: Cell) -> dict[str, Any]:
    """Where the paths of `columns.CELLS` lead through."""
    told, measurement, advice = run.document, cell.measurement, run.advice
    limits = [c for c in run.checked if c.key == cell.spec.key]
    return {
        "run": {
            "id": run.name,
            "created": told.created,
            "command": told.command,
            "finished": told.finished,
            "model_sha256": told.model_sha256,
            "data_sha256": told.data_sha256,
            "protocol": told.protocol,
            "seed": told.seed,
            "host": told.host,
        },
        "model": models_of(told.plan),
        "device": told.devices.get(cell.spec.device),
        "cell": cell_document(cell),
        "measurement": measurement
        and {
            "created": measurement.created,
            "sha256": measurement.sha256,
            "fingerprint": measurement.fingerprint,
        },
        "targets": [f"{c.target}<={c.limit:g}:{c.verdict.name}" for c in limits],
        "is_advised": any(a.cell is cell for a in advice) if advice else None,
    }


def _samples(run: Readable, cell: Cell) -> "list[pd.DataFrame]":
    import pandas as pd

    if cell.recorded is None:
        return []
    return [
        pd.DataFrame(
            {
                "run": plain_text(run.name),
                "cell": plain_text(cell.spec.key),
                "block": block,
                "invocation": np.arange(len(latency_ns)),
                "latency_ns": latency_ns,
            }
        )
        for block, latency_ns in sorted(cell.recorded.samples.items())
    ]
