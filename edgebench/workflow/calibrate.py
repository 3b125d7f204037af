"""What a device calls a difference where there is none: a model against itself."""

import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgebench.compress.inspect import read_artifact
from edgebench.core import Artifact, Device, Format, Job, MeasureProtocol, Recorded
from edgebench.device.connect import connect
from edgebench.device.facts import fingerprint
from edgebench.device.floors import Floor, write_floor
from edgebench.device.lock import locked
from edgebench.device.ways import runtime_for
from edgebench.errors import JobFailed
from edgebench.measure.cell import Task
from edgebench.measure.comparison import Comparison, compare, noise_floor
from edgebench.measure.plain_model import NAME, WIDTH, write_plain_model
from edgebench.measure.protocol import PRESETS
from edgebench.measure.restarts import measure_through
from edgebench.measure.tasks import write_arrays
from edgebench.workflow.environment import now
from edgebench.workflow.order import Desk

if TYPE_CHECKING:
    from pydantic import JsonValue

BLOCKS: Final = 20
BLOCKS_LEAST: Final = 6
# As many blocks as a comparison of the presets has at least.
COMPARED: Final = 5
COMPARISONS: Final = 200
LABELS: Final = ("a", "b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A device's floor, and what its comparisons of a model with itself came to.

    Attributes:
        verdicts: How many of `COMPARISONS` draws of blocks had each verdict, at the margin of the
            presets.
        kept: The file that keeps the floor.
    """

    floor: Floor
    verdicts: Mapping[str, int]
    kept: Path

    def document(self) -> "dict[str, JsonValue]":
        """As `--json` prints it."""
        verdicts: dict[str, JsonValue] = {**self.verdicts}
        return {
            "schema": "edgebench.calibration/1",
            "device": self.floor.name,
            "floor_ratio": self.floor.floor_ratio,
            "launches": self.floor.launches,
            "runtime": self.floor.runtime,
            "governor": self.floor.governor,
            "verdicts": verdicts,
            "kept": str(self.kept),
        }


def calibrate(name: str, desk: Desk, *, blocks: int = BLOCKS) -> Calibration:
    """Launch one small model twice in each block, and keep the difference that chance makes.

    Raises:
        ConfigError: There is no such device.
        DeviceError: It cannot be reached, or runs no TFLite.
        JobFailed: The model could not be measured there.
    """
    device = connect(name, password=desk.password)
    try:
        runtime = runtime_for(device, Format.TFLITE)
        with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
            wait_s = desk.wait_for_lock_s
            with locked(device, run="calibrate", wait_s=wait_s, progress=desk.progress) as held:
                recorded = _measured(held, runtime, Path(scratch), desk, blocks=blocks)
    finally:
        device.transport.close()
    protocol = PRESETS["quick"]
    compared = _compared(recorded, margin_ratio=protocol.margin_ratio)
    governor = device.facts.get("governor")
    floor = Floor(
        name=name,
        created=now(),
        floor_ratio=noise_floor(compared),
        launches=sum(len(one.samples) for one in recorded),
        runtime=runtime,
        governor=governor if isinstance(governor, str) else None,
        fingerprint=fingerprint(device.facts),
    )
    verdicts = Counter(str(comparison.verdict) for comparison in compared)
    return Calibration(
        floor=floor, verdicts=dict(sorted(verdicts.items())), kept=write_floor(floor)
    )


def _measured(
    device: Device, runtime: str, folder: Path, desk: Desk, *, blocks: int
) -> tuple[Recorded, Recorded]:
    model, inputs = folder / "plain.tflite", folder / "inputs.npz"
    write_plain_model(model)
    write_arrays(inputs, {NAME: np.random.default_rng(0).random((1, WIDTH), dtype=np.float32)})
    tasks = [_task(read_artifact(model), label, device.name, runtime, inputs) for label in LABELS]
    protocol = _protocol(blocks)
    cells = {
        cell.measurement.key: cell
        for cell in measure_through(
            device, tasks, protocol, kept={}, cache=desk.cache, progress=desk.progress
        )
    }
    first, second = (cells[task.job.key] for task in tasks)
    for cell in (first, second):
        if len(cell.samples) < BLOCKS_LEAST:
            why = cell.measurement.error or "it was not measured"
            msg = f"{device.name} cannot be calibrated: {why}"
            raise JobFailed(msg, reason=cell.measurement.reasons[0])
    return first, second


def _protocol(blocks: int) -> MeasureProtocol:
    return replace(PRESETS["quick"], blocks_min=blocks, blocks_max=blocks, memory_processes=0)


def _task(artifact: Artifact, label: str, device: str, runtime: str, inputs: Path) -> Task:
    job = Job(variant=label, artifact=artifact, device=device, runtime=runtime)
    return Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)


def _compared(cells: tuple[Recorded, Recorded], *, margin_ratio: float) -> list[Comparison]:
    """Comparisons of blocks that are drawn, in each of which chance says which launch is which."""
    draw = random.Random(0)
    blocks = sorted(cells[0].samples.keys() & cells[1].samples.keys())
    found = []
    for _ in range(COMPARISONS):
        sides: tuple[dict[int, np.ndarray], dict[int, np.ndarray]] = ({}, {})
        for block in draw.sample(blocks, min(COMPARED, len(blocks))):
            turned = draw.random() < 0.5
            for side, cell in zip(sides, reversed(cells) if turned else cells, strict=True):
                side[block] = cell.samples[block]
        found.append(compare(*sides, margin_ratio=margin_ratio))
    return found
