"""`results energy`: the trace of another instrument for a run that is there."""

from collections.abc import Mapping
from pathlib import Path

from edgebench.core import EnergyRun, Recorded
from edgebench.errors import ConfigError
from edgebench.measure.energy.recording import with_recording
from edgebench.measure.meters.imported import read_trace
from edgebench.measure.meters.recorder import NAME, scope_of
from edgebench.results.store import read_all, read_run, write_recorded
from edgebench.workflow.outcome import Outcome, outcome_of, write_tables
from edgebench.workflow.report import write_page


def add_recording(folder: Path, path: Path, *, device: str | None) -> Outcome:
    """Keep a recording with the runs of the energy pass that it shows, and judge the run anew.

    Raises:
        ConfigError: The run has no energy pass for it, or it does not show the run's chirps.
    """
    cells = _of_device(_waiting(folder), device)
    scopes = {run.scope for cell in cells for run in cell.measurement.energy or () if awaits(run)}
    trace = read_trace(path, scope=scope_of(scopes.pop()))
    found = with_recording(cells, trace, awaits=awaits, meter=f"{NAME} {path.name}")
    if found is None:
        msg = f"{str(path)!r} does not show when the device was at work: there is no chirp in it."
        hint = "Record all of the run, with four readings a pulse or more, and nothing else on it."
        raise ConfigError(msg, hint=hint)
    for cell in found:
        write_recorded(folder, cell)
    outcome = outcome_of(folder)
    write_tables(outcome)
    write_page(outcome)
    return outcome


def awaits(run: EnergyRun) -> bool:
    """Whether a run was made for a recording; one that has it already may get a better one."""
    return run.meter.partition(" ")[0] == NAME and bool(run.chirp_ns)


def _waiting(folder: Path) -> dict[str, list[Recorded]]:
    """The cells that a recording is for, by device."""
    found: dict[str, list[Recorded]] = {}
    for cell in read_all(folder, read_run(folder)).values():
        if any(awaits(run) for run in cell.measurement.energy or ()):
            found.setdefault(cell.measurement.device, []).append(cell)
    return found


def _of_device(waiting: Mapping[str, list[Recorded]], device: str | None) -> list[Recorded]:
    if device is None and len(waiting) == 1:
        return next(iter(waiting.values()))
    if device is not None and device in waiting:
        return waiting[device]
    names = ", ".join(waiting)
    if not names:
        msg = "No device of this run was measured for a recording."
        raise ConfigError(msg, hint='Measure it with `meter = "trace:board_dc"`.')
    msg = f"The run has no such device {device!r}." if device else "The run has several devices."
    raise ConfigError(msg, hint=f"Name one by --device: {names}.")
