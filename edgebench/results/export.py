"""Runs in the formats of other programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgebench.errors import ConfigError, NotDone
from edgebench.results.cells import Cell
from edgebench.results.files import written
from edgebench.results.ship import Advice
from edgebench.results.tables import frame, markdown
from edgebench.results.targets import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A run with its verdicts, as a writer takes it."""

    name: str
    cells: Sequence[Cell]
    checked: Sequence[Checked]
    advice: Sequence[Advice]


def write_csv(runs: Sequence[Readable], path: Path) -> None:
    """One tidy row a cell of every run."""
    import pandas as pd

    table = pd.concat([frame(run.cells, run=run.name) for run in runs], ignore_index=True)
    with written(path) as file:
        file.write(table.to_csv(index=False).encode())


def write_markdown(runs: Sequence[Readable], path: Path) -> None:
    """A section a run."""
    texts = [markdown(run.cells, run.checked, run.advice, run=run.name) for run in runs]
    with written(path) as file:
        file.write("\n".join(texts).encode())


WRITERS: Final[Mapping[str, Callable[[Sequence[Readable], Path], None]]] = {
    ".csv": write_csv,
    ".md": write_markdown,
}


def export(runs: Sequence[Readable], target: str) -> Path:
    """Write runs to a file; its ending names the format.

    Raises:
        ConfigError: No format has that ending, or nothing can be written under that name.
    """
    path = Path(target)
    writer = WRITERS.get(path.suffix)
    if writer is None:
        msg = f"Nothing writes {target!r}."
        raise ConfigError(msg, hint=f"The name may end in: {', '.join(WRITERS)}.")
    try:
        writer(runs, path)
    except NotDone as error:
        raise ConfigError(str(error), hint="Name another file, or make room there.") from error
    return path
