"""One launch of the runner on a device, from the files it needs to the answer it gave."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.core import (
    Artifact,
    Device,
    EnergyRun,
    Format,
    Job,
    MeasureProtocol,
    MemoryProcess,
    Process,
    Reason,
)
from edgebench.device.files import deliver, fetch
from edgebench.device.jobs import Ended, Running, clean, start, wait
from edgebench.device.patience import patiently
from edgebench.device.provision import Launch
from edgebench.device.steady import renew
from edgebench.errors import DeviceError, DeviceFull, DeviceLost, JobFailed
from edgebench.measure.energy.lengths import Length, window_length
from edgebench.measure.energy.recorded import record_of, run_of
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.choice import NONE
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.protocol import loop_of
from edgebench.measure.state.gate import Calm
from edgebench.measure.state.monitor import Finding, Seen, Watch
from edgebench.measure.state.monitors import judged, watch_spec
from edgebench.measure.watched import Watched, read_watched
from edgebench.runner import (
    RunnerJob,
    RunnerResult,
    Runtime,
    Windows,
    read_result,
    run_here,
)

# How the runner ends by itself: with an answer, or with one that says why there is none.
ANSWERED: Final = frozenset({0, 1})
NO_SPACE_WORDS: Final = "No space left on device"
LOG_CHARACTERS: Final = 800

RUNTIMES: Final[Mapping[str, Runtime]] = {
    "litert": "litert",
    "tflite-runtime": "tflite-runtime",
    "onnxruntime": "onnxruntime",
}
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
        governor: That stands while it is measured; None where nobody knows.
        is_steady: Whether it is the governor that was asked for, where one was.
        placed: Files that this session has delivered: none is hashed for every process anew.
    """

    device: Device
    launch: Launch
    watches: tuple[Watch, ...] = ()
    rest: Calm = field(default_factory=Calm)
    meter: Meter | Absent = NONE
    governor: str | None = None
    is_steady: bool = True
    placed: dict[Path, PurePosixPath] = field(default_factory=dict, repr=False)


def measure_latency(
    bench: Bench,
    job: Job,
    protocol: MeasureProtocol,
    *,
    inputs: Path,
    block: int,
    position: int,
) -> tuple[Process, NDArray[np.int64]]:
    """One process of the latency pass, and its samples in nanoseconds.

    Raises:
        JobFailed: The runner failed, was killed, or took longer than the protocol allows.
        DeviceLost: The device did not come back.
    """
    asked = _asked(bench, job, protocol, kind="latency", inputs=inputs)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    # The host keeps silent while the samples are taken: a poll is work for the board.
    quiet_s = protocol.warmup_min_s + protocol.sample_min_s
    with _ran(bench, asked, name=f"{job.key}.b{block}", protocol=protocol, quiet_s=quiet_s) as done:
        with np.load(done.file(asked.samples)) as archive:
            samples = archive["latency_ns"].astype(np.int64)
        found, state = done.result.latency, done.result.state
        watched = _watched(done, asked)
    if found is None or state is None:
        msg = "The runner answered a latency pass without a latency and its state."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    seen = Seen(readings=watched.readings, state=state, samples=found.samples)
    finding = judged(bench.watches, seen)
    process = Process(
        block=block,
        position=position,
        started=started,
        load_ns=found.load_ns,
        first_ns=found.first_ns,
        warmup_invokes=found.warmup_invokes,
        warmup_s=found.warmup_s,
        is_steady=found.is_steady,
        samples=found.samples,
        state={
            **finding.facts,
            "cpus": list(state.cpus),
            "governor": bench.governor,
            "watching_cores": watched.cost_ratio,
        },
        suspect=finding.suspect if bench.is_steady else (*finding.suspect, Reason.PERMISSION),
        invalid=finding.invalid,
    )
    return process, samples


def measure_energy(
    bench: Bench,
    meter: Meter,
    job: Job,
    protocol: MeasureProtocol,
    *,
    inputs: Path,
    active_s: float,
) -> tuple[EnergyRun, Trace]:
    """One process of the energy pass, and what the meter read; raises as `measure_latency` does.

    Args:
        active_s: How long the device infers without a pause, between two rests.
    """
    length = length_of(meter)
    asked = replace(
        _asked(bench, job, protocol, kind="energy", inputs=inputs),
        watch=watch_spec((*bench.watches, Watch(sources=meter.sources, judge=lambda _: Finding()))),
        windows=Windows(idle_s=length.idle_s, active_s=active_s),
    )
    whole_s = protocol.warmup_min_s + 2 * length.idle_s + active_s
    patient = replace(protocol, timeout_s=protocol.timeout_s + whole_s)
    with _ran(bench, asked, name=f"{job.key}.energy", protocol=patient, quiet_s=whole_s) as done:
        found = done.result.energy
        watched = _watched(done, asked)
    if found is None:
        msg = "The runner answered an energy pass without its windows."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    events = judged(bench.watches, Seen.of_windows(watched.readings, found)).invalid
    trace = meter.trace(watched.readings)
    return record_of(trace, run_of(found, events=events), meter=meter.name), trace


def length_of(meter: Meter) -> Length:
    """How long the device works and rests for a meter, to begin with."""
    period_s = max(source.period_s for source in meter.sources)
    return window_length(meter.kind, 1 / period_s)


def _watched(done: "_Done", asked: RunnerJob) -> Watched:
    """What was read beside the runner; nothing where the watcher did not get to write it down."""
    told = done.result.state or done.result.energy
    if asked.watch is None or told is None or not told.is_watched:
        return Watched()
    return read_watched(done.file(asked.watch.output).read_bytes())


def measure_memory(
    bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path
) -> MemoryProcess:
    """One process of the memory pass; raises as `measure_latency` does."""
    asked = _asked(bench, job, protocol, kind="memory", inputs=inputs)
    with _ran(bench, asked, name=f"{job.key}.memory", protocol=protocol) as done:
        found = done.result.memory
    if found is None:
        msg = "The runner answered a memory pass without checkpoints."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return found


def compute_outputs(
    bench: Bench, job: Job, protocol: MeasureProtocol, *, inputs: Path, outputs: Path
) -> RunnerResult:
    """Let the device compute the outputs of all inputs, and bring them to `outputs`.

    Raises as `measure_latency` does.
    """
    asked = _asked(bench, job, protocol, kind="outputs", inputs=inputs)
    with _ran(bench, asked, name=f"{job.key}.outputs", protocol=protocol) as done:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A runner that answered, while its files are still on the device."""

    bench: Bench
    running: Running
    result: RunnerResult
    scratch: Path = field(repr=False)

    def fetch_as(self, name: str, target: Path) -> Path:
        return patiently(lambda: fetch(self.bench.device, self.running.folder / name, target))

    def file(self, name: str) -> Path:
        return self.fetch_as(name, self.scratch / name)


def _asked(
    bench: Bench,
    job: Job,
    protocol: MeasureProtocol,
    *,
    kind: Literal["latency", "memory", "outputs", "energy"],
    inputs: Path,
) -> RunnerJob:
    """The job document, once the files that it names are on the device."""
    return RunnerJob(
        kind=kind,
        model=str(_delivered(bench, job.artifact.path)),
        runtime=RUNTIMES[job.runtime],
        threads=job.threads,
        accelerator=job.accelerator,
        inputs=str(_delivered(bench, inputs)),
        seed=protocol.seed,
        loop=loop_of(protocol),
        watch=watch_spec(bench.watches) if kind == "latency" else None,
    )


def _delivered(bench: Bench, source: Path) -> PurePosixPath:
    """Where a file lies on the device; one that does not fit there fails its cell alone."""
    if source not in bench.placed:
        try:
            bench.placed[source] = patiently(lambda: deliver(bench.device, source))
        except DeviceFull as error:
            raise JobFailed(str(error), reason=Reason.NO_SPACE, hint=error.hint) from error
    return bench.placed[source]


@contextlib.contextmanager
def _ran(
    bench: Bench,
    asked: RunnerJob,
    *,
    name: str,
    protocol: MeasureProtocol,
    quiet_s: float = 0.0,
) -> Iterator[_Done]:
    """Run a job to its end; its folder on the device is gone after that, however it ended."""
    device = bench.device
    if protocol.governor is not None:
        patiently(lambda: renew(device))
    running = start(device, bench.launch, asked, name=name)
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        try:
            ended = wait(device, running, timeout_s=protocol.timeout_s, quiet_s=quiet_s)
            result = _answer(bench, running, ended, Path(scratch))
            yield _Done(bench=bench, running=running, result=result, scratch=Path(scratch))
        finally:
            # A device that is lost keeps the folder; that must not hide why it was lost.
            with contextlib.suppress(DeviceError):
                clean(device, running)


def _answer(bench: Bench, running: Running, ended: Ended, scratch: Path) -> RunnerResult:
    """What the runner wrote; raises JobFailed with how it ended where it wrote nothing."""
    if ended.how != "finished" or ended.exit_code not in ANSWERED:
        raise _unanswered(ended)
    try:
        document = patiently(
            lambda: fetch(bench.device, running.folder / "result.json", scratch / "result.json")
        )
    except DeviceLost:
        raise
    except DeviceError as error:
        raise _unanswered(ended) from error
    return read_result(document.read_bytes())


def _unanswered(ended: Ended) -> JobFailed:
    log = ended.log[-LOG_CHARACTERS:].strip() or "-"
    if NO_SPACE_WORDS in ended.log:
        msg = f"The device has no space left for what the runner writes. Its log: {log}"
        return JobFailed(msg, reason=Reason.NO_SPACE)
    if ended.how == "finished" and (ended.exit_code or 0) < 128:
        msg = f"The runner ended with code {ended.exit_code} and no answer. Its log: {log}"
        return JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    how = "vanished" if ended.how == "vanished" else f"was killed (code {ended.exit_code})"
    msg = f"The runner {how}. Its log: {log}"
    hint = "A runtime that crashes on this model, or too little memory, does that."
    return JobFailed(msg, reason=Reason.KILLED, hint=hint)
