"""The contract with the device: one job document in, one result document out.

`runners/` is the program that reads the one and writes the other. On a board it is started detached
(`edgebench.device.jobs`); `run_here` starts it on this machine, to its end, in a process of its
own, so that a model that crashes its runtime takes nothing with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from pydantic import JsonValue, TypeAdapter

from edgebench.core import Accel, MemoryProcess, Profile, Reason, Scenario, TensorSpec
from edgebench.errors import JobFailed
from edgebench.runtimes import Runtime
from edgebench.untrusted import read_document

JOB_SCHEMA: Final = "edgebench.job/1"
RESULT_SCHEMA: Final = "edgebench.result/1"
ERROR_CHARACTERS_MAX: Final = 2000

# The wheel of onnxruntime starts an uploader from 1.29 on, unless this stands before its import.
ENVIRONMENT: Final[Mapping[str, str]] = {"ORT_DISABLE_TELEMETRY": "1"}

Kind = Literal["latency", "memory", "outputs", "energy", "profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """When to stop warming up and when to stop sampling; every limit must hold but the last.

    Attributes:
        group: How many queries are timed together; None lets the runner see how short one is.
    """

    warmup_min_invokes: int = 5
    warmup_min_s: float = 1.0
    warmup_max_s: float = 30.0
    sample_min_invokes: int = 64
    sample_min_s: float = 3.0
    sample_max_s: float = 20.0
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSpec:
    """What is read again and again beside the runner, by a process of its own.

    Attributes:
        sources: Each with `name`, `path` or `argv`, `period_s`, and `stream` where the program
            speaks by itself.
        cpus: Where the watcher runs; None for anywhere.
    """

    sources: tuple[Mapping[str, JsonValue], ...]
    cpus: tuple[int, ...] | None = None
    output: str = "watch.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How long the device is idle before and after the energy pass, and at work in between.

    Attributes:
        chirps: How often all cores spin for `pulse_s` and rest as long, before all else: a mark for
            a meter whose clock is not the device's.
    """

    idle_s: float = 10.0
    active_s: float = 20.0
    chirps: int = 0
    pulse_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerJob:
    """What the runner is asked. Paths are the device's; relative ones are to the job's folder.

    Attributes:
        inputs: A `.npz` with one array an input, the first axis being the sample; None to have the
            runner generate samples within each input's own range.
        generate: How many, at most: of large inputs fewer are made.
        save_inputs: Where the runner writes the inputs that it generated.
        shapes: Values of free axes by input name; an axis not named is 1.
        ranges: `[low, high]` for generated values by input name.
        cpus: The cores that the runner may use; None for all.
        windows: Of the energy pass.
    """

    schema: Literal["edgebench.job/1"] = JOB_SCHEMA
    kind: Kind
    model: str
    runtime: Runtime
    threads: int = 1
    accelerator: str = "cpu"
    inputs: str | None = None
    generate: int = 1
    save_inputs: str | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seed: int = 0
    scenario: Scenario = field(default_factory=Scenario)
    loop: Loop = field(default_factory=Loop)
    cpus: tuple[int, ...] | None = None
    watch: WatchSpec | None = None
    windows: Windows = field(default_factory=Windows)
    result: str = "result.json"
    samples: str = "samples.npz"
    outputs: str = "outputs.npz"

    def to_json(self) -> str:
        """The job document, in one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyResult:
    """Times of the latency pass; the samples lie in `samples.npz` as `latency_ns`, int64.

    Attributes:
        group: How many queries each sample is of.
        batch: How many inputs an invocation took; `inferences` a query.
        due: Queries that were to come, of `periodic` alone; likewise the fields after it.
        missed: How many of these were late, or dropped meanwhile.
        wake_ns: By how much the process woke late, by its median.
    """

    load_ns: int
    first_ns: int
    warmup_invokes: int
    warmup_s: float
    is_steady: bool
    samples: int
    group: int = 1
    batch: int = 1
    inferences: int = 1
    due: int | None = None
    missed: int | None = None
    wake_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    """How the kernel treated the runner while it took its samples, all threads together.

    Attributes:
        run_ns: On a core; None where the kernel does not count it, likewise `wait_ns`.
        wait_ns: Ready for a core that somebody else had.
    """

    run_ns: int | None
    wait_ns: int | None
    involuntary_switches: int
    voluntary_switches: int
    major_faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateResult:
    """What the runner knows of the state that its samples were taken in.

    Attributes:
        begin_ns: When the samples began, on the device's CLOCK_MONOTONIC; likewise `end_ns`.
        canary_ns: A fixed piece of work, before and after.
        cpus: Where the runner was allowed to run, read back.
        is_watched: Whether the watcher wrote down all that it read; None where there was none.
    """

    begin_ns: int
    end_ns: int
    canary_ns: tuple[int, int]
    scheduling: Scheduling
    cpus: tuple[int, ...]
    is_watched: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyResult:
    """The windows of the energy pass, each `(begin, end)` on the device's CLOCK_MONOTONIC.

    Attributes:
        chirp_ns: When all cores spun; empty where none was asked for, or a core came too late.
    """

    idle_before_ns: tuple[int, int]
    active_ns: tuple[int, int]
    idle_after_ns: tuple[int, int]
    inferences: int
    chirp_ns: tuple[tuple[int, int], ...] = ()
    is_watched: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerResult:
    """What the runner answered.

    Attributes:
        reason: Of the closed list, where it failed.
        error: The runtime's own words, where it failed.
        builds: Hashes of the `runtime`'s wheel and of a `delegate`'s library, where there is one.
        environment: Python, numpy and so on, as the runner saw them.
        inputs_made: How the inputs came to be.
        accel: Of the outputs pass.
    """

    schema: Literal["edgebench.result/1"] = RESULT_SCHEMA
    status: Literal["ok", "failed"]
    reason: Reason | None = None
    error: str | None = None
    runtime: str
    runtime_version: str | None = None
    builds: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, JsonValue] = field(default_factory=dict)
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    inputs_made: Mapping[str, JsonValue] = field(default_factory=dict)
    latency: LatencyResult | None = None
    memory: MemoryProcess | None = None
    state: StateResult | None = None
    energy: EnergyResult | None = None
    accel: Accel | None = None
    profile: Profile | None = None


_RESULT = TypeAdapter(RunnerResult)


def shipped(name: str) -> Path:
    """A folder that ships beside the package: in the wheel inside it, in a checkout next to it."""
    package = Path(str(resources.files("edgebench")))
    inside = package / "shipped" / name
    return inside if inside.is_dir() else package.parent / name


def read_result(document: bytes) -> RunnerResult:
    """Read a result document; raises JobFailed where the runner says that it failed."""
    try:
        result = _RESULT.validate_json(json.dumps(read_document(document)))
    except ValueError as error:  # pydantic's own is one, and goes on for pages
        words = str(error)[:ERROR_CHARACTERS_MAX]
        msg = f"The runner's result document is not one: {words}."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR) from error
    if result.status == "failed":
        raise JobFailed(
            (result.error or "The runner gave no reason.")[:ERROR_CHARACTERS_MAX],
            reason=result.reason or Reason.RUNTIME_ERROR,
        )
    return result


def run_here(
    job: RunnerJob,
    folder: Path,
    *,
    timeout_s: float = 600.0,
    python: str = sys.executable,
    program: Sequence[str] | None = None,
) -> RunnerResult:
    """Run the job on this machine in a process of its own; its files land in `folder`.

    Args:
        python: Whose runner in Python is started.
        program: Another runner in its place, less the path of the job.

    Raises:
        JobFailed: The runner failed, was killed (a runtime that crashes does that), or took longer
            than `timeout_s`.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job.result).unlink(missing_ok=True)
    (folder / "job.json").write_text(job.to_json())
    runner = program or (python, "-s", str(shipped("runners") / "run.py"))
    try:
        done = subprocess.run(
            [*runner, str(folder / "job.json")],
            env={**os.environ, **ENVIRONMENT},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{Path(job.model).name} took longer than {timeout_s:.0f} s on this machine."
        raise JobFailed(msg, reason=Reason.TIMEOUT) from error
    result = folder / job.result
    if not result.exists():
        tail = done.stderr.decode(errors="replace")[-600:].strip()
        msg = f"The runner ended with code {done.returncode} and wrote no result: {tail or '-'}"
        raise JobFailed(msg, reason=Reason.KILLED if done.returncode < 0 else Reason.RUNTIME_ERROR)
    return read_result(result.read_bytes())
