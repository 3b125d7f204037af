"""Why a number of a cell is not there."""

from typing import TYPE_CHECKING, Final

from edgebench.core import Reason, Recorded, Status

if TYPE_CHECKING:
    from edgebench.results.cells import Cell

# What a doubtful output or a failed run leaves of the numbers: nothing.
HIDDEN: Final = frozenset({Status.INVALID, Status.REFUSED, Status.FAILED})


def gaps(cell: "Cell", reference: Recorded | None) -> dict[str, Reason]:
    """A reason for everything of the cell that is None, by the name that `--json` gives it.

    Of a cell whose numbers are hidden it is the cell's own first reason.
    """
    measurement = cell.measurement
    own = cell.reasons[0] if cell.status in HIDDEN and cell.reasons else Reason.NOT_MEASURED
    found = dict(measurement.missing) if measurement else {}
    fields = ("size_bytes", "gzip_bytes", "runtime_version", "accuracy", "agreement", "accel")
    for name in fields:
        if getattr(measurement, name, None) is None:
            found.setdefault(name, own)
        else:
            found.pop(name, None)
    found |= _of_latency(cell, own) | _of_memory(cell, own)
    found |= _of_comparison(cell, reference, own, found.get("accuracy"))
    found = {name: reason for name, reason in found.items() if name not in {"energy", "profile"}}
    return found | _of_energy(cell, own) | _of_profile(cell, own)


def _of_profile(cell: "Cell", own: Reason) -> dict[str, Reason]:
    measurement = cell.measurement
    if measurement is None or cell.status in HIDDEN:
        return {"profile": own}
    if measurement.profile is None or measurement.profile.unknown is not None:
        return {"profile": measurement.missing.get("profile", Reason.NOT_MEASURED)}
    return {}


def _of_energy(cell: "Cell", own: Reason) -> dict[str, Reason]:
    """Gross energy is the energy; where it is there, the dynamic part may still not be."""
    if cell.energy is None:
        known = cell.measurement.missing.get("energy") if cell.measurement else None
        return {"energy": own if cell.status in HIDDEN else known or Reason.NOT_MEASURED}
    numbers = {"energy": cell.energy.gross_j, "energy_dynamic": cell.energy.dynamic_j}
    return {name: joules.reasons[0] for name, joules in numbers.items() if joules.value is None}


def _of_latency(cell: "Cell", own: Reason) -> dict[str, Reason]:
    if cell.latency is None:
        return {"latency": own}
    return {f"latency_{name}": reason for name, reason in cell.latency.missing.items()}


def _of_memory(cell: "Cell", own: Reason) -> dict[str, Reason]:
    memory = cell.memory
    if memory is None:
        return {"memory": own}
    if memory.model_bytes is None:
        return {"memory": Reason.SWAP}
    peaks = {"load_peak": memory.load_peak_bytes, "run_peak": memory.run_peak_bytes}
    return {f"memory_{name}": Reason.PERMISSION for name, peak in peaks.items() if peak is None}


def _of_comparison(
    cell: "Cell", reference: Recorded | None, own: Reason, accuracy: Reason | None
) -> dict[str, Reason]:
    if cell.spec.reference == cell.spec.key:
        return {}
    if cell.comparison is None:
        return {"vs_reference": own if cell.latency is None else Reason.NO_REFERENCE}
    if cell.drop_points is not None:
        return {}
    return {"accuracy_drop_points": accuracy or _unpaired(cell.recorded, reference)}


def _unpaired(recorded: Recorded | None, reference: Recorded | None) -> Reason:
    """Why two cells with an accuracy have no drop."""
    if reference is None or reference.scores is None:
        return Reason.NO_REFERENCE
    if recorded is not None and recorded.scores is not None and len(recorded.scores) < 2:
        return Reason.TOO_FEW_SAMPLES
    # An error has no points, and scores of other samples have no pairs.
    return Reason.INCOMPARABLE
