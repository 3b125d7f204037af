"""The cells as rows for a person to read."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from edgebench.core import Accuracy, Status
from edgebench.measure.reasons import REMEDIES
from edgebench.measure.replication import blocks_to_decide
from edgebench.measure.stats import Interval
from edgebench.results.cells import Cell
from edgebench.results.columns import plain_text
from edgebench.results.gaps import HIDDEN
from edgebench.results.ship import Advice
from edgebench.results.targets import Checked
from edgebench.units import mb_from_bytes, mj_from_j, ms_from_ns, show_size

COLUMNS: Final = (
    *("variant", "format", "device", "threads", "accelerator", "scenario", "size", "gzip"),
    *("p50 ms", "p90 ms", "per s", "missed %", "vs reference", "memory MB", "energy mJ"),
    *("accuracy %", "drop", "agreement", "status"),
)


# Columns that say nothing where no cell has another scenario than `single`.
OF_SCENARIOS: Final = frozenset({"scenario", "per s", "missed %"})


def shown(cells: Sequence[Cell], columns: Sequence[str]) -> tuple[str, ...]:
    """Of these columns those that say something of the cells."""
    is_plain = all(cell.spec.scenario == "single" for cell in cells)
    return tuple(name for name in columns if not (is_plain and name in OF_SCENARIOS))


def readable_rows(cells: Sequence[Cell]) -> list[dict[str, str]]:
    """One row a cell, one text a column of `COLUMNS`; what is missing says why.

    Behind a `±` stands half of the 95 % interval: in percent of a time or a ratio, in points of an
    accuracy; behind a memory, how far its processes lie apart.
    """
    return [_readable(cell) for cell in cells]


def _readable(cell: Cell) -> dict[str, str]:
    latency, measurement = cell.latency, cell.measurement
    accuracy = measurement.accuracy if measurement else None
    return {
        "variant": cell.spec.variant,
        "format": cell.spec.format,
        "device": cell.spec.device,
        "threads": str(cell.spec.threads),
        "accelerator": cell.spec.accelerator,
        "scenario": _scenario(cell),
        "size": show_size(measurement.size_bytes) if measurement else "—",
        "gzip": show_size(measurement.gzip_bytes) if measurement else "—",
        "p50 ms": _ms(latency.p50) if latency else "—",
        "p90 ms": _ms(latency.p90) if latency and latency.p90 else _gap(cell, "latency_p90"),
        "per s": _throughput(cell),
        "missed %": _missed(cell),
        "vs reference": _versus(cell),
        "memory MB": _memory(cell),
        "energy mJ": _energy(cell),
        "accuracy %": _accuracy(accuracy) if accuracy else _gap(cell, "accuracy"),
        "drop": _drop(cell),
        "agreement": f"{measurement.agreement.cosine:.4f}"
        if measurement and measurement.agreement
        else _gap(cell, "agreement"),
        "status": show_status(cell),
    }


def show_status(cell: Cell) -> str:
    """The verdict with its reasons.

    A reason is one of the closed list; the runtime's own words stand below the table.
    """
    reasons = ", ".join(reason.value for reason in cell.reasons)
    return f"{cell.status.value}: {reasons}" if reasons else cell.status.value


def _gap(cell: Cell, name: str) -> str:
    """A dash, and behind it the reason of this number; of a hidden cell the status says it."""
    reason = cell.missing.get(name)
    return "—" if reason is None or cell.status in HIDDEN else f"— {reason.value}"


def _ms(interval: Interval) -> str:
    return f"{ms_from_ns(interval.value):.3g} ±{_show_share(interval.half_width_ratio)}"


def _show_share(ratio: float) -> str:
    """Half of an interval, in percent of its value; two digits are all that it can bear."""
    return f"{100 * ratio:.2g} %" if ratio < 1 else f"{100 * ratio:.0f} %"


def _versus(cell: Cell) -> str:
    if cell.spec.reference == cell.spec.key:
        return "reference"
    if cell.comparison is None:
        return _gap(cell, "vs_reference")
    ratio, verdict = cell.comparison.ratio, cell.comparison.verdict.replace("_", " ")
    more = blocks_to_decide(cell.comparison)
    verdict += f" (+{more} blocks)" if more else ""
    return f"{ratio.value:.3g} ±{_show_share(ratio.half_width_ratio)} {verdict}"


def _scenario(cell: Cell) -> str:
    """Its name, and how many inputs an invocation took where that is more than one."""
    batch = cell.latency.batch if cell.latency else 1
    return f"{cell.spec.scenario} (batch {batch})" if batch > 1 else cell.spec.scenario


def _throughput(cell: Cell) -> str:
    """Inferences a second."""
    per_s = cell.latency.throughput_per_s if cell.latency else None
    if per_s is None:
        return "—"
    digits = f"{per_s.value:.0f}" if per_s.value >= 100 else f"{per_s.value:.3g}"
    return f"{digits} ±{_show_share(per_s.half_width_ratio)}"


def _missed(cell: Cell) -> str:
    told = cell.latency.deadlines if cell.latency else None
    if told is None:
        return "—"
    low, high = (100 * bound for bound in (told.missed_share.low, told.missed_share.high))
    return f"{100 * told.missed_share.value:.2g} [{low:.2g}, {high:.2g}]"


def _drop(cell: Cell) -> str:
    drop = cell.drop_points
    if drop is not None:
        return f"{drop.value:+.1f} ±{(drop.high - drop.low) / 2:.1f}"
    # Without an accuracy the column beside it says why.
    return "—" if "accuracy" in cell.missing else _gap(cell, "accuracy_drop_points")


def _memory(cell: Cell) -> str:
    memory = cell.memory
    if memory is None or memory.model_bytes is None or memory.spread_bytes is None:
        return _gap(cell, "memory")
    return f"{mb_from_bytes(memory.model_bytes):.1f} ±{mb_from_bytes(memory.spread_bytes):.1f}"


def _energy(cell: Cell) -> str:
    """Gross energy of one inference, with what the meter sees of the board."""
    gross = cell.energy.gross_j if cell.energy else None
    if cell.energy is None or gross is None or gross.value is None:
        return _gap(cell, "energy")
    share = _show_share(gross.half_width_ratio or 0.0)
    return f"{mj_from_j(gross.value):.3g} ±{share} ({cell.energy.scope})"


def _accuracy(accuracy: Accuracy) -> str:
    factor = 100 if accuracy.kind == "share" else 1
    low, high = (factor * bound for bound in accuracy.ci95)
    return f"{factor * accuracy.value:.3g} ±{(high - low) / 2:.2g}"


def trouble(cells: Sequence[Cell]) -> list[str]:
    """What stands below the table: the words behind every cell without numbers."""
    return [
        f"{cell.spec.variant} ({_place(cell)}): {cell.measurement.error}"
        for cell in cells
        if cell.measurement and cell.measurement.error and cell.status is not Status.OK
    ]


def _place(cell: Cell) -> str:
    spec = cell.spec
    parts = (spec.format, spec.device, *(() if spec.accelerator == "cpu" else (spec.accelerator,)))
    return ", ".join(parts)


def remedies(cells: Sequence[Cell]) -> list[str]:
    """What to do about each reason that stands in the table, once."""
    found = dict.fromkeys(reason for cell in cells for reason in cell.reasons)
    return [f"{reason.value}: {REMEDIES[reason]}" for reason in found]


def markdown(
    cells: Sequence[Cell], checked: Sequence[Checked], advice: Sequence[Advice], *, run: str
) -> str:
    """The run for a pull request: what to ship, the limits, the table."""
    lines = [f"## edgebench: {markdown_text(run)}", ""]
    for item in advice:
        name = f"{item.cell.spec.variant}.{item.cell.spec.format}" if item.cell else "nothing"
        device, name, why = map(markdown_text, (item.device, name, item.why))
        lines.append(f"- **{device}**: ship {name}: {why}.")
    if checked:
        lines += ["", markdown_grid([target_row(c) for c in checked], ())]
    lines += ["", markdown_grid(readable_rows(cells), shown(cells, COLUMNS))]
    words = [*trouble(cells), *remedies(cells)]
    if words:
        lines += ["", *(f"- {markdown_text(word)}" for word in words)]
    return "\n".join(lines) + "\n"


def markdown_grid(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """A table in Markdown; of no columns all that the rows have."""
    import pandas as pd

    plain = [{name: markdown_text(text) for name, text in row.items()} for row in rows]
    table = pd.DataFrame(plain, columns=list(columns) or None)
    return table.to_markdown(index=False, disable_numparse=True)


def markdown_text(text: str) -> str:
    r"""The text in one line, where nothing is markup: no column, code, emphasis, HTML or link.

    >>> markdown_text("a|b\n<i>* [0, 1] [x](y)")
    'a\\|b \\<i>\\* [0, 1] [x\\](y)'
    """
    line = " ".join((plain_text(text) or "").split())
    return re.sub(r"[\\`*<|]|\](?=[(\[:])", r"\\\g<0>", line)


def target_row(checked: Checked) -> dict[str, str]:
    """One limit on one cell, as a person reads it."""
    scenario = "" if checked.scenario == "single" else f", {checked.scenario}"
    value = "—"
    if checked.value is not None and checked.ci95 is not None:
        value = f"{checked.value:.3g} [{checked.ci95[0]:.3g}, {checked.ci95[1]:.3g}]"
    return {
        "device": checked.device,
        "variant": f"{checked.variant} ({checked.format}{scenario})",
        "accelerator": checked.accelerator,
        "target": checked.target,
        "limit": f"{checked.limit:g}",
        "measured": value,
        "verdict": checked.verdict.value,
    }
