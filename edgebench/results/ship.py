"""The answer: which variant should ship on a device, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edgebench.core import Status
from edgebench.measure.stats import compare
from edgebench.results.cells import Cell
from edgebench.results.store import CellSpec
from edgebench.results.targets import Checked, Verdict
from edgebench.units import ms_from_ns, show_size

# Without a limit of the user's own, a variant that lost more than this is not advised.
DROP_POINTS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to ship on one device.

    Attributes:
        cell: None where nothing measured can be advised.
        why: A sentence with its numbers.
    """

    device: str
    cell: Cell | None
    why: str


def advise(
    cells: Sequence[Cell], checked: Sequence[Checked], *, margin_ratio: float
) -> tuple[Advice, ...]:
    """For each device the smallest of the variants that none is faster than.

    A variant is eligible whose limits all hold. Where the user set none on accuracy, it may have
    lost at most one point against the reference; where it has labels and no loss can be told, it
    is not eligible. Of several scenarios the limits of all count, and speed is judged by the first.
    Of these, the fastest and all that are equivalent to it by the margin; of those, the smallest
    file.
    """
    failing = {_form(c) for c in checked if c.verdict is not Verdict.PASS}
    scenario = cells[0].spec.scenario if cells else None
    limited = {c.key for c in checked if c.target == "accuracy_drop_points"}
    eligible = [
        cell
        for cell in cells
        if cell.spec.scenario == scenario
        and _form(cell.spec) not in failing
        and _is_eligible(cell, cell.spec.key in limited)
    ]
    specs = {cell.spec.key: cell.spec for cell in cells}
    return tuple(
        _advise_device(
            device, [cell for cell in eligible if cell.spec.device == device], specs, margin_ratio
        )
        for device in dict.fromkeys(cell.spec.device for cell in cells)
    )


def _form(row: Checked | CellSpec) -> tuple[str, str, str, int]:
    """What would ship, in whatever scenario it was measured."""
    return row.device, row.variant, row.format, row.threads


def _is_eligible(cell: Cell, is_limited: bool) -> bool:
    measurement = cell.measurement
    if measurement is None or cell.status not in {Status.OK, Status.SUSPECT} or not cell.latency:
        return False
    if is_limited or measurement.accuracy is None or cell.spec.reference == cell.spec.key:
        return True
    return cell.drop_points is not None and cell.drop_points.value <= DROP_POINTS


def _advise_device(
    device: str, eligible: Sequence[Cell], specs: Mapping[str, CellSpec], margin_ratio: float
) -> Advice:
    if not eligible:
        why = "no variant was measured that holds every limit"
        return Advice(device=device, cell=None, why=why)
    fastest = min(eligible, key=lambda cell: cell.latency.p50.value if cell.latency else 0.0)
    tied = [cell for cell in eligible if _is_tied(cell, fastest, margin_ratio)]
    best = min(tied, key=_size_bytes)
    parts = _numbers(best, specs.get(best.spec.reference or ""))
    if len({cell.spec.threads for cell in eligible}) > 1:
        parts.insert(0, f"with {best.spec.threads} threads")
    if len({cell.spec.accelerator for cell in eligible}) > 1:
        parts.insert(0, f"on {best.spec.accelerator}")
    if best.measurement and best.measurement.accuracy is None:
        parts.append("accuracy was not measured")
    if len(tied) > 1:
        parts.append(f"the smallest of {len(tied)} that cannot be told apart in speed")
    elif best.measurement and best.measurement.accuracy is not None:
        parts.append("the fastest of those that keep their accuracy and limits")
    else:
        parts.append("the fastest of those that hold every limit")
    return Advice(device=device, cell=best, why="; ".join(parts))


def _is_tied(cell: Cell, fastest: Cell, margin_ratio: float) -> bool:
    if cell is fastest or cell.recorded is None or fastest.recorded is None:
        return cell is fastest
    samples, reference = cell.recorded.samples, fastest.recorded.samples
    # Where a device cannot show a difference as small as the margin, its own floor was taken.
    floors = [c.comparison.margin_ratio for c in (cell, fastest) if c.comparison is not None]
    verdict = compare(
        samples, reference, margin_ratio=margin_ratio, floor_ratio=max(floors, default=0.0)
    ).verdict
    return verdict in {"equivalent", "different_but_small"}


def _size_bytes(cell: Cell) -> int:
    return cell.measurement.size_bytes if cell.measurement else 0


def _place(best: Cell, reference: CellSpec | None) -> str:
    """Where the reference ran, if that was elsewhere."""
    if reference is None or reference.accelerator == best.spec.accelerator:
        return ""
    return f" on {reference.accelerator}"


def _numbers(best: Cell, reference: CellSpec | None) -> list[str]:
    latency = best.latency
    parts = []
    if latency is not None:
        low, high = ms_from_ns(latency.p50.low), ms_from_ns(latency.p50.high)
        parts.append(f"p50 {ms_from_ns(latency.p50.value):.3g} ms [{low:.3g}, {high:.3g}]")
    if best.comparison is not None:
        ratio, verdict = best.comparison.ratio, best.comparison.verdict.replace("_", " ")
        parts.append(
            f"{ratio.value:.3g}x [{ratio.low:.3g}, {ratio.high:.3g}] the time of the float "
            f"{best.spec.format}{_place(best, reference)} ({verdict})"
        )
    parts.append(show_size(_size_bytes(best)))
    if best.drop_points is not None:
        drop = best.drop_points
        parts.append(f"{drop.value:+.1f} points lost [{drop.low:+.1f}, {drop.high:+.1f}]")
    return parts
