"""The parts of a cell as `--json` prints them: no key is left out, what is not known is null."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import JsonValue

from edgebench.core import Measurement, Profile, Reason
from edgebench.measure.memory import MemorySummary
from edgebench.measure.percentiles import PERCENTILES
from edgebench.measure.replication import blocks_to_decide
from edgebench.measure.stats import Interval, LatencySummary
from edgebench.results.gaps import HIDDEN
from edgebench.units import mb_from_bytes, mj_from_j, ms_from_ns

if TYPE_CHECKING:
    from edgebench.results.cells import Cell


def latency_document(latency: LatencySummary | None) -> dict[str, JsonValue]:
    """Milliseconds."""
    names = ("p50", *PERCENTILES)
    counts = ("outliers", "outliers_share", "before_change", "group", "batch", "processes_needed")
    keys = (*(key for name in names for key in (name, f"{name}_ci95")), "mean", "min")
    times: dict[str, JsonValue] = dict.fromkeys(keys)
    if latency is None:
        empty: dict[str, JsonValue] = {**times, "n": 0, "processes": 0, **dict.fromkeys(counts)}
        return {
            "latency_ms": empty,
            "load_ms": None,
            "first_ms": None,
            **throughput_document(None),
        }
    for name in names:
        interval: Interval | None = getattr(latency, name)
        if interval is not None:
            times[name] = ms_from_ns(interval.value)
            times[f"{name}_ci95"] = [ms_from_ns(interval.low), ms_from_ns(interval.high)]
    times["mean"] = ms_from_ns(latency.mean)
    times["min"] = ms_from_ns(latency.min)
    times |= {name: getattr(latency, name) for name in ("n", "processes", *counts)}
    return {
        "latency_ms": times,
        "load_ms": ms_from_ns(latency.load_ns),
        "first_ms": ms_from_ns(latency.first_ns),
        **throughput_document(latency),
    }


def throughput_document(latency: LatencySummary | None) -> dict[str, JsonValue]:
    """Inferences a second, and of queries that come at a rate how many were not done in time."""
    per_s = latency.throughput_per_s if latency else None
    told = latency.deadlines if latency else None
    share = told.missed_share if told else None
    return {
        "throughput_per_s": per_s.value if per_s else None,
        "throughput_per_s_ci95": [per_s.low, per_s.high] if per_s else None,
        "deadlines": {
            "due": told.due if told else None,
            "missed": told.missed if told else None,
            "missed_share": share.value if share else None,
            "missed_share_ci95": [share.low, share.high] if share else None,
        },
    }


def memory_document(memory: MemorySummary | None) -> dict[str, JsonValue]:
    """Megabytes."""
    if memory is None:
        return dict.fromkeys(("model", "anonymous", "load_peak", "run_peak", "total", "spread"))
    sizes = {
        "model": memory.model_bytes,
        "anonymous": memory.anonymous_bytes,
        "load_peak": memory.load_peak_bytes,
        "run_peak": memory.run_peak_bytes,
        "total": memory.total_bytes,
        "spread": memory.spread_bytes,
    }
    return {name: None if size is None else mb_from_bytes(size) for name, size in sizes.items()}


def energy_document(cell: "Cell") -> dict[str, JsonValue]:
    """Millijoules of one inference; the reason is of the gross energy, or of all of it."""
    energy = cell.energy
    if energy is None:
        keys = ("gross", "gross_ci95", "gross_status", "dynamic", "dynamic_ci95", "dynamic_status")
        reason = cell.missing.get("energy", Reason.NOT_MEASURED)
        empty: dict[str, JsonValue] = dict.fromkeys((*keys, "source", "scope", "active_w"))
        return {**empty, "runs": 0, "reason": reason.value, "dynamic_reason": reason.value}
    runs = cell.measurement.energy if cell.measurement else None
    document: dict[str, JsonValue] = {
        "source": runs[0].meter if runs else None,
        "scope": energy.scope,
        "active_w": energy.active_w,
        "runs": energy.runs,
        "reason": _first(energy.gross_j.reasons),
        "dynamic_reason": _first(energy.dynamic_j.reasons),
    }
    for name, joules in (("gross", energy.gross_j), ("dynamic", energy.dynamic_j)):
        document[name] = None if joules.value is None else mj_from_j(joules.value)
        document[f"{name}_ci95"] = joules.ci95 and [mj_from_j(bound) for bound in joules.ci95]
        document[f"{name}_status"] = joules.status.value
    return document


def _first(reasons: Sequence[Reason]) -> str | None:
    return reasons[0].value if reasons else None


def accuracy_document(cell: "Cell") -> dict[str, JsonValue]:
    """With the reason where there is none."""
    accuracy = cell.measurement.accuracy if cell.measurement else None
    if accuracy is None:
        reason = cell.missing.get("accuracy", Reason.NOT_MEASURED)
        keys = ("metric", "value", "ci95")
        return {**dict.fromkeys(keys), "n": 0, "on": None, "reason": reason.value}
    return {
        "metric": accuracy.metric,
        "value": accuracy.value,
        "ci95": list(accuracy.ci95),
        "n": accuracy.samples,
        "on": accuracy.on,
        "reason": None,
    }


def agreement_document(measurement: Measurement | None) -> dict[str, JsonValue]:
    """With the host's float reference."""
    agreement = measurement.agreement if measurement else None
    if agreement is None:
        return {"cosine": None, "max_abs": None, "top1": None}
    return {
        "cosine": agreement.cosine,
        "max_abs": agreement.max_abs,
        "top1": agreement.top1,
    }


def reference_document(cell: "Cell") -> dict[str, JsonValue]:
    """Ratios and differences, with their intervals."""
    comparison, drop = cell.comparison, cell.drop_points
    return {
        "latency_ratio": comparison.ratio.value if comparison else None,
        "latency_ratio_ci95": [comparison.ratio.low, comparison.ratio.high] if comparison else None,
        "verdict": comparison.verdict if comparison else None,
        "blocks": comparison.blocks if comparison else None,
        "blocks_to_decide": blocks_to_decide(comparison) if comparison else None,
        "margin_ratio": comparison.margin_ratio if comparison else None,
        "p": comparison.p if comparison else None,
        "p_holm": comparison.p_holm if comparison else None,
        "differs": list(comparison.differs) if comparison else [],
        "size_ratio": cell.size_ratio,
        "accuracy_drop_points": drop.value if drop else None,
        "accuracy_drop_points_ci95": [drop.low, drop.high] if drop else None,
    }


def accel_document(measurement: Measurement | None) -> dict[str, JsonValue]:
    """Where the nodes ran; counts are null where the runtime does not tell."""
    keys = ("requested", "effective", "nodes_total", "nodes_accel", "partitions", "cpu_ops")
    accel = measurement.accel if measurement else None
    if accel is None:
        return dict.fromkeys((*keys, "unknown"))
    return asdict(accel)


def profile_document(cell: "Cell") -> dict[str, JsonValue]:
    """Time by type of operation, the longest first, and by node in the order they ran."""
    profile = cell.measurement.profile if cell.measurement else None
    if profile is None or cell.status in HIDDEN:
        return {"source": None, "inferences": 0, "by_type": [], "nodes": [], "unknown": None}
    return {
        "source": profile.source,
        "inferences": profile.inferences,
        "by_type": [_type_document(kind, profile) for kind in _types(profile)],
        "nodes": [asdict(row) for row in profile.rows],
        "unknown": profile.unknown,
    }


def _types(profile: Profile) -> list[str]:
    """Types of operation, by their time."""
    spent: dict[str, float] = {}
    for row in profile.rows:
        spent[row.op_type] = spent.get(row.op_type, 0.0) + row.ns_per_inference
    return sorted(spent, key=lambda kind: -spent[kind])


def _type_document(kind: str, profile: Profile) -> dict[str, JsonValue]:
    rows = [row for row in profile.rows if row.op_type == kind]
    return {
        "op_type": kind,
        "nodes": len(rows),
        "calls": sum(row.calls for row in rows),
        "share": sum(row.share for row in rows),
        "ns_per_inference": sum(row.ns_per_inference for row in rows),
        "providers": [*sorted({row.provider for row in rows if row.provider is not None})],
    }
