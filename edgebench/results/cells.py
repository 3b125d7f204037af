"""A cell as it is read: its measurement, and the statistics computed from the raw samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import JsonValue

from edgebench.core import Measurement, Reason, Recorded, Status
from edgebench.measure.comparison import Comparison, adjusted, compare_recorded
from edgebench.measure.energy.joules import Energy
from edgebench.measure.energy.recorded import summarize_energy
from edgebench.measure.memory import MemorySummary, summarize_memory
from edgebench.measure.placement import placement_doubts
from edgebench.measure.state.verdict import state_reasons
from edgebench.measure.stats import Interval, LatencySummary, mean_interval, summarize
from edgebench.results.document import (
    accel_document,
    accuracy_document,
    agreement_document,
    energy_document,
    latency_document,
    memory_document,
    profile_document,
    reference_document,
)
from edgebench.results.gaps import HIDDEN, gaps
from edgebench.results.store import CellSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row of the table.

    Attributes:
        measurement: None where the cell was not measured yet.
        latency: None where there are no samples, or where they are hidden: a variant that computes
            something else has no latency worth a number.
        energy: None where no meter was read, or where the numbers are hidden.
        comparison: With the reference of the same format, device, threads and scenario; its verdict
            has survived that the device has others.
        drop_points: Accuracy that the reference has more, in points, by paired samples.
        reasons: Of the measurement and of its statistics.
        missing: Why a number is None, by the name that `--json` gives it.
    """

    spec: CellSpec
    measurement: Measurement | None
    latency: LatencySummary | None
    memory: MemorySummary | None
    energy: Energy | None
    comparison: Comparison | None
    size_ratio: float | None
    drop_points: Interval | None
    status: Status
    reasons: tuple[Reason, ...]
    recorded: Recorded | None
    missing: Mapping[str, Reason] = field(default_factory=dict)


def read_cells(
    specs: Sequence[CellSpec],
    recorded: Mapping[str, Recorded],
    *,
    margin_ratio: float,
    ci_ratio: float,
    floors: Mapping[str, float] | None = None,
) -> tuple[Cell, ...]:
    """Every cell of a run with its statistics, in the run's order.

    Args:
        floors: By device, the difference that it shows between a cell and itself; where it is above
            the margin it takes its place.
    """
    cells = []
    for spec in specs:
        reference = recorded.get(spec.reference or "")
        cell = _cell(
            spec,
            recorded.get(spec.key),
            reference,
            margin_ratio=max(margin_ratio, (floors or {}).get(spec.device, 0.0)),
            ci_ratio=ci_ratio,
        )
        cells.append(replace(cell, missing=gaps(cell, reference)))
    return _adjusted(cells)


def _adjusted(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells with the verdicts that hold among all comparisons of their device."""
    found: dict[str, Comparison] = {}
    for device in dict.fromkeys(cell.spec.device for cell in cells):
        compared = {
            cell.spec.key: cell.comparison
            for cell in cells
            if cell.spec.device == device and cell.comparison is not None
        }
        found |= zip(compared, adjusted(tuple(compared.values())), strict=True)
    return tuple(replace(cell, comparison=found.get(cell.spec.key)) for cell in cells)


def _cell(
    spec: CellSpec,
    recorded: Recorded | None,
    reference: Recorded | None,
    *,
    margin_ratio: float,
    ci_ratio: float,
) -> Cell:
    if recorded is None:
        return Cell(
            spec=spec,
            measurement=None,
            latency=None,
            memory=None,
            energy=None,
            comparison=None,
            size_ratio=None,
            drop_points=None,
            status=Status.FAILED,
            reasons=(Reason.NOT_MEASURED,),
            recorded=None,
        )
    measurement = recorded.measurement
    suspect, invalid = state_reasons(measurement.processes)
    status = measurement.status
    if invalid and status is Status.OK:
        # Throttled throughout: that is a device, but not this one as it should be.
        status = Status.INVALID
    is_hidden = status in HIDDEN
    latency = None
    if not is_hidden:
        latency = summarize(recorded.samples, measurement.processes, ci_ratio=ci_ratio)
    memory = None if is_hidden else summarize_memory(measurement.memory)
    doubts = (latency.reasons if latency else ()) + (memory.reasons if memory else ())
    doubts += () if is_hidden else placement_doubts(measurement.accel)
    reasons = tuple(dict.fromkeys((*measurement.reasons, *invalid, *doubts, *suspect)))
    if status is Status.OK and reasons:
        status = Status.SUSPECT
    base = reference.measurement if reference else None
    return Cell(
        spec=spec,
        measurement=measurement,
        latency=latency,
        memory=memory,
        energy=None if is_hidden else summarize_energy(recorded),
        comparison=_compare(recorded, reference, margin_ratio) if latency else None,
        size_ratio=measurement.size_bytes / base.size_bytes if base else None,
        drop_points=None if is_hidden else _drop(recorded, reference),
        status=status,
        reasons=reasons,
        recorded=recorded,
    )


def _compare(
    recorded: Recorded, reference: Recorded | None, margin_ratio: float
) -> Comparison | None:
    if reference is None or reference.measurement.status in HIDDEN or not reference.samples:
        return None
    if reference.measurement.key == recorded.measurement.key:
        return None
    return compare_recorded(recorded, reference, margin_ratio=margin_ratio)


def _drop(recorded: Recorded, reference: Recorded | None) -> Interval | None:
    """How much accuracy was lost, sample by sample: far narrower than the two intervals apart."""
    accuracy = recorded.measurement.accuracy
    if reference is None or reference.scores is None or recorded.scores is None:
        return None
    if reference.measurement.status in HIDDEN:
        return None
    if accuracy is None or accuracy.kind != "share":
        return None
    if len(reference.scores) != len(recorded.scores):
        return None
    return mean_interval(100 * (np.asarray(reference.scores) - np.asarray(recorded.scores)))


def cell_document(cell: Cell) -> dict[str, JsonValue]:
    """The cell as `--json` prints it; no key is left out, what is not known is null."""
    measurement = cell.measurement
    return {
        "key": cell.spec.key,
        "variant": cell.spec.variant,
        "format": cell.spec.format,
        "device": cell.spec.device,
        "runtime": cell.spec.runtime,
        "runtime_version": measurement.runtime_version if measurement else None,
        "threads": cell.spec.threads,
        "accelerator": cell.spec.accelerator,
        "scenario": cell.spec.scenario,
        "status": cell.status.value,
        "reasons": [reason.value for reason in cell.reasons],
        "error": measurement.error if measurement else None,
        "size_bytes": measurement.size_bytes if measurement else None,
        "gzip_bytes": measurement.gzip_bytes if measurement else None,
        **latency_document(cell.latency),
        "memory_mb": memory_document(cell.memory),
        "energy_mj": energy_document(cell),
        "accuracy": accuracy_document(cell),
        "agreement": agreement_document(measurement),
        "accel": accel_document(measurement),
        "profile": profile_document(cell),
        "vs_reference": reference_document(cell),
        "missing": {name: reason.value for name, reason in sorted(cell.missing.items())},
    }
