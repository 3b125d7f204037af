"""What a user promised, against what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from edgebench.core import Status
from edgebench.measure.stats import Interval
from edgebench.plan import Target
from edgebench.results.cells import Cell
from edgebench.units import mb_from_bytes, mj_from_j, ms_from_ns


class Verdict(StrEnum):
    """Whether a limit holds: only where the whole interval says so."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_MEASURED = "NOT MEASURED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One limit on one cell."""

    key: str
    device: str
    variant: str
    format: str
    threads: int
    accelerator: str
    scenario: str
    target: str
    limit: float
    value: float | None
    ci95: tuple[float, float] | None
    verdict: Verdict

    def document(self) -> dict[str, JsonValue]:
        """As `--json` prints it."""
        return {**asdict(self), "ci95": list(self.ci95) if self.ci95 else None}


def check_targets(targets: Sequence[Target], cells: Sequence[Cell]) -> tuple[Checked, ...]:
    """Every limit of every target on every cell that it speaks of."""
    return tuple(
        _check(cell, name, limit)
        for target in targets
        for cell in cells
        if _speaks_of(target, cell)
        for name, limit in target.limits().items()
        # What takes a batch at once is asked for throughput: no query of it has a latency.
        if not (name.startswith("latency") and cell.spec.scenario.startswith("offline"))
    )


def _speaks_of(target: Target, cell: Cell) -> bool:
    spec = cell.spec
    return (
        target.device in {"*", spec.device}
        and target.variant in {"*", spec.variant}
        and target.scenario in {"*", spec.scenario}
    )


def _check(cell: Cell, name: str, limit: float) -> Checked:
    interval = measured_of(cell, name)
    return Checked(
        key=cell.spec.key,
        device=cell.spec.device,
        variant=cell.spec.variant,
        format=cell.spec.format,
        threads=cell.spec.threads,
        accelerator=cell.spec.accelerator,
        scenario=cell.spec.scenario,
        target=name,
        limit=limit,
        value=interval.value if interval else None,
        ci95=(interval.low, interval.high) if interval else None,
        verdict=judge_cell(cell, name, limit),
    )


def judge(interval: Interval | None, limit: float) -> Verdict:
    """Whether a value is at most `limit`.

    >>> judge(Interval(value=9.0, low=8.0, high=10.0), 12.0)
    <Verdict.PASS: 'PASS'>
    >>> judge(Interval(value=9.0, low=8.0, high=10.0), 9.5)
    <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
    """
    if interval is None:
        return Verdict.NOT_MEASURED
    if interval.high <= limit:
        return Verdict.PASS
    return Verdict.FAIL if interval.low > limit else Verdict.INCONCLUSIVE


def judge_cell(cell: Cell, name: str, limit: float) -> Verdict:
    """Whether a cell holds a limit; one launch cannot say how launches differ, and decides none."""
    verdict = judge(measured_of(cell, name), limit)
    is_alone = name.startswith("latency") and cell.latency and cell.latency.processes < 2
    return Verdict.INCONCLUSIVE if is_alone and verdict is not Verdict.NOT_MEASURED else verdict


def measured_of(cell: Cell, name: str) -> Interval | None:
    """The value that a limit speaks of, in the limit's unit; None where it was not measured."""
    if cell.measurement is None or cell.status not in {Status.OK, Status.SUSPECT}:
        return None
    measure = MEASURES.get(name)
    return measure(cell) if measure else None


def _size(cell: Cell) -> Interval | None:
    if cell.measurement is None:
        return None
    size_mb = mb_from_bytes(cell.measurement.size_bytes)
    return Interval(value=size_mb, low=size_mb, high=size_mb)


def _energy(cell: Cell) -> Interval | None:
    """All that the meter saw of an inference: what a battery pays."""
    gross = cell.energy.gross_j if cell.energy else None
    if gross is None or gross.value is None or gross.ci95 is None:
        return None
    low, high = (mj_from_j(bound) for bound in gross.ci95)
    return Interval(value=mj_from_j(gross.value), low=low, high=high)


def _in_ms(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    low, high = ms_from_ns(interval.low), ms_from_ns(interval.high)
    return Interval(value=ms_from_ns(interval.value), low=low, high=high)


def _percentile(cell: Cell, name: str) -> Interval | None:
    """In milliseconds; where it cannot be shown, all from nothing to what it is at most."""
    latency = cell.latency
    shown: Interval | None = getattr(latency, name, None)
    if shown is None and latency is not None and name in latency.ceilings:
        high = latency.ceilings[name]
        shown = Interval(value=high, low=0.0, high=high)
    return _in_ms(shown)


def _drop(cell: Cell) -> Interval | None:
    has_accuracy = cell.measurement is not None and cell.measurement.accuracy is not None
    if cell.spec.reference == cell.spec.key and has_accuracy:
        return Interval(value=0.0, low=0.0, high=0.0)
    return cell.drop_points


def _memory(cell: Cell) -> Interval | None:
    """The middle process, and as far to both sides as all of them lie apart."""
    memory = cell.memory
    if memory is None or memory.model_bytes is None or memory.spread_bytes is None:
        return None
    value, spread = mb_from_bytes(memory.model_bytes), mb_from_bytes(memory.spread_bytes)
    return Interval(value=value, low=value - spread, high=value + spread)


# By what a target may limit: the value of a cell, in the limit's unit.
MEASURES: Final[Mapping[str, Callable[[Cell], Interval | None]]] = {
    "latency_p50_ms": lambda cell: _percentile(cell, "p50"),
    "latency_p90_ms": lambda cell: _percentile(cell, "p90"),
    "latency_p99_ms": lambda cell: _percentile(cell, "p99"),
    "accuracy_drop_points": _drop,
    "model_memory_mb": _memory,
    "energy_mj": _energy,
    "size_mb": _size,
}
