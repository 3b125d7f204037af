"""A run on disk: a folder, every file written to a temporary name and renamed.

<UTC time>-<name>-<4 hex>/
  run.json                 the plan, the environment, the devices, the cells to measure
  variants/                the artifacts, and beside each its ledger
  measurements/<key>.json  one Measurement
  samples/<key>.npz        its raw latency samples by block, and what a meter read
"""

import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.core import LedgerEntry, Measurement, Reason, Recorded, Variant
from edgebench.errors import ConfigError, NotDone
from edgebench.results.files import words, write_json, written

RUN_SCHEMA: Final = "edgebench.run/1"
LEDGER_SCHEMA: Final = "edgebench.ledger/1"

REMAKE: Final = "Remove it, and `edgebench run --resume` makes the variant again."


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """A cell that the run is to hold, whether it is measured yet or not.

    Attributes:
        reference: Key of the cell that its ratios are to; its own for the reference itself, None
            where there is none.
    """

    key: str
    variant: str
    format: str
    device: str
    runtime: str | None
    threads: int
    accelerator: str = "cpu"
    scenario: str = "single"
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """`run.json`.

    Attributes:
        plan: The whole plan as it was read; for `bench` the files and options instead.
        base: The folder that paths of the plan are relative to.
        protocol: Every value of it, presets resolved.
        model_sha256: Of the user's model; a resumed run must find it unchanged, like the data.
        not_built: Reason and words for each variant that could not be made, by `name.format`.
        lost: Why a device could not be used, by its name.
        finished: Whether the run came to its end; a run that was cut off is valid and resumable.
    """

    schema: Literal["edgebench.run/1"] = RUN_SCHEMA
    command: Literal["run", "bench"]
    name: str
    created: str
    base: str
    plan: Mapping[str, JsonValue]
    protocol: Mapping[str, JsonValue]
    host: Mapping[str, JsonValue]
    devices: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    model_sha256: str | None = None
    data_sha256: str | None = None
    cells: tuple[CellSpec, ...] = ()
    not_built: Mapping[str, tuple[Reason, str]] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    seed: int
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerDocument:
    """`variants/<name>.<format>.json`: how the file beside it came to be."""

    schema: Literal["edgebench.ledger/1"] = LEDGER_SCHEMA
    variant: str
    model: str
    model_sha256: str
    recipe_sha256: str
    sha256: str
    size_bytes: int
    gzip_bytes: int
    steps: tuple[LedgerEntry, ...]


_RUN: Final = TypeAdapter(RunDocument)
_LEDGER: Final = TypeAdapter(LedgerDocument)
_MEASUREMENT: Final = TypeAdapter(Measurement)

# What numpy and zipfile say of a `.npz` that is cut short or overwritten.
DAMAGED: Final = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def create_run(out: Path, document: RunDocument) -> Path:
    """Make the folder of a new run, named for its time and its plan.

    Raises:
        ConfigError: Nothing can be written there.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", document.name).strip("-") or "run"
    folder = out / f"{stamp}-{name}-{secrets.token_hex(2)}"
    hint = "Name another folder with --out."
    try:
        folder.mkdir(parents=True)
        write_run(folder, document)
    except OSError as error:
        msg = f"{str(folder)!r} cannot be made: {words(error)}."
        raise ConfigError(msg, hint=hint) from error
    except NotDone as error:
        raise ConfigError(str(error), hint=hint) from error
    return folder


def write_run(folder: Path, document: RunDocument) -> None:
    """Write `run.json`."""
    write_json(folder / "run.json", asdict(document))


def read_run(folder: Path) -> RunDocument:
    """Read `run.json`; raises ConfigError where the folder is no run, or a damaged one."""
    path = folder / "run.json"
    try:
        return _RUN.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        msg = f"{str(folder)!r} is no run: it holds no run.json."
        raise ConfigError(msg, hint="`edgebench results list` shows what there is.") from error
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {words(error)}."
        raise ConfigError(msg) from error
    except ValidationError as error:
        msg = f"{str(path)!r}: {_fault(error)}."
        hint = "Is it damaged, or was it written by another version of edgebench?"
        raise ConfigError(msg, hint=hint) from error


def write_recorded(folder: Path, recorded: Recorded) -> None:
    """Keep a measurement: first the samples, then the document that speaks of them."""
    key = recorded.measurement.key
    with written(folder / "samples" / f"{key}.npz") as file:
        arrays: dict[str, Any] = {
            f"latency_ns_{block}": ns for block, ns in sorted(recorded.samples.items())
        }
        if recorded.scores is not None:
            arrays["scores"] = recorded.scores
        for number, (time_ns, values) in enumerate(recorded.power):
            arrays |= {f"power_ns_{number}": time_ns, f"power_{number}": values}
        np.savez_compressed(file, **arrays)
    write_json(folder / "measurements" / f"{key}.json", asdict(recorded.measurement))


def read_recorded(folder: Path, key: str) -> Recorded | None:
    """A measurement of a run; None where there is none yet.

    Processes whose samples did not reach the disk are left out: they were cut off.

    Raises:
        ConfigError: One of the two files is damaged.
    """
    document = folder / "measurements" / f"{key}.json"
    path = folder / "samples" / f"{key}.npz"
    # Without the document the cell is open again, whatever is left of its samples.
    hint = f"Remove {str(document)!r}, and `edgebench run --resume {folder}` measures it again."
    if not document.exists():
        return None
    try:
        measurement = _MEASUREMENT.validate_json(document.read_bytes())
    except ValidationError as error:
        msg = f"{str(document)!r} is no measurement: {_fault(error)}."
        raise ConfigError(msg, hint=hint) from error
    except OSError as error:
        msg = f"{str(document)!r} cannot be read: {words(error)}."
        raise ConfigError(msg, hint=hint) from error
    try:
        return _with_samples(measurement, path)
    except DAMAGED as error:
        msg = f"{str(path)!r} does not hold the samples of this cell: {error}."
        raise ConfigError(msg, hint=hint) from error


def _with_samples(measurement: Measurement, path: Path) -> Recorded:
    samples = {}
    # numpy reads an array's header, and takes the memory it asks for, before its checksum is known.
    with zipfile.ZipFile(path) as archive:
        if bad := archive.testzip():
            msg = f"{bad!r} is damaged"
            raise zipfile.BadZipFile(msg)
    with np.load(path, allow_pickle=False) as arrays:
        for process in measurement.processes:
            samples[process.block] = arrays[f"latency_ns_{process.block}"]
        scores = arrays.get("scores")
        power = tuple(
            (arrays[f"power_ns_{number}"], arrays[f"power_{number}"])
            for number in range(len(measurement.energy or ()))
        )
    return Recorded(measurement=measurement, samples=samples, scores=scores, power=power)


def _fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"`{where}`: {fault['msg']}" if where else fault["msg"]


def read_all(folder: Path, document: RunDocument) -> dict[str, Recorded]:
    """Every measurement that the run holds, by key."""
    found = {cell.key: read_recorded(folder, cell.key) for cell in document.cells}
    return {key: recorded for key, recorded in found.items() if recorded is not None}


def variant_path(folder: Path, name: str, form: str, *, compat: frozenset[str]) -> Path:
    """Where a run keeps a variant; a form for an old runtime is named for it."""
    return folder / "variants" / ".".join((name, *sorted(compat), form))


def write_variant(folder: Path, variant: Variant, *, compat: frozenset[str]) -> None:
    """Keep a variant's artifact and its ledger."""
    artifact = variant.artifact
    path = variant_path(folder, variant.name, artifact.format, compat=compat)
    with artifact.path.open("rb") as source, written(path) as file:
        shutil.copyfileobj(source, file)
    ledger = LedgerDocument(
        variant=variant.name,
        model=variant.model.name,
        model_sha256=variant.model.artifact.sha256,
        recipe_sha256=variant.recipe.digest,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        gzip_bytes=artifact.gzip_bytes,
        steps=variant.ledger,
    )
    write_json(path.with_name(f"{path.name}.json"), asdict(ledger))


def read_ledger(path: Path) -> LedgerDocument | None:
    """The ledger of a variant's file; None where the run was cut off before it was written."""
    document = path.with_name(f"{path.name}.json")
    if not document.exists() or not path.exists():
        return None
    try:
        return _LEDGER.validate_json(document.read_bytes())
    except ValidationError as error:
        msg = f"{str(document)!r} is no ledger: {_fault(error)}."
        raise ConfigError(msg, hint=REMAKE) from error
    except OSError as error:
        msg = f"{str(document)!r} cannot be read: {words(error)}."
        raise ConfigError(msg, hint=REMAKE) from error
