"""What another instrument recorded, given to the runs that it was recorded beside."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from edgebench.core import EnergyRun, Recorded
from edgebench.measure.energy.aligned import Aligned, by_chirps
from edgebench.measure.energy.recorded import record_of, run_of_record
from edgebench.measure.energy.trace import Trace

Awaits = Callable[[EnergyRun], bool]


def with_recording(
    cells: Sequence[Recorded], trace: Trace, *, awaits: Awaits, meter: str
) -> list[Recorded] | None:
    """The cells of a device with their share of a recording; None where it shows none of them.

    Args:
        awaits: Whether a run is one that the recording is for.
        meter: What the runs are said to be read by.
    """
    runs = [run for cell in cells for run in cell.measurement.energy or () if awaits(run)]
    if not runs:
        return None
    spins = [run.chirp_ns for run in runs]
    found = by_chirps(trace, spins, [run.idle_after_ns[1] for run in runs])
    if found is None:
        return None
    by_chirp = dict(zip(spins, found, strict=True))
    return [_with(cell, by_chirp, meter=meter) for cell in cells]


def _with(
    cell: Recorded, found: dict[tuple[tuple[int, int], ...], Aligned], *, meter: str
) -> Recorded:
    energy, power = list(cell.measurement.energy or ()), list(cell.power)
    for number, run in enumerate(energy):
        if (own := found.get(run.chirp_ns)) is not None:
            energy[number] = record_of(own, run_of_record(run), meter=meter, spins=run.chirp_ns)
            power[number] = (own.trace.time_ns, own.trace.values)
    measurement = replace(cell.measurement, energy=tuple(energy) or None)
    return replace(cell, measurement=measurement, power=tuple(power))
