"""One launch of the runner on a device, from the files it needs to the answer it gave."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import JsonValue

from edgebench.core import (
    Artifact,
    Device,
    Format,
    Job,
    MeasureProtocol,
    MemoryProcess,
    Process,
    Profile,
    Reason,
    Times,
)
from edgebench.device.files import deliver
from edgebench.device.patience import patiently
from edgebench.device.provision import Launch
from edgebench.device.share_readers import is_emulated
from edgebench.errors import DeviceFull, JobFailed
from edgebench.measure.attached import Attached
from edgebench.measure.fetched import samples_of
from edgebench.measure.launched import Done, ran
from edgebench.measure.meters.choice import NONE
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.protocol import loop_of
from edgebench.measure.scenario import read_scenario
from edgebench.measure.state.cores import cores_for
from edgebench.measure.state.gate import Calm
from edgebench.measure.state.monitor import Seen, Watch
from edgebench.measure.state.monitors import judged, watch_spec
from edgebench.measure.watched import Watched, read_watched
from edgebench.runner import (
    Kind,
    RunnerJob,
    RunnerResult,
    run_here,
)
from edgebench.runtimes import RUNS, Runtime

HOST_RUNTIMES: Final[Mapping[Format, Runtime]] = {
    Format.TFLITE: "litert",
    Format.ONNX: "onnxruntime",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A device that is ready to measure: its runtime is there, and how to start it is known.

    Attributes:
        watches: What is watched of its state while samples are taken.
        rest: How it was before anything ran.
        meter: What its power is read by, or why nothing can be.
        stands: Governor and whatever else was set, by name; None where nobody knows.
        is_steady: Whether all that was asked for stands.
        clusters: Cores that are alike, the fastest first.
        placed: Files that this session has delivered: none is hashed for every process anew.
    """

    device: Device
    launch: Launch
    watches: tuple[Watch, ...] = ()
    rest: Calm = field(default_factory=Calm)
    meter: Meter | Attached | Absent = NONE
    stands: Mapping[str, JsonValue] = field(default_factory=dict)
    is_steady: bool = True
    clusters: tuple[tuple[int, ...], ...] = ()
    placed: dict[Path, PurePosixPath] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where a process of the latency pass stands in its campaign.

    Attributes:
        block: Pairs it with the other cells of that block, from 0; `position` is when in it.
        group: How many queries the earlier processes of the cell timed together; None of the first.
    """

    block: int
    position: int
    group: int | None = None


def measure_latency(
    bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path, turn: Turn
) -> tuple[Process, Times]:
    """One process of the latency pass, and its samples in nanoseconds.

    Raises:
        JobFailed: The runner failed, was killed, or took longer than the protocol allows.
        DeviceLost: The device did not come back.
    """
    asked = asked_of(bench, job, protocol, kind="latency", inputs=inputs)
    asked = replace(asked, loop=replace(asked.loop, group=turn.group))
    started = datetime.now(UTC).isoformat(timespec="seconds")
    begin_s = time.monotonic()
    # The host keeps silent while the samples are taken: a poll is work for the board.
    quiet_s = protocol.warmup_min_s + protocol.sample_min_s
    with ran(
        bench.device,
        bench.launch,
        asked,
        name=f"{job.key}.b{turn.block}",
        protocol=protocol,
        quiet_s=quiet_s,
    ) as done:
        found, state = done.result.latency, done.result.state
        if found is None or state is None:
            msg = "The runner answered a latency pass without a latency and its state."
            raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
        samples = samples_of(done.file(asked.samples), count=found.samples)
        watched = watched_by(done, asked)
    inferences = found.samples * found.group * found.inferences
    finding = judged(
        bench.watches, Seen(readings=watched.readings, state=state, samples=inferences)
    )
    process = Process(
        block=turn.block,
        position=turn.position,
        started=started,
        load_ns=found.load_ns,
        first_ns=found.first_ns,
        warmup_invokes=found.warmup_invokes,
        warmup_s=found.warmup_s,
        is_steady=found.is_steady,
        samples=found.samples,
        group=found.group,
        batch=found.batch,
        inferences=1 if asked.scenario.kind == "offline" else found.inferences,
        due=found.due,
        missed=found.missed,
        wall_s=round(time.monotonic() - begin_s, 3),
        sampled_s=round((state.end_ns - state.begin_ns) / 1e9, 6),
        state={
            # What the device reads beside the samples counts more.
            "governor": None,
            **bench.stands,
            **finding.facts,
            "cpus": list(state.cpus),
            "is_mixed_clusters": cores_for(job.threads, bench.clusters).is_mixed,
            "watching_cores": watched.cost_ratio,
            **({} if found.wake_ns is None else {"wake_us": found.wake_ns / 1000}),
        },
        suspect=(*finding.suspect, *_doubts(bench)),
        invalid=finding.invalid,
    )
    return process, samples if process.mean_of == 1 else samples / process.mean_of


def _doubts(bench: Bench) -> Iterator[Reason]:
    """Why whatever is timed on a device deserves doubt."""
    if not bench.is_steady:
        yield Reason.PERMISSION
    if is_emulated(bench.device.facts):
        yield Reason.EMULATED


def watched_by(done: Done, asked: RunnerJob) -> Watched:
    """What was read beside the runner; nothing where the watcher did not get to write it down."""
    told = done.result.state or done.result.energy
    if asked.watch is None or told is None or not told.is_watched:
        return Watched()
    return read_watched(done.file(asked.watch.output).read_bytes())


def measure_memory(
    bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path
) -> MemoryProcess:
    """One process of the memory pass; raises as `measure_latency` does."""
    asked = asked_of(bench, job, protocol, kind="memory", inputs=inputs)
    with ran(
        bench.device, bench.launch, asked, name=f"{job.key}.memory", protocol=protocol
    ) as done:
        found = done.result.memory
    if found is None:
        msg = "The runner answered a memory pass without checkpoints."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return found


def measure_profile(bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path) -> Profile:
    """The time of each operation, in a process of its own; raises as `measure_latency` does."""
    asked = asked_of(bench, job, protocol, kind="profile", inputs=inputs)
    name = f"{job.key}.profile"
    with ran(bench.device, bench.launch, asked, name=name, protocol=protocol) as done:
        found = done.result.profile
    if found is None:
        msg = "The runner answered a profile pass without a profile."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return found


def compute_outputs(
    bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path, outputs: Path
) -> RunnerResult:
    """Let the device compute the outputs of all inputs, and bring them to `outputs`.

    Raises as `measure_latency` does.
    """
    asked = asked_of(bench, job, protocol, kind="outputs", inputs=inputs)
    with ran(
        bench.device, bench.launch, asked, name=f"{job.key}.outputs", protocol=protocol
    ) as done:
        done.fetch_as(asked.outputs, outputs)
        return done.result


def compute_here(  # noqa: PLR0913 - one keyword for each thing that inputs depend on
    artifact: Artifact,
    *,
    inputs: Path | None,
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
    generate: int = 1,
) -> RunnerResult:
    """Let this machine compute them: `outputs.npz` in `folder`.

    Without inputs at most `generate` samples are made, within each input's own range, and lie
    there as `inputs.npz`, to be sent to the devices.

    Raises:
        JobFailed: The runner failed, was killed, or took longer than ten minutes.
    """
    job = RunnerJob(
        kind="outputs",
        model=str(artifact.path.resolve()),
        runtime=HOST_RUNTIMES[artifact.format],
        inputs=str(inputs.resolve()) if inputs else None,
        generate=generate,
        save_inputs=None if inputs else "inputs.npz",
        shapes=dict(shapes or {}),
        ranges=dict(ranges or {}),
        seed=seed,
    )
    return run_here(job, folder)


def asked_of(
    bench: Bench,
    job: Job,
    protocol: MeasureProtocol,
    *,
    kind: Kind,
    inputs: Path,
) -> RunnerJob:
    """The job document, once the files that it names are on the device.

    Timed passes run on the fastest cluster, and the watcher beside it on another.
    """
    is_timed = kind in {"latency", "energy"}
    cores = cores_for(job.threads, bench.clusters if is_timed else ())
    return RunnerJob(
        kind=kind,
        model=str(_delivered(bench, job.artifact.path)),
        runtime=RUNS[job.runtime],
        threads=job.threads,
        accelerator=job.accelerator,
        inputs=str(_delivered(bench, inputs)),
        seed=protocol.seed,
        scenario=read_scenario(job.scenario),
        loop=loop_of(protocol),
        cpus=cores.model,
        watch=watch_spec(bench.watches, cpus=cores.watcher) if kind == "latency" else None,
    )


def _delivered(bench: Bench, source: Path) -> PurePosixPath:
    """Where a file lies on the device; one that does not fit there fails its cell alone."""
    if source not in bench.placed:
        try:
            bench.placed[source] = patiently(lambda: deliver(bench.device, source))
        except DeviceFull as error:
            raise JobFailed(str(error), reason=Reason.NO_SPACE, hint=error.hint) from error
    return bench.placed[source]
