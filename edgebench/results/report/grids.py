"""The tables of the page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgebench.core import Reason
from edgebench.measure.reasons import REMEDIES
from edgebench.results.columns import plain_text
from edgebench.results.report.contents import Contents, is_shown, names_of, remedy_of
from edgebench.results.report.digest import CellDigest, RunDigest
from edgebench.results.report.figure import Entry, digits
from edgebench.results.tables import target_row
from edgebench.units import show_duration

# By column for people, the one of the table of cells that it is sorted by.
SORTED_BY: Final[Mapping[str, str]] = {
    "threads": "threads",
    "size": "size_bytes",
    "gzip": "gzip_bytes",
    "p50 ms": "latency_p50_ms",
    "p90 ms": "latency_p90_ms",
    "per s": "throughput_per_s",
    "missed %": "deadlines_missed_share",
    "vs reference": "latency_ratio",
    "memory MB": "memory_model_mb",
    "energy mJ": "energy_gross_mj",
    "accuracy %": "accuracy",
    "drop": "accuracy_drop_points",
    "agreement": "agreement_cosine",
}
# What decides comes first.
ORDER: Final = (
    *("variant", "format", "device", "threads", "accelerator", "scenario", "p50 ms"),
    *("vs reference", "accuracy %", "drop", "size", "memory MB", "energy mJ", "status", "p90 ms"),
    *("per s", "missed %", "gzip", "agreement"),
)
# What says nothing where it is the same of all.
UNIFORM: Final = frozenset({"threads", "accelerator", "scenario", "device", "format"})
# So many names stand in a row; the table of cells has the others.
NAMES: Final = 4
NO_TARGETS: Final = (
    "The plan sets no targets. `[[target]]` in plan.toml, or `edgebench validate RUN --targets "
    "FILE`, says what must hold: latency_p90_ms, accuracy_drop_points, size_mb, …"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table.

    Attributes:
        gap: What stands in its place where it has no rows.
        ids: Of each row the number of its cell; -1 for a cell that a newer run has again.
        ships: Numbers of the cells to ship.
        link: Which column leads to the cell.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Entry]]
    gap: str = "Nothing."
    ids: Sequence[int] = ()
    ships: Sequence[int] = ()
    link: int | None = None


def cells_grid(contents: Contents) -> Grid:
    """Every cell of every run, the newest run first."""
    numbers = {id(cell): n for n, (_, cell) in enumerate(contents.cells)}
    pairs = [(run, cell) for run in contents.runs for cell in run.cells]
    kept = [name for name in ORDER if _says(name, [cell for _, cell in pairs])]
    of_run: dict[str, Callable[[RunDigest], str]] = {}
    if len(contents.runs) > 1:
        of_run = {"run": lambda run: run.name, "made": lambda run: run.created}
    if len({run.models for run in contents.runs}) > 1:
        of_run["model"] = lambda run: run.models
    advised = [here.advised for here in contents.places]
    columns = (*kept, *of_run)
    return Grid(
        name="cells",
        title="All cells",
        columns=columns,
        rows=[
            [*(_entry(cell, name) for name in kept), *(told(run) for told in of_run.values())]
            for run, cell in pairs
        ],
        ids=[numbers.get(id(cell), -1) for _, cell in pairs],
        ships=[numbers[id(cell)] for cell in advised if cell is not None],
        link=columns.index("variant"),
        gap="No run has a cell.",
    )


def _says(name: str, cells: Sequence[CellDigest]) -> bool:
    texts = {cell.shown[name] for cell in cells}
    if name in UNIFORM and len(texts) == 1:
        return False
    return name == "variant" or any(text[:1] != "—" for text in texts)


def _entry(cell: CellDigest, name: str) -> Entry:
    text = cell.shown[name]
    column = SORTED_BY.get(name)
    value = cell.number(column) if column else None
    return text if value is None else (text, digits(value))


def targets_grid(contents: Contents) -> Grid:
    """Every limit on every cell that counts."""
    rows = [(here, target_row(told)) for here in contents.places for told in here.targets]
    names = ("variant", "accelerator", "target", "limit", "measured", "verdict")
    kept = [n for n in names if n != "accelerator" or any(row[n] != "cpu" for _, row in rows)]
    return Grid(
        name="targets",
        title="Targets",
        columns=("device", *kept),
        rows=[[here.title, *(row[name] for name in kept)] for here, row in rows],
        gap=NO_TARGETS,
    )


def gaps_grid(contents: Contents) -> Grid:
    """Everything that is not there, with its reason."""
    return Grid(
        name="gaps",
        title="What is missing",
        columns=("what", "where", "reason", "in words", "what to do"),
        rows=[*_unmade(contents), *_hidden(contents), *_missing(contents)],
        gap="Nothing is missing.",
    )


def _newest(contents: Contents) -> list[RunDigest]:
    return list({id(here.run): here.run for here in contents.places}.values()) or [*contents.runs]


def _unmade(contents: Contents) -> Iterator[list[Entry]]:
    for run in _newest(contents):
        for name, (reason, words) in run.not_built.items():
            yield [f"variant {name}", run.name, reason.value, words, REMEDIES[reason]]
        for name, words in run.lost.items():
            yield [
                f"device {name}",
                run.name,
                Reason.DEVICE_LOST.value,
                words,
                "Reach it and resume.",
            ]
        if not run.finished:
            hint = f"`edgebench run --resume {run.name}`"
            yield [
                "the end of the run",
                run.name,
                Reason.NOT_MEASURED.value,
                "it was cut off",
                hint,
            ]


def _hidden(contents: Contents) -> Iterator[list[Entry]]:
    for here in contents.places:
        for cell, name in zip(here.cells, names_of(here.cells), strict=True):
            if not is_shown(cell):
                reasons = cell.text("reasons").split()
                todo = " ".join(remedy_of(reason) for reason in reasons)
                status = f"{cell.text('status')}: {', '.join(reasons)}"
                yield [f"all numbers of {name}", here.title, status, cell.text("error"), todo]


def _missing(contents: Contents) -> Iterator[list[Entry]]:
    """Single numbers, of all cells of a place that lack one for one reason in a row."""
    for here in contents.places:
        found: dict[tuple[str, str], list[str]] = {}
        for cell, name in zip(here.cells, names_of(here.cells), strict=True):
            for number, reason in cell.missing.items() if is_shown(cell) else ():
                found.setdefault((number, reason), []).append(name)
        for (number, reason), names in found.items():
            who = names[0] if len(names) == 1 else f"{len(names)} of {len(here.cells)} cells"
            words = "" if len(names) in {1, len(here.cells)} else _some(names)
            yield [f"{number} of {who}", here.title, reason, words, remedy_of(reason)]


def _some(names: Sequence[str]) -> str:
    told = ", ".join(names[:NAMES])
    return told if len(names) <= NAMES else f"{told} and {len(names) - NAMES} more"


def reasons_grid(contents: Contents) -> Grid:
    """Each doubt that a number was given, and what to do about it."""
    found: dict[str, int] = {}
    for _, cell in contents.cells:
        for reason in cell.text("reasons").split() if is_shown(cell) else ():
            found[reason] = found.get(reason, 0) + 1
    return Grid(
        name="reasons",
        title="Doubts",
        columns=("reason", "cells", "what to do"),
        rows=[[reason, (str(n), n), remedy_of(reason)] for reason, n in found.items()],
        gap="No number was given a doubt.",
    )


def runs_grid(contents: Contents) -> Grid:
    """The runs that the report is of."""
    return Grid(
        name="runs",
        title="Runs",
        columns=("run", "made", "command", "model", "preset", "seed", "cells", "state"),
        rows=[
            [
                *(run.name, run.created, run.command, run.models),
                *(str(run.protocol.get("preset", "")), (str(run.seed), run.seed)),
                (str(len(run.cells)), len(run.cells)),
                "finished" if run.finished else "cut off",
            ]
            for run in contents.runs
        ],
    )


def protocol_grid(contents: Contents) -> Grid:
    """Every value of the protocol, and of which runs it is."""
    told = [(run, "", key, value) for run in contents.runs for key, value in run.protocol.items()]
    rows = _grouped(told, len(contents.runs))
    return Grid(
        name="protocol",
        title="Protocol",
        columns=("setting", "value", "runs"),
        rows=[row[1:] for row in rows],
    )


def environment_grid(contents: Contents) -> Grid:
    """What the devices and the host said of themselves."""
    told: list[tuple[RunDigest, str, str, Any]] = []
    for run in contents.runs:
        for device, known in run.devices.items():
            facts = known.get("facts")
            told += [(run, device, key, known.get(key)) for key in ("address", "profile")]
            told += [(run, device, *pair) for pair in (facts or {}).items()]  # type: ignore[union-attr]
        told += [(run, "the host", key, value) for key, value in run.host.items()]
    return Grid(
        name="environment",
        title="Environment",
        columns=("of", "what", "value", "runs"),
        rows=_grouped(told, len(contents.runs)),
    )


def _grouped(told: Sequence[tuple[RunDigest, str, str, Any]], runs: int) -> list[list[Entry]]:
    """A row a value, with the runs that have it: of twenty equal runs a row and not twenty."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for run, of, key, value in told:
        text = plain_text(value)
        if text is not None:
            found.setdefault((of, key, _shown(key, text)), []).append(run.name)
    return [
        [of, key, text, "all" if len(names) == runs else ", ".join(names)]
        for (of, key, text), names in sorted(found.items(), key=lambda item: item[0][:1])
    ]


def _shown(key: str, text: str) -> str:
    if key.endswith("_s") and text.replace(".", "", 1).isdigit():
        return f"{text} ({show_duration(float(text))})" if float(text) >= 60 else text
    return text


def grids_of(contents: Contents) -> list[Grid]:
    """Every table of the page."""
    return [
        cells_grid(contents),
        targets_grid(contents),
        gaps_grid(contents),
        reasons_grid(contents),
        runs_grid(contents),
        protocol_grid(contents),
        environment_grid(contents),
    ]
