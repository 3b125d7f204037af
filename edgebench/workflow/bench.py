"""`bench`: finished files, measured as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter

from edgebench.compress.inspect import read_artifact
from edgebench.core import Artifact, Device, Format, Job, Reason
from edgebench.device.connect import connect
from edgebench.errors import ConfigError, DeviceError, JobFailed
from edgebench.measure.cell import Task
from edgebench.measure.tasks import Feed, serve
from edgebench.results.store import CellSpec, RunDocument, create_run
from edgebench.workflow.accelerators import accelerators_for, check_accelerator
from edgebench.workflow.cells import (
    Bill,
    Settled,
    bill_of,
    carry_out,
    check_runtime,
    pick_runtime,
    spec_of,
)
from edgebench.workflow.environment import host_environment, now
from edgebench.workflow.order import Desk, resolve_protocol
from edgebench.workflow.outcome import Outcome, outcome_of, write_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRequest:
    """What `bench` was asked.

    Attributes:
        device: A name of the inventory, or an address.
        inputs: A `.npz` with an array an input, as the user has it.
        shapes: Sizes of free axes by input name.
        ranges: Lowest and highest value to be generated, by input name.
        accelerator: Where it is not the CPU, the CPU is measured beside it.
        profile: Whether the time of each operation is asked for, whatever the preset says.
    """

    models: tuple[Path, ...]
    device: str = "local://"
    runtime: str | None = None
    threads: tuple[int, ...] = (1,)
    accelerator: str = "cpu"
    inputs: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    preset: str = "quick"
    seed: int = 0
    profile: bool = False
    scenario: tuple[str, ...] = ("single",)


_REQUEST: Final = TypeAdapter(BenchRequest)


def bench_files(request: BenchRequest, desk: Desk) -> Outcome:
    """Measure finished files on one device; the first is what ratios are to."""
    feeds = _feeds(request)
    table: dict[str, JsonValue] = {
        "preset": request.preset,
        "threads": list(request.threads),
        "scenario": list(request.scenario),
        "seed": request.seed,
        **({"profile": True} if request.profile else {}),
    }
    protocol = resolve_protocol(table, source="bench")
    device = _reach(request, desk)
    run = RunDocument(
        command="bench",
        name="bench",
        created=now(),
        base=str(Path.cwd()),
        plan={key: _plain(value) for key, value in asdict(request).items()},
        protocol=asdict(protocol),
        host=host_environment(),
        devices={device.name: {"profile": device.profile.name, "facts": dict(device.facts)}},
        seed=request.seed,
    )
    folder = create_run(desk.out, run)
    desk.progress(f"run: {folder}")
    return _go(replace(request, scenario=protocol.scenario), feeds, device, folder, run, desk)


def resume_bench(folder: Path, run: RunDocument, desk: Desk) -> Outcome:
    """Take up a `bench` that was cut off; a file that has changed since is measured anew."""
    asked = _REQUEST.validate_python(run.plan)
    base = Path(run.base)
    request = replace(
        asked,
        models=tuple(base / path for path in asked.models),
        inputs=base / asked.inputs if asked.inputs else None,
    )
    return _go(request, _feeds(request), _reach(request, desk), folder, run, desk)


def _feeds(request: BenchRequest) -> list[tuple[Artifact, Feed]]:
    return [_feed(request, artifact) for artifact in _read(request)]


def _reach(request: BenchRequest, desk: Desk) -> Device:
    device = connect(request.device, password=desk.password)
    return replace(device, name=device_name(request.device))


def _go(
    request: BenchRequest,
    feeds: Sequence[tuple[Artifact, Feed]],
    device: Device,
    folder: Path,
    run: RunDocument,
    desk: Desk,
) -> Outcome:
    try:
        carry_out(folder, run, [_bill(request, feeds, device, desk)], desk)
    finally:
        device.transport.close()
    outcome = outcome_of(folder)
    write_tables(outcome)
    return outcome


def device_name(device: str) -> str:
    """What a device is called in the table: its name, or of an address what tells it from others.

    >>> [device_name(d) for d in ("pi5", "local://", "ssh://pi@192.0.2.7:2222")]
    ['pi5', 'this-machine', '192.0.2.7:2222']
    """
    if device.startswith("local://"):
        return "this-machine"
    return device.partition("://")[2].rpartition("@")[2] or device


def read_inputs(path: Path) -> dict[str, NDArray[np.generic]]:
    """The user's arrays by input name."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError as error:
        msg = f"There is no file {str(path)!r}."
        raise ConfigError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{str(path)!r} is no .npz of plain arrays: {error}."
        raise ConfigError(msg, hint="numpy.savez('inputs.npz', image=array) writes one.") from error


def _read(request: BenchRequest) -> tuple[Artifact, ...]:
    artifacts = tuple(read_artifact(path) for path in request.models)
    names = [path.name for path in request.models]
    for path, artifact in zip(request.models, artifacts, strict=True):
        if artifact.format not in {Format.TFLITE, Format.ONNX}:
            msg = f"{str(path)!r} is {artifact.format.value}, which no runtime on a board reads."
            hint = "`edgebench run` with a plan converts and compresses it."
            raise ConfigError(msg, hint=hint)
        if names.count(path.name) > 1:
            msg = f"Two models are called {path.name!r}; a row of the table is named for its file."
            raise ConfigError(msg)
    formats = [artifact.format for artifact in artifacts]
    check_runtime(request.runtime, formats)
    check_accelerator(request.accelerator, formats)
    return artifacts


def _bill(
    request: BenchRequest,
    feeds: Sequence[tuple[Artifact, Feed]],
    device: Device,
    desk: Desk,
) -> Bill:
    specs: list[CellSpec] = []
    answers: list[Task | Settled] = []
    references: dict[tuple[int, str], str] = {}
    for artifact, feed in feeds:
        runtime = pick_runtime(device, artifact.format, asked=request.runtime)
        accelerators = accelerators_for((request.accelerator,), artifact.format)
        for asked in product(request.threads, request.scenario, accelerators):
            threads, scenario, accelerator = asked
            job = Job(
                variant=artifact.path.stem,
                artifact=artifact,
                device=device.name,
                runtime="none" if isinstance(runtime, DeviceError) else runtime,
                threads=threads,
                accelerator=accelerator,
                scenario=scenario,
            )
            # An accelerator is compared with the CPU on the same file.
            plain = replace(job, accelerator="cpu")
            key = references.setdefault((threads, scenario), job.key) if job == plain else plain.key
            specs.append(spec_of(job, reference=key))
            if isinstance(runtime, DeviceError):
                answers.append(Settled(job=job, reason=Reason.NO_RUNTIME, error=runtime.in_full()))
            else:
                is_reference = key == job.key or (job == plain and len(accelerators) > 1)
                task = _task(job, feed, desk, is_reference=is_reference)
                answers.append(replace(task, compared_with=key) if isinstance(task, Task) else task)
    return bill_of(device.name, device, specs, answers)


def _feed(request: BenchRequest, artifact: Artifact) -> tuple[Artifact, Feed]:
    feed = Feed(shapes=request.shapes, ranges=request.ranges, seed=request.seed)
    if request.inputs is None:
        return artifact, feed
    arrays = samples_of(read_inputs(request.inputs), artifact, request.shapes)
    return artifact, replace(feed, arrays=arrays, origin=request.inputs.name)


def _task(job: Job, feed: Feed, desk: Desk, *, is_reference: bool) -> Task | Settled:
    """The same file on the host is what the device's outputs are compared with."""

    def progress(words: str) -> None:
        desk.progress(f"{job.artifact.path.name}: {words}")

    try:
        served = serve(job.artifact, feed, cache=desk.cache, progress=progress)
    except JobFailed as error:
        return Settled(job=job, reason=Reason(error.reason), error=error.in_full())
    return Task(
        job=job,
        sample=served.sample,
        inputs=served.inputs,
        reference=served.outputs,
        twin=served.outputs,
        is_reference=is_reference,
        inputs_made=served.made,
    )


def samples_of(
    arrays: Mapping[str, NDArray[np.generic]],
    artifact: Artifact,
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, NDArray[np.generic]]:
    """The user's arrays with the sample as their first axis.

    An array of just the input's shape is one sample; one with an axis more in front, or with a
    longer first axis than the input's batch of 1, is a sample each.
    """
    samples = {}
    for spec in artifact.inputs:
        name = spec.name if spec.name in arrays else ""
        if len(artifact.inputs) == 1 and len(arrays) == 1:
            name = next(iter(arrays))
        if name not in arrays:
            msg = f"The inputs file has no array for the input {spec.name!r}."
            raise ConfigError(msg, hint=f"It has: {', '.join(arrays)}.")
        array = arrays[name]
        shape = _resolved(spec.shape, shapes.get(spec.name))
        if shape is None or _fits(array.shape, shape):
            samples[spec.name] = array[None]
        elif _fits(array.shape[1:], shape) or (
            shape[:1] == (1,) and _fits(array.shape[1:], shape[1:])
        ):
            samples[spec.name] = array
        else:
            msg = (
                f"The array {name!r} is {array.shape}; the input {spec.name!r} takes {spec.shape}."
            )
            raise ConfigError(msg, hint="A free axis is 1 unless --shape says otherwise.")
    return samples


def _resolved(
    shape: tuple[int | None, ...] | None, asked: tuple[int, ...] | None
) -> tuple[int | None, ...] | None:
    """A free first axis is a batch of 1; other free axes take what the array has."""
    if asked is not None:
        return asked
    if shape and shape[0] is None:
        return (1, *shape[1:])
    return shape


def _fits(have: tuple[int, ...], want: tuple[int | None, ...]) -> bool:
    return len(have) == len(want) and all(
        w is None or h == w for h, w in zip(have, want, strict=True)
    )


def _plain(value: object) -> JsonValue:
    if isinstance(value, (list, tuple)):
        return [str(item) if isinstance(item, Path) else item for item in value]
    if isinstance(value, Mapping):
        return {str(key): list(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value  # type: ignore[return-value]  # a plain value
