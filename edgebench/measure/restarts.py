"""A device that is started anew while it is measured: what is finished stays, the rest goes on."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edgebench.core import Device, MeasureProtocol, Progress, Recorded
from edgebench.device.connect import refreshed
from edgebench.device.patience import patiently
from edgebench.errors import DeviceRestarted
from edgebench.measure.campaign import measure_device
from edgebench.measure.cell import Task
from edgebench.measure.meters.host import HostMeter

RESTARTS_MAX: Final = 3


def measure_through(  # noqa: PLR0913 - as `measure_device`
    device: Device,
    tasks: Sequence[Task],
    protocol: MeasureProtocol,
    *,
    kept: Mapping[str, Recorded],
    cache: Path,
    progress: Progress,
    meter: HostMeter | None = None,
) -> Iterator[Recorded]:
    """Measure as `measure_device` does, and begin again where the device was started anew.

    It is provisioned and set anew then, for neither may have outlived the restart; the process
    that was running is repeated, and no other.

    Raises:
        DeviceRestarted: It is started anew again and again.
        DeviceLost: The device stayed away for longer than its patience.
    """
    cells = dict(kept)
    for left in reversed(range(RESTARTS_MAX + 1)):
        try:
            for recorded in measure_device(
                device, tasks, protocol, kept=cells, cache=cache, progress=progress, meter=meter
            ):
                cells[recorded.measurement.key] = recorded
                yield recorded
        except DeviceRestarted as error:
            if not left:
                msg = f"{error} That was the restart number {RESTARTS_MAX + 1} of this run."
                raise DeviceRestarted(msg, hint=error.hint) from error
            progress(f"{error} What it was at is repeated.")
            device = patiently(functools.partial(refreshed, device))
        else:
            return
