"""`bench`: finished files, measured as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter

from edgebench.compress.inspect import read_artifact
from edgebench.core import Artifact, Device, Format, Job, Reason
from edgebench.errors import ConfigError, DeviceError, JobFailed
from edgebench.measure.cell import Task
from edgebench.measure.energy.combine import RUNS_MIN
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
from edgebench.workflow.inputs import read_inputs, samples_of
from edgebench.workflow.meters import Here, reached
from edgebench.workflow.order import Desk
from edgebench.workflow.outcome import Outcome, outcome_of, write_tables
from edgebench.workflow.protocol import resolve_protocol
from edgebench.workflow.report import write_page


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
        meter: What the device's power is read by at the host; a preset without an energy pass has
            one then.
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
    meter: str | None = None


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
    if request.meter is not None and protocol.energy_runs == 0:
        protocol = replace(protocol, energy_runs=RUNS_MIN)
    with reached(request.device, protocol, desk, asked=request.meter) as here:
        device = _named(here, request)
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
        asked = replace(request, scenario=protocol.scenario)
        return _go(asked, feeds, here, folder, run, desk)


def resume_bench(folder: Path, run: RunDocument, desk: Desk) -> Outcome:
    """Take up a `bench` that was cut off; a file that has changed since is measured anew."""
    asked = _REQUEST.validate_python(run.plan)
    base = Path(run.base)
    request = replace(
        asked,
        models=tuple(base / path for path in asked.models),
        inputs=base / asked.inputs if asked.inputs else None,
    )
    feeds = _feeds(request)
    protocol = resolve_protocol(run.protocol, source="run.json")
    with reached(request.device, protocol, desk, asked=request.meter) as here:
        return _go(request, feeds, here, folder, run, desk)


def _feeds(request: BenchRequest) -> list[tuple[Artifact, Feed]]:
    return [_feed(request, artifact) for artifact in _read(request)]


def _named(here: Here, request: BenchRequest) -> Device:
    return replace(here.device, name=device_name(request.device))


def _go(
    request: BenchRequest,
    feeds: Sequence[tuple[Artifact, Feed]],
    here: Here,
    folder: Path,
    run: RunDocument,
    desk: Desk,
) -> Outcome:
    bill = replace(_bill(request, feeds, _named(here, request), desk), meter=here.meter)
    carry_out(folder, run, [bill], desk)
    outcome = outcome_of(folder)
    write_tables(outcome)
    write_page(outcome)
    return outcome


def device_name(device: str) -> str:
    """What a device is called in the table: its name, or of an address what tells it from others.

    >>> [device_name(d) for d in ("pi5", "local://", "ssh://pi@192.0.2.7:2222")]
    ['pi5', 'this-machine', '192.0.2.7:2222']
    """
    if device.startswith("local://"):
        return "this-machine"
    return device.partition("://")[2].rpartition("@")[2] or device


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


def _plain(value: object) -> JsonValue:
    if isinstance(value, (list, tuple)):
        return [str(item) if isinstance(item, Path) else item for item in value]
    if isinstance(value, Mapping):
        return {str(key): list(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value  # type: ignore[return-value]  # a plain value
