"""One cell on its way: what it needs, how it begins, how it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.core import Device, Job, Measurement, Reason, Recorded, Status
from edgebench.data import Metric
from edgebench.device.facts import fingerprint

# What may have passed when a run is taken up again: such a cell is opened anew.
PASSING: Final = frozenset({Reason.DEVICE_LOST, Reason.NO_SPACE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job with all that its answer needs.

    Attributes:
        sample: A `.npz` with the one sample that latency and memory are measured on.
        inputs: A `.npz` with every sample whose outputs are compared.
        reference: Outputs of the host's float reference for `inputs`; None where there is none.
        twin: Outputs of the same file on the host for `inputs`.
        labels: Of `inputs`, `(sample, ...)`; None without labels.
        is_quantized: Whether its kernels round to steps, so that two builds of a runtime differ.
        is_retrained: Whether a step may have moved the outputs on purpose.
        is_reference: Whether ratios of other cells are to this one, so that it goes on with them.
        compared_with: Key of the cell that its ratio is to; None where there is none.
    """

    job: Job
    sample: Path
    inputs: Path
    reference: Path | None
    twin: Path | None
    labels: NDArray[np.generic] | None = None
    metric: Metric | None = None
    is_quantized: bool = True
    is_retrained: bool = False
    is_reference: bool = False
    compared_with: str | None = None
    inputs_made: Mapping[str, JsonValue] = field(default_factory=dict)


def is_finished(measurement: Measurement) -> bool:
    """Whether nothing is left to measure in this cell."""
    return Reason.NOT_MEASURED not in measurement.reasons


def reopened(recorded: Recorded) -> Recorded:
    """The cell as it was before something ended it that may have passed; else as it is."""
    if not PASSING.intersection(recorded.measurement.reasons):
        return recorded
    measurement = replace(
        recorded.measurement,
        status=Status.FAILED,
        reasons=(Reason.NOT_MEASURED,),
        error=None,
    )
    return replace(recorded, measurement=measurement)


def begin(
    job: Job, device: Device, *, seed: int, inputs_made: Mapping[str, JsonValue] | None = None
) -> Recorded:
    """The cell before its first measurement."""
    artifact = job.artifact
    return Recorded(
        measurement=Measurement(
            key=job.key,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=seed,
            variant=job.variant,
            format=artifact.format,
            device=job.device,
            runtime=job.runtime,
            runtime_version=None,
            threads=job.threads,
            accelerator=job.accelerator,
            scenario=job.scenario,
            sha256=artifact.sha256,
            size_bytes=artifact.size_bytes,
            gzip_bytes=artifact.gzip_bytes,
            status=Status.FAILED,
            reasons=(Reason.NOT_MEASURED,),
            inputs=inputs_made or {},
            fingerprint=fingerprint(device.facts),
            missing={"energy": Reason.NOT_MEASURED},
        )
    )


def restated(recorded: Recorded, device: Device) -> Recorded:
    """The cell with the state that it is measured in, which a plan may have set.

    What was measured before a run was cut off keeps the state of that time.
    """
    measurement = recorded.measurement
    if measurement.processes or measurement.energy:
        return recorded
    stated = dict(measurement.fingerprint) | fingerprint(device.facts)
    return replace(recorded, measurement=replace(measurement, fingerprint=stated))


def ended(
    recorded: Recorded, reason: Reason, error: str, *, status: Status = Status.FAILED
) -> Recorded:
    """The cell after something that ended it before its last block."""
    measurement = replace(recorded.measurement, status=status, reasons=(reason,), error=error)
    return replace(recorded, measurement=measurement)


def finished(recorded: Recorded, *reasons: Reason) -> Recorded:
    """The cell once its last block is in, with what its samples do not tell of how it ended.

    All other doubts are read off the samples, each time anew.
    """
    measurement = replace(recorded.measurement, status=Status.OK, reasons=reasons)
    return replace(recorded, measurement=measurement)
