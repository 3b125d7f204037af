"""The nouns of edgebench: every value that passes from one room to another.

All are frozen. Those that cross a file boundary (Measurement and its parts, DeviceProfile) are read
through `pydantic.TypeAdapter`, so that a bad document is refused with the path of its key.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, JsonValue

MEASUREMENT_SCHEMA: Final = "edgebench.measurement/1"

# Latencies in nanoseconds, `(sample,)`.
Times = NDArray[np.int64] | NDArray[np.float64]


class Format(StrEnum):
    """What a model file is written in."""

    KERAS = "keras"
    SAVED_MODEL = "saved-model"
    ONNX = "onnx"
    TFLITE = "tflite"


class Status(StrEnum):
    """How far a number may be trusted, from best to worst."""

    OK = "ok"
    SUSPECT = "suspect"
    INVALID = "invalid"
    REFUSED = "refused"
    FAILED = "failed"


# The most that is taken of a file of a device, where nothing less is said.
FILE_BYTES_MAX: Final = 1 << 30


class Reason(StrEnum):
    """Why a number is missing or deserves doubt: the closed list."""

    NO_SENSOR = "no_sensor"
    PERMISSION = "permission"
    UNIT_AMBIGUOUS = "unit_ambiguous"
    NOT_DISCHARGING = "not_discharging"
    WINDOW_TOO_SHORT = "window_too_short"
    TOO_FEW_SAMPLES = "too_few_samples"
    N_EFF_LOW = "n_eff_low"
    SENSOR_FROZEN = "sensor_frozen"
    SENSOR_GAP = "sensor_gap"
    RAIL_SET_CHANGED = "rail_set_changed"
    IDLE_DRIFT = "idle_drift"
    DELTA_BELOW_NOISE = "delta_below_noise"
    COUNTER_BACKWARDS = "counter_backwards"
    CLOCK_DRIFT = "clock_drift"
    THROTTLED = "throttled"
    UNDERVOLTAGE = "undervoltage"
    OVERCURRENT = "overcurrent"
    FREQ_UNSTABLE = "freq_unstable"
    CONTENDED = "contended"
    SWAP = "swap"
    EMULATED = "emulated"
    CI_NOT_MET = "ci_not_met"
    NO_STEADY_STATE = "no_steady_state"
    MULTIMODAL = "multimodal"
    PERCENTILE_N = "percentile_n"
    SILENT_FALLBACK = "silent_fallback"
    PARTIAL_FALLBACK = "partial_fallback"
    WRONG_OUTPUT = "wrong_output"
    ENERGY_INCONSISTENT = "energy_inconsistent"
    LEAK_SUSPECT = "leak_suspect"
    INCOMPARABLE = "incomparable"
    BUDGET_EXHAUSTED = "budget_exhausted"
    # What measurement itself does not know of: why a cell has no numbers at all.
    NO_DATA = "no_data"
    NO_REFERENCE = "no_reference"
    NOT_MEASURED = "not_measured"
    NO_RUNTIME = "no_runtime"
    RUNTIME_ERROR = "runtime_error"
    UNSUPPORTED_INPUT = "unsupported_input"
    KILLED = "killed"
    TIMEOUT = "timeout"
    DEVICE_LOST = "device_lost"
    NO_SPACE = "no_space"
    NOT_BUILT = "not_built"
    NO_EFFECT = "no_effect"
    GATE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How integers of a tensor stand for reals: `real = scale * (stored - zero_point)`."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        shape: One entry an axis, `None` where the axis is free; None where even the rank is free.
        dtype: numpy's name of the element type, `"string"` for text.
        quantization: How stored integers stand for reals; None for a tensor of plain values.
    """

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str
    quantization: Quantization | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model file on the host.

    Attributes:
        gzip_bytes: Size after gzip level 9: what pruned and clustered weights really save.
        sha256: Of the file, or of the sorted files of a folder.
    """

    path: Path
    format: Format
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    size_bytes: int
    gzip_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the user brings: a name and a file."""

    name: str
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transformation, as the plan says it: `{ quantize = "int8", calibrate = "entropy" }`.

    Attributes:
        name: The key of the step, `quantize`.
        value: Its main value, `"int8"`.
        options: Everything else that stands beside it.
    """

    name: str
    value: JsonValue
    options: Mapping[str, JsonValue] = field(default_factory=dict)

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name} {self.value}" + (f" ({options})" if options else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Steps in order. An empty recipe is the float reference."""

    name: str
    steps: tuple[Step, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 of the steps; the name is left out, so that renaming makes nothing anew."""
        document = [[step.name, step.value, dict(step.options)] for step in self.steps]
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What one step did.

    Attributes:
        changed: Counts that the step changed, such as `{"int8_tensors": 12}`.
        accuracy_before: On the validation set; None without one.
        accuracy_untuned: After the step and before it was tuned; None where it was not.
        accuracy_after: On the validation set, by the host's kernels; None without one.
        seconds: How long the step took when it was made, not when it came from the cache.
        settings: All that the outcome depends on beside the input: seed, order of calibration.
    """

    step: str
    changed: Mapping[str, JsonValue]
    accuracy_before: float | None
    accuracy_untuned: float | None = None
    accuracy_after: float | None
    size_bytes: int
    gzip_bytes: int
    seconds: float
    seed: int | None
    settings: Mapping[str, JsonValue]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A compressed form of a model, ready for a device."""

    model: Model
    recipe: Recipe
    artifact: Artifact
    ledger: tuple[LedgerEntry, ...]

    @property
    def name(self) -> str:
        """The recipe's name: what the user called this variant."""
        return self.recipe.name


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """A kind of board, as `device_profiles/<name>.toml` describes it.

    Attributes:
        runtimes: In order of preference; a format takes the first that can run it.
        match: Regular expressions on the device's own model string, by which it is proposed.
        work_folder: Where edgebench works on the device; `~` is the login user's home.
        arch: Of its cores; None where it is not known, as of a kind that holds many boards.
        cpu_features: Of integer dot products, arithmetic in float16 and products of int8 matrices
            those that its cores have; None where it is not known.
        accelerators: Of those that a runtime knows by name what it may have; None where it is not
            known, as of a kind that holds many boards.
        energy_source: Which meter of the board itself is read; None where there is none.
        meter: Which meter at the host is read in its place, as `bench --meter` names it.
        traps: What spoils a measurement on this board, a sentence each.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    description: str
    url: str
    runtimes: tuple[str, ...]
    arch: Literal["arm", "x86"] | None = None
    cpu_features: tuple[Literal["dotprod", "fp16", "i8mm"], ...] | None = None
    accelerators: tuple[str, ...] | None = None
    match: tuple[str, ...] = ()
    work_folder: str = "~/.cache/edgebench"
    threads_max: int | None = None
    governors: tuple[str, ...] = ()
    temp_passive_c: float | None = None
    energy_source: str | None = None
    energy_scope: str | None = None
    meter: str | None = None
    traps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a program on a device ended.

    Attributes:
        exit_code: As a POSIX shell gives it: 128 + n where signal n ended it.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes


class Transport(Protocol):
    """Run programs on one device, and copy files to and from it.

    Every call has a total deadline. An implementation raises DeviceLost when the device does not
    answer. A program that fails is no error here: its exit code is in the Completed.
    """

    @property
    def address(self) -> str:
        """Where the device stands, as the user would write it; never with a password."""

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end; argv reaches it as given, whatever shell lies between."""

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to the device, as it is and under just that name."""

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from the device; a DeviceError where it is larger than `bytes_max`."""

    def close(self) -> None:
        """End the connection; a second call does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A board that answered: what kind it is, how to reach it, what it says of itself.

    Attributes:
        facts: By name, as `edgebench.device.facts` reads them; None where the device did not say.
        work_folder: Absolute, on the device.
    """

    name: str
    profile: DeviceProfile
    transport: Transport
    facts: Mapping[str, JsonValue]
    work_folder: PurePosixPath


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureProtocol:
    """How to measure. `edgebench.measure.protocol.PRESETS` holds the named ones.

    Attributes:
        blocks_min: Every cell runs once a block, as a process of its own.
        blocks_max: Blocks are added up to this many while an interval is wider than `ci_ratio`.
        ci_ratio: Half-width of the 95 % interval of the median, over the median.
        margin_ratio: Smallest difference between two variants that is called one.
        memory_processes: Processes of the memory pass.
        gate_wait_s: How long is waited before a process for the device to be cool and quiet.
        repeats_max: How often a process is run anew that was throttled or starved.
        cooldown_s: Pause before that.
        energy_runs: Launches of the energy pass, where there is a meter; 0 leaves it out.
        energy_active_s: How long the first of them works; None for as long as the meter needs.
        energy_idle_s: How long it rests before and after, likewise.
        profile: Whether the time of each operation is asked for, once a cell.
        governor: Of the processor's clock while the device is measured; None leaves what is there,
            as of the three that follow.
        power_mode: A Jetson's, by its name or its number.
        jetson_clocks: Whether a Jetson's clocks are locked to their highest.
        fan: Share of its full speed: `"100 %"`.
        keep_awake: Whether a phone is woken, and its screen kept on.
        fixed_performance: Whether a phone's own mode of steady clocks is turned on.
        battery_floor_percent: Below it a phone is not measured.
        scenario: Each is a cell of its own: `single`, `offline`, `multi:8`, `periodic:30`.
        budget_s: After so long no block is begun on a device, once it has two; None for no end.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    preset: str
    threads: tuple[int, ...] = (1,)
    seed: int = 0
    blocks_min: int
    blocks_max: int
    ci_ratio: float
    margin_ratio: float
    warmup_min_invokes: int
    warmup_min_s: float
    warmup_max_s: float
    sample_min_invokes: int
    sample_min_s: float
    sample_max_s: float
    memory_processes: int
    timeout_s: float
    gate_wait_s: float = 0.0
    repeats_max: int = 0
    cooldown_s: float = 0.0
    energy_runs: int = 0
    energy_active_s: float | None = None
    energy_idle_s: float | None = None
    profile: bool = False
    governor: str | None = None
    power_mode: str | int | None = None
    jetson_clocks: bool = False
    fan: str | None = None
    keep_awake: bool = False
    fixed_performance: bool = False
    battery_floor_percent: float = 30.0
    scenario: tuple[str, ...] = ("single",)
    budget_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How a model is asked: `edgebench.measure.scenario` reads what a plan calls it.

    Attributes:
        kind: `single` and `offline` one query after the other, of which `offline` takes as many
            samples at once as the model lets it; `multi` queries of several samples; `periodic`
            a query at every release of a clock.
        samples: Of a query.
        rate_hz: How often a query comes; None where the next follows at once.
    """

    kind: Literal["single", "offline", "multi", "periodic"] = "single"
    samples: int = 1
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One question: this variant on this device, so.

    Attributes:
        variant: The variant's name; in `bench` the stem of the file.
    """

    variant: str
    artifact: Artifact
    device: str
    runtime: str
    threads: int = 1
    accelerator: str = "cpu"
    scenario: str = "single"

    @property
    def key(self) -> str:
        """Names the cell, and its files: `int8.tflite.pi5.litert.t1.cpu`, `....cpu.periodic-30`.

        Where a character cannot stand in a file name, a digest of the name itself follows, so that
        no two cells share one.
        """
        parts = (
            *(self.variant, self.artifact.format.value, self.device, self.runtime),
            *(f"t{self.threads}", self.accelerator),
            *(() if self.scenario == "single" else (self.scenario.replace(":", "-"),)),
        )
        plain = [re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in parts]
        if plain == list(parts):
            return ".".join(plain)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{'.'.join(plain)}-{digest[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One launch of the runner in the latency pass.

    Attributes:
        block: Which block it belongs to, from 0; pairs it with the other cells of that block.
        position: When in the block it ran, from 0.
        load_ns: Opening the model, up to the first inference.
        first_ns: The first inference.
        is_steady: Whether the latency had settled before the samples began.
        state: What the device said of itself meanwhile, by name with its unit.
        suspect: What of it deserves doubt.
        invalid: What of it spoilt the samples.
        repeats: How often the process was run anew because its samples were spoilt.
        group: How many queries were timed together, where one alone is shorter than what the clock
            costs: each sample is their mean, and says nothing of percentiles.
        batch: How many inputs an invocation took.
        inferences: In the time that a sample is of: those of a query, of `offline` one alone.
        due: Queries that were to come, where they came at a rate; likewise `missed`: those that
            were not done when the next was due, or dropped meanwhile.
        wall_s: From the start of the launch to its end; of that it sampled for `sampled_s`.
        sample_min_s: How long it was to sample, where that was longer than the protocol's.
    """

    block: int
    position: int
    started: str
    load_ns: int
    first_ns: int
    warmup_invokes: int
    warmup_s: float
    is_steady: bool
    samples: int
    state: Mapping[str, JsonValue] = field(default_factory=dict)
    suspect: tuple[Reason, ...] = ()
    invalid: tuple[Reason, ...] = ()
    repeats: int = 0
    group: int = 1
    batch: int = 1
    inferences: int = 1
    due: int | None = None
    missed: int | None = None
    wall_s: float | None = None
    sampled_s: float | None = None
    sample_min_s: float | None = None

    @property
    def mean_of(self) -> int:
        """Of how many a sample is the mean: queries, or inferences of `offline`."""
        return self.group * max(self.batch // self.inferences, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCheckpoint:
    """The runner's memory at one moment, as the kernel counts it.

    Attributes:
        anonymous_bytes: What cannot be dropped under pressure; with `file_bytes` it is the PSS.
        peak_bytes: Highest resident size since the checkpoint before; None where the kernel does
            not let the high-water mark be reset.
    """

    rss_bytes: int
    pss_bytes: int
    anonymous_bytes: int
    file_bytes: int
    private_bytes: int
    swap_bytes: int
    peak_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryProcess:
    """One launch of the memory pass: `s1` runtime loaded, `s2` model, `s3` first, `s4` steady."""

    s0: MemoryCheckpoint
    s1: MemoryCheckpoint
    s2: MemoryCheckpoint
    s3: MemoryCheckpoint
    s4: MemoryCheckpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRun:
    """One launch of the energy pass: what the device did, and which meter was read meanwhile.

    The readings lie beside it in the `.npz`, `power_ns_<n>` and `power_<n>` for the n-th run.

    Attributes:
        scope: What the meter sees: soc_rails, module, board_dc, wall_ac, battery, cpu_package.
        kind: Whether readings are watts, or joules that a counter has added up.
        resolution: Smallest step of a reading; None where it is not known.
        unreadable: Readings that gave no number.
        refusal: Why no joule may come of the readings, whatever they say.
        doubts: Why they deserve doubt.
        idle_before_ns: Begin and end on the clock of the readings; likewise the other two.
        events: What spoilt the run, as the device's monitors saw it.
        chirp_ns: When all cores spun, before the rest, for a meter at the host to be found by.
        lag_s: By how much the meter's answer trails the work, where that was measured.
        clock_uncertainty_s: Of the offset between the clocks of the meter and of the device.
    """

    meter: str
    scope: str
    kind: Literal["power", "counter"]
    rails: tuple[str, ...]
    resolution: float | None
    unreadable: int
    refusal: Reason | None
    doubts: tuple[Reason, ...]
    idle_before_ns: tuple[int, int]
    active_ns: tuple[int, int]
    idle_after_ns: tuple[int, int]
    inferences: int
    events: tuple[Reason, ...] = ()
    chirp_ns: tuple[tuple[int, int], ...] = ()
    lag_s: float | None = None
    clock_uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accel:
    """Where the nodes of a model really ran, as its runtime tells.

    Attributes:
        requested: The accelerator of the job.
        effective: Who has nodes beside the plain kernels of the CPU; `none` (LiteRT) or `cpu`
            (onnxruntime) where nobody has, None where the runtime does not tell.
        nodes_total: None where the runtime does not tell; likewise the fields after it.
        nodes_accel: How many run on `effective`.
        partitions: In how many pieces it has them: between two of them the CPU is at work.
        cpu_ops: Nodes that the CPU's plain kernels run, by operation. Empty is proof that there are
            none, also where they were not counted.
        unknown: Why the runtime does not tell, in words.
    """

    requested: str
    effective: str | None
    nodes_total: int | None = None
    nodes_accel: int | None = None
    partitions: int | None = None
    cpu_ops: Mapping[str, int] | None = None
    unknown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRow:
    """One operation of a model, and the time it took in all inferences that were looked at.

    Attributes:
        name: The node's, as the runtime calls it; `delegate:0` is the first of its partition.
        share: Of the time of all rows.
        calls: In all inferences together.
        provider: Whose kernel it was; None where the runtime does not tell.
        is_delegated: Whether that is another than the plain kernels of the CPU.
    """

    name: str
    op_type: str
    share: float
    ns_per_inference: float
    calls: int
    provider: str | None
    is_delegated: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How long each operation of a model takes, by a pass in which the runtime looks at itself.

    To look costs time, most of all for small operations: the shares are worth more than the
    nanoseconds, and neither is a latency.

    Attributes:
        source: Which runtime's profiler it is; None where there are no rows.
        rows: One a node, in the order they ran.
        unknown: Why there are no rows, in words.
    """

    source: str | None = None
    inferences: int = 0
    rows: tuple[ProfileRow, ...] = ()
    unknown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two sets of outputs of the same inputs are one.

    Attributes:
        cosine: Smallest over the outputs; 1 is the same direction.
        max_abs: Largest difference of any element, in the output's own unit.
        top1: Share of samples with the same most probable class; None where there are no classes.
        samples: How many inputs were compared.
    """

    cosine: float
    max_abs: float
    top1: float | None
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A metric on labelled samples, with its 95 % interval.

    Attributes:
        kind: Of a share, between 0 and 1, more is better; of an error, less.
        on: Whose kernels computed the outputs.
    """

    metric: str
    kind: Literal["share", "error"] = "share"
    value: float
    ci95: tuple[float, float]
    samples: int
    on: Literal["device", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The answer to a job: raw samples by process, never averages.

    The samples themselves lie beside it in a `.npz` (`latency_ns_<block>`, in order of time);
    here is everything else. A field that is None has its reason in `missing`.

    Attributes:
        agreement: With the host's float reference of the same format.
        fidelity: With the same file run by the host: what the device's own kernels changed.
        energy: None where no meter was read.
        accel: None until the outputs are there, as in a file of an earlier version.
        profile: None where it was not asked for.
        missing: Reason of each number that is absent, by field.
        error: The runtime's own words, where the cell failed.
        inputs: How the inputs came to be: from the data, from a file, or generated and with what
            seed.
        fingerprint: Hashes of `hw`, `sw` and `state`, of the `runtime`'s wheel and the `delegate`'s
            library where they are known; only equal ones are compared.
    """

    schema: Literal["edgebench.measurement/1"] = MEASUREMENT_SCHEMA
    key: str
    created: str
    seed: int
    variant: str
    format: Format
    device: str
    runtime: str
    runtime_version: str | None
    threads: int
    accelerator: str
    scenario: str = "single"
    sha256: str
    size_bytes: int
    gzip_bytes: int
    status: Status
    reasons: tuple[Reason, ...] = ()
    error: str | None = None
    processes: tuple[Process, ...] = ()
    memory: tuple[MemoryProcess, ...] = ()
    accuracy: Accuracy | None = None
    agreement: Agreement | None = None
    fidelity: Agreement | None = None
    energy: tuple[EnergyRun, ...] | None = None
    accel: Accel | None = None
    profile: Profile | None = None
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A measurement with its raw samples.

    Attributes:
        samples: Latency in nanoseconds by block, each `(sample,)` in order of time; reals where a
            sample is a mean.
        scores: The metric of each labelled sample, `(sample,)`: pairs a cell with its reference.
        power: Times and values of the meter's readings, `(reading,)` each, a pair a run.
    """

    measurement: Measurement
    samples: Mapping[int, Times] = field(default_factory=dict)
    scores: NDArray[np.float64] | None = None
    power: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...] = ()


Progress = Callable[[str], None]
