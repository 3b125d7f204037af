"""All that a report shows of a run, and nothing of its samples.

Statistics are computed from the raw samples, which takes a tenth of a second a cell: a report of
many runs is made of their digests (`kept.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final, Literal

import numpy as np
from pydantic import JsonValue

from edgebench.core import LedgerEntry, MemoryProcess, Process, Reason, Recorded, Times
from edgebench.measure.memory import peak_bytes
from edgebench.results.cells import Cell
from edgebench.results.columns import CELLS
from edgebench.results.frames import Readable, row_of
from edgebench.results.gaps import HIDDEN
from edgebench.results.listing import models_of
from edgebench.results.store import RunDocument
from edgebench.results.tables import readable_rows, trouble
from edgebench.results.targets import Checked
from edgebench.units import mb_from_bytes, ms_from_ns

# What a box is drawn from.
SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
# In how many pieces the course of a launch is told.
PIECES: Final = 12
CHECKPOINTS: Final = {
    "s1": "runtime loaded",
    "s2": "model opened",
    "s3": "first inference",
    "s4": "steady",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchDigest:
    """One process of the latency pass.

    Attributes:
        spread_ms: The latencies at `SHARES`.
        course_ms: Medians of successive pieces of the samples.
        marks: What of the device's state was doubtful or spoilt it.
    """

    block: int
    started: str
    sampled_s: float
    samples: int
    spread_ms: tuple[float, ...]
    course_ms: tuple[float, ...]
    temp_max_c: float | None
    marks: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointDigest:
    """Memory at one moment, in the middle of the processes that took it."""

    name: str
    anonymous_mb: float
    file_mb: float
    peak_mb: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDigest:
    """The time of one type of operation."""

    op_type: str
    nodes: int
    share: float
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDigest:
    """What a step of a recipe left."""

    step: str
    accuracy_before: float | None
    accuracy_after: float | None
    size_bytes: int
    gzip_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDigest:
    """One cell.

    Attributes:
        columns: Its row of the table of cells, without what is empty.
        shown: The same as a person reads it, by `tables.COLUMNS`.
        is_share: Whether its accuracy is a share, of which more is better; None without one.
    """

    key: str
    reference: str | None
    columns: Mapping[str, str | int | float | bool]
    shown: Mapping[str, str]
    is_share: bool | None
    launches: tuple[LaunchDigest, ...] = ()
    memory: tuple[CheckpointDigest, ...] = ()
    operations: tuple[OperationDigest, ...] = ()

    def text(self, column: str) -> str:
        """A text of the table of cells; empty where there is none."""
        return str(self.columns.get(column, ""))

    def number(self, column: str) -> float | None:
        """A number of the table of cells."""
        value = self.columns.get(column)
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def missing(self) -> dict[str, str]:
        """Why numbers are empty."""
        words = (word.partition("=") for word in self.text("missing").split())
        return {name: reason for name, _, reason in words}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceDigest:
    """What to ship on a device; `key` is None where nothing can be advised."""

    device: str
    key: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDigest:
    """One run.

    Attributes:
        models: What was compressed; of `bench` the names of the files that were measured.
        ledgers: How each variant's file came to be, by `name.format`.
        trouble: The words behind cells without numbers.
    """

    name: str
    command: Literal["run", "bench"]
    created: str
    finished: bool
    models: str
    seed: int
    protocol: Mapping[str, JsonValue]
    host: Mapping[str, JsonValue]
    devices: Mapping[str, Mapping[str, JsonValue]]
    not_built: Mapping[str, tuple[Reason, str]]
    lost: Mapping[str, str]
    cells: tuple[CellDigest, ...]
    advice: tuple[AdviceDigest, ...]
    targets: tuple[Checked, ...]
    trouble: tuple[str, ...]
    ledgers: Mapping[str, tuple[StepDigest, ...]] = field(default_factory=dict)


def digest_of(run: Readable, ledgers: Mapping[str, Sequence[LedgerEntry]]) -> RunDigest:
    """The digest of a run that was read; `ledgers` go by `name.format`."""
    told = run.document
    shown = readable_rows(run.cells)
    return RunDigest(
        name=run.name,
        command=told.command,
        created=told.created,
        finished=told.finished,
        models=_models(told),
        seed=told.seed,
        protocol=told.protocol,
        host=told.host,
        devices=told.devices,
        not_built=told.not_built,
        lost=told.lost,
        cells=tuple(_cell(run, cell, row) for cell, row in zip(run.cells, shown, strict=True)),
        advice=tuple(
            AdviceDigest(device=a.device, key=a.cell.spec.key if a.cell else None, why=a.why)
            for a in run.advice
        ),
        targets=tuple(run.checked),
        trouble=tuple(trouble(run.cells)),
        ledgers={name: tuple(map(_step, entries)) for name, entries in ledgers.items()},
    )


def _models(told: RunDocument) -> str:
    names = models_of(told.plan)
    return (
        " ".join(PurePath(n).name or n for n in names)
        if told.command == "bench"
        else " ".join(names)
    )


def _cell(run: Readable, cell: Cell, shown: Mapping[str, str]) -> CellDigest:
    row = row_of(run, cell)
    columns = {c.name: value for c in CELLS if (value := row[c.name]) is not None}
    accuracy = cell.measurement.accuracy if cell.measurement else None
    is_hidden = cell.recorded is None or cell.status in HIDDEN
    return CellDigest(
        key=cell.spec.key,
        reference=cell.spec.reference,
        columns=columns,
        shown=shown,
        is_share=accuracy.kind == "share" if accuracy else None,
        launches=() if cell.recorded is None else _launches(cell.recorded),
        memory=() if is_hidden or not cell.measurement else _memory(cell.measurement.memory),
        operations=() if is_hidden else _operations(cell),
    )


def _launches(recorded: Recorded) -> tuple[LaunchDigest, ...]:
    processes = {process.block: process for process in recorded.measurement.processes}
    return tuple(
        _launch(processes[block], latency_ns)
        for block, latency_ns in sorted(recorded.samples.items())
        if latency_ns.size and block in processes
    )


def _launch(process: Process, latency_ns: Times) -> LaunchDigest:
    pieces = np.array_split(latency_ns, min(PIECES, latency_ns.size))
    temp = process.state.get("temp_max_c")
    sampled_s = process.sampled_s
    if sampled_s is None:
        sampled_s = float(latency_ns.sum()) * process.group / 1e9
    return LaunchDigest(
        block=process.block,
        started=process.started,
        sampled_s=sampled_s,
        samples=int(latency_ns.size),
        spread_ms=tuple(_short(ms_from_ns(ns)) for ns in np.quantile(latency_ns, SHARES)),
        course_ms=tuple(_short(ms_from_ns(float(np.median(piece)))) for piece in pieces),
        temp_max_c=_hottest(temp),
        marks=tuple(dict.fromkeys((*process.invalid, *process.suspect))),
    )


def _hottest(told: JsonValue) -> float | None:
    values = told.values() if isinstance(told, Mapping) else [told]
    return max((float(v) for v in values if isinstance(v, (int, float))), default=None)


def _short(value: float) -> float:
    """Four digits, which is what a chart of launches shows."""
    return float(f"{value:.4g}")


def _memory(processes: Sequence[MemoryProcess]) -> tuple[CheckpointDigest, ...]:
    if not processes:
        return ()
    found = []
    for field_name, name in CHECKPOINTS.items():
        taken = [getattr(process, field_name) for process in processes]
        peaks = [peak for peak in map(peak_bytes, taken) if peak is not None]
        found.append(
            CheckpointDigest(
                name=name,
                anonymous_mb=_middle_mb([checkpoint.anonymous_bytes for checkpoint in taken]),
                file_mb=_middle_mb([checkpoint.file_bytes for checkpoint in taken]),
                peak_mb=_middle_mb(peaks) if peaks else None,
            )
        )
    return tuple(found)


def _middle_mb(sizes: Sequence[int]) -> float:
    return _short(mb_from_bytes(float(np.median(sizes))))


def _operations(cell: Cell) -> tuple[OperationDigest, ...]:
    profile = cell.measurement.profile if cell.measurement else None
    found: dict[str, OperationDigest] = {}
    for row in profile.rows if profile else ():
        old = found.get(row.op_type)
        found[row.op_type] = OperationDigest(
            op_type=row.op_type,
            nodes=(old.nodes if old else 0) + 1,
            share=(old.share if old else 0.0) + row.share,
            ms=(old.ms if old else 0.0) + ms_from_ns(row.ns_per_inference),
        )
    return tuple(sorted(found.values(), key=lambda operation: -operation.share))


def _step(entry: LedgerEntry) -> StepDigest:
    return StepDigest(
        step=entry.step,
        accuracy_before=entry.accuracy_before,
        accuracy_after=entry.accuracy_after,
        size_bytes=entry.size_bytes,
        gzip_bytes=entry.gzip_bytes,
    )
