"""The two tables that an export holds, column by column: what the README prints is made from here.

A column whose meaning changes gets another name. So the columns of a table that is there say which
edgebench wrote it: one that lacks some of these is older and can be widened, one that has others is
not to be touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from edgebench.measure.percentiles import PERCENTILES


class Kind(StrEnum):
    """What a column holds; each of them may be empty."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        path: Where its value lies in the document of a row, keys and indices joined by `/`.
        is_key: Whether it is part of what tells a row from all others.
    """

    name: str
    kind: Kind
    path: str
    what: str
    is_key: bool = False

    def of(self, document: Mapping[str, Any]) -> str | int | float | bool | None:
        """The value in a document; None where there is none of this kind.

        >>> Column("n", Kind.INTEGER, "a/1", "").of({"a": [5, 6]})
        6
        """
        found: Any = document
        for step in self.path.split("/"):
            if isinstance(found, Mapping):
                found = found.get(step)
            elif isinstance(found, Sequence) and not isinstance(found, str) and step.isdecimal():
                found = found[int(step)]
            else:
                return None
        return _of_kind(found, self.kind)


def _of_kind(value: object, kind: Kind) -> str | int | float | bool | None:
    if kind is Kind.TEXT:
        return plain_text(value)
    if isinstance(value, bool) or kind is Kind.BOOLEAN:
        return value if isinstance(value, bool) and kind is Kind.BOOLEAN else None
    if kind is Kind.INTEGER:
        return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    return float(value) if isinstance(value, (int, float)) else None


def plain_text(value: object) -> str | None:
    """Lists and mappings in one line; an empty text is none, for CSV cannot tell the two apart.

    A NUL, which PostgreSQL does not take, and what is no Unicode become U+FFFD.

    >>> plain_text({"Conv": 2, "Relu": 1}), plain_text(["a", "b"]), plain_text([])
    ('Conv=2 Relu=1', 'a b', None)
    """
    if isinstance(value, Mapping):
        value = [f"{name}={item}" for name, item in value.items()]
    if isinstance(value, (list, tuple)):
        value = " ".join(str(item) for item in value)
    if value is None:
        return None
    told = str(value).replace("\0", "\ufffd")
    return told.encode("utf-16", "surrogatepass").decode("utf-16", "replace") or None


def _with_interval(
    name: str, unit: str, path: str, what: str, *, ends: str | None = None
) -> Iterator[Column]:
    """A number and its 95 % interval: `name_unit`, `name_low_unit`, `name_high_unit`."""
    tail = f"_{unit}" if unit else ""
    yield Column(f"{name}{tail}", Kind.REAL, path, what)
    ends = ends or f"{path}_ci95"
    low, high = "Lower end of its 95 % interval", "Upper end"
    yield Column(f"{name}_low{tail}", Kind.REAL, f"{ends}/0", low)
    yield Column(f"{name}_high{tail}", Kind.REAL, f"{ends}/1", high)


def _percentiles() -> Iterator[Column]:
    for name in ("p50", *PERCENTILES):
        what = "Median" if name == "p50" else f"Percentile {name[1:].replace('_', '.')}"
        yield from _with_interval(f"latency_{name}", "ms", f"cell/latency_ms/{name}", what)


_T, _I, _R, _B = Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN

CELLS: Final[tuple[Column, ...]] = (
    Column("run", _T, "run/id", "The run: the name of its folder", is_key=True),
    Column("cell", _T, "cell/key", "The cell within the run", is_key=True),
    Column("created", _T, "run/created", "When the run was made, ISO 8601 in UTC"),
    Column("command", _T, "run/command", "`run` or `bench`"),
    Column("is_finished", _B, "run/finished", "Whether the run came to its end"),
    Column("model", _T, "model", "What was compressed, or the files that were measured"),
    Column("model_sha256", _T, "run/model_sha256", "Of the model; empty for `bench`"),
    Column("data_sha256", _T, "run/data_sha256", "Of the labelled data"),
    Column("preset", _T, "run/protocol/preset", "The protocol's preset"),
    Column("seed", _I, "run/seed", "Of the order, the inputs and what trains"),
    Column("variant", _T, "cell/variant", "The variant; in `bench` the file's stem"),
    Column("format", _T, "cell/format", "`tflite` or `onnx`"),
    Column("sha256", _T, "measurement/sha256", "Of the file that ran"),
    Column("device", _T, "cell/device", "The device's name"),
    Column("runtime", _T, "cell/runtime", "The runtime on the device"),
    Column("runtime_version", _T, "cell/runtime_version", "Its version there"),
    Column("threads", _I, "cell/threads", "Threads of the runtime"),
    Column("accelerator", _T, "cell/accelerator", "What was asked for"),
    Column("scenario", _T, "cell/scenario", "How it was asked: `single`, `periodic:30`…"),
    Column("measured", _T, "measurement/created", "When the cell was measured, ISO 8601 in UTC"),
    Column("status", _T, "cell/status", "`ok`, `suspect`, `invalid`, `refused` or `failed`"),
    Column("reasons", _T, "cell/reasons", "Why, by the closed list; empty where it is `ok`"),
    Column("missing", _T, "cell/missing", "Why numbers are empty: `name=reason` as in `--json`"),
    Column("error", _T, "cell/error", "The runtime's own words"),
    Column("targets", _T, "targets", "Each limit and its verdict: `latency_p90_ms<=12:PASS`"),
    Column("is_advised", _B, "is_advised", "Whether this is what to ship; empty for `bench`"),
    Column("size_bytes", _I, "cell/size_bytes", "Size of the file"),
    Column("gzip_bytes", _I, "cell/gzip_bytes", "Its size by gzip"),
    *_percentiles(),
    Column("latency_mean_ms", _R, "cell/latency_ms/mean", "Mean of all samples"),
    Column("latency_min_ms", _R, "cell/latency_ms/min", "Shortest sample"),
    Column("latency_samples", _I, "cell/latency_ms/n", "Samples of all processes"),
    Column("latency_processes", _I, "cell/latency_ms/processes", "Launches of the runner"),
    Column("latency_outliers", _I, "cell/latency_ms/outliers", "Counted, never left out"),
    Column("latency_before_change", _I, "cell/latency_ms/before_change", "Of no percentile"),
    Column("latency_group", _I, "cell/latency_ms/group", "Queries timed together"),
    Column("latency_batch", _I, "cell/latency_ms/batch", "Samples that an invocation takes"),
    *_with_interval("throughput", "per_s", "cell/throughput_per_s", "Inferences a second"),
    Column("deadlines_due", _I, "cell/deadlines/due", "Queries that came at their rate"),
    Column("deadlines_missed", _I, "cell/deadlines/missed", "Not done before the next"),
    *_with_interval("deadlines_missed", "share", "cell/deadlines/missed_share", "Of all due"),
    Column("load_ms", _R, "cell/load_ms", "Opening the model"),
    Column("first_ms", _R, "cell/first_ms", "First inference"),
    Column("memory_model_mb", _R, "cell/memory_mb/model", "What the model costs, in 10⁶ bytes"),
    Column("memory_anonymous_mb", _R, "cell/memory_mb/anonymous", "Of it, what cannot be dropped"),
    Column("memory_load_peak_mb", _R, "cell/memory_mb/load_peak", "Highest while it is opened"),
    Column("memory_run_peak_mb", _R, "cell/memory_mb/run_peak", "Highest while it runs"),
    Column("memory_total_mb", _R, "cell/memory_mb/total", "Of the whole process"),
    Column("memory_spread_mb", _R, "cell/memory_mb/spread", "How far the processes lie apart"),
    *_with_interval("energy_gross", "mj", "cell/energy_mj/gross", "Of an inference, all of it"),
    Column("energy_gross_status", _T, "cell/energy_mj/gross_status", "How far it may be trusted"),
    *_with_interval("energy_dynamic", "mj", "cell/energy_mj/dynamic", "Above the idle power"),
    Column("energy_dynamic_status", _T, "cell/energy_mj/dynamic_status", "Likewise"),
    Column("energy_active_w", _R, "cell/energy_mj/active_w", "Power while it infers"),
    Column("energy_runs", _I, "cell/energy_mj/runs", "Launches of the energy pass"),
    Column("energy_source", _T, "cell/energy_mj/source", "The meter"),
    Column("energy_scope", _T, "cell/energy_mj/scope", "What the meter sees of the board"),
    Column("accuracy_metric", _T, "cell/accuracy/metric", "The metric"),
    *_with_interval(
        *("accuracy", "", "cell/accuracy/value", "A share, or an error in its own unit"),
        ends="cell/accuracy/ci95",
    ),
    Column("accuracy_samples", _I, "cell/accuracy/n", "Labelled samples"),
    Column("accuracy_on", _T, "cell/accuracy/on", "Whose kernels: `device` or `host`"),
    Column("agreement_cosine", _R, "cell/agreement/cosine", "With the host's float model"),
    Column("agreement_max_abs", _R, "cell/agreement/max_abs", "Largest difference of an element"),
    Column("agreement_top1", _R, "cell/agreement/top1", "Share with the same best class"),
    Column("accel_requested", _T, "cell/accel/requested", "The accelerator that was asked for"),
    Column("accel_effective", _T, "cell/accel/effective", "Who had nodes"),
    Column("accel_nodes_total", _I, "cell/accel/nodes_total", "Nodes of the model as it ran"),
    Column("accel_nodes", _I, "cell/accel/nodes_accel", "Of these, accelerated"),
    Column("accel_partitions", _I, "cell/accel/partitions", "In how many pieces"),
    Column("accel_cpu_ops", _T, "cell/accel/cpu_ops", "Left to the CPU, by operation"),
    *_with_interval("latency_ratio", "", "cell/vs_reference/latency_ratio", "To the reference"),
    Column("latency_verdict", _T, "cell/vs_reference/verdict", "`faster`, `slower`, `equivalent`…"),
    Column("latency_ratio_blocks", _I, "cell/vs_reference/blocks", "Blocks that were paired"),
    Column("latency_margin_ratio", _R, "cell/vs_reference/margin_ratio", "Smallest difference"),
    Column("latency_p", _R, "cell/vs_reference/p", "Of the ratio being 1"),
    Column("latency_p_holm", _R, "cell/vs_reference/p_holm", "Among all of the device"),
    Column("differs", _T, "cell/vs_reference/differs", "Conditions that were not the same"),
    Column("size_ratio", _R, "cell/vs_reference/size_ratio", "Size to the reference's"),
    *_with_interval(
        "accuracy_drop", "points", "cell/vs_reference/accuracy_drop_points", "Lost by sample pairs"
    ),
    Column("device_profile", _T, "device/profile", "Kind of board"),
    Column("device_model", _T, "device/facts/model", "What the board calls itself"),
    Column("device_architecture", _T, "device/facts/architecture", "Of its kernel"),
    Column("device_cpus", _T, "device/facts/cpus", "Kinds of cores"),
    Column("device_cpu_count", _I, "device/facts/cpu_count", "Cores"),
    Column("device_memory_bytes", _I, "device/facts/memory_total_bytes", "Memory"),
    Column("device_os", _T, "device/facts/os", "Operating system"),
    Column("device_kernel", _T, "device/facts/kernel", "Kernel"),
    Column("device_governor", _T, "device/facts/governor", "Of the clock, when it was probed"),
    Column("fingerprint_hw", _T, "measurement/fingerprint/hw", "Only equal ones are compared"),
    Column("fingerprint_sw", _T, "measurement/fingerprint/sw", "Likewise"),
    Column("fingerprint_state", _T, "measurement/fingerprint/state", "Likewise"),
    Column("fingerprint_runtime", _T, "measurement/fingerprint/runtime", "Of the runtime's wheel"),
    Column("fingerprint_delegate", _T, "measurement/fingerprint/delegate", "Of its library"),
    Column("edgebench_version", _T, "run/host/packages/edgebench", "Who measured"),
    Column("host_python", _T, "run/host/python", "Of the host"),
    Column("host_system", _T, "run/host/system", "Of the host"),
    Column("host_kernel", _T, "run/host/kernel", "Of the host"),
    Column("host_architecture", _T, "run/host/architecture", "Of the host"),
)

SAMPLES: Final[tuple[Column, ...]] = (
    Column("run", _T, "run", "As in the table of cells", is_key=True),
    Column("cell", _T, "cell", "As in the table of cells", is_key=True),
    Column("block", _I, "block", "The block: one launch of the runner", is_key=True),
    Column("invocation", _I, "invocation", "From 0, in order of time", is_key=True),
    Column("latency_ns", _I, "latency_ns", "Time of this inference"),
)


def column_rows(columns: Sequence[Column]) -> str:
    """The columns as rows of a Markdown table, as the README has them."""
    return "\n".join(
        f"| `{column.name}` | {column.kind}{', key' if column.is_key else ''} | {column.what} |"
        for column in columns
    )
