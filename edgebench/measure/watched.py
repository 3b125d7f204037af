"""What `runners/watch.py` is asked, and how the file that it writes is read.

The file comes from the device: nothing in it is believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edgebench.measure.watch import Reading, Readings, Source
from edgebench.untrusted import plain, read_document, readable

if TYPE_CHECKING:
    from pydantic import JsonValue

TEXT_CHARACTERS_MAX: Final = 65536
LINES_MAX: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """All that was read, by source and in order of time.

    Attributes:
        cost_ratio: Share of one core that the watching itself took; None where the watcher was
            killed before it could say so.
    """

    readings: Readings = field(default_factory=dict)
    cost_ratio: float | None = None


def source_document(source: Source) -> "dict[str, JsonValue]":
    """A source as the watcher reads it."""
    told: dict[str, JsonValue] = {
        "name": source.name,
        "period_s": source.period_s,
        "stream": source.is_stream,
    }
    if source.argv is None:
        return {**told, "path": source.path}
    return {**told, "argv": [*source.argv]}


def read_watched(content: bytes) -> Watched:
    r"""Read the watcher's file; lines that are no readings are left out.

    >>> read_watched(b'[5, "load", "0.1"]\n[6, "load", null, "gone"]\nnoise\n').readings["load"]
    (Reading(time_ns=5, text='0.1', error=None), Reading(time_ns=6, text=None, error='gone'))
    """
    found: dict[str, list[Reading]] = {}
    cost: float | None = None
    for line in content.splitlines()[:LINES_MAX]:
        row = _document(line)
        if isinstance(row, dict):
            cost = _cost(row)
        elif (reading := _reading(row)) is not None:
            found.setdefault(row[1], []).append(reading)
    return Watched(
        readings={
            name: tuple(sorted(readings, key=lambda reading: reading.time_ns))
            for name, readings in found.items()
        },
        cost_ratio=cost,
    )


def _document(line: bytes) -> Any:  # noqa: ANN401 - of JSON
    try:
        return read_document(line)
    except ValueError:
        return None


def _reading(row: Any) -> Reading | None:  # noqa: ANN401 - of JSON
    match row:
        case [int(time_ns), str(), str(text)] if not isinstance(time_ns, bool):
            return Reading(time_ns=time_ns, text=readable(text[:TEXT_CHARACTERS_MAX]))
        case [int(time_ns), str(), None, str(error)] if not isinstance(time_ns, bool):
            return Reading(time_ns=time_ns, text=None, error=plain(error[:TEXT_CHARACTERS_MAX]))
    return None


def _cost(row: Mapping[str, Any]) -> float | None:
    match row:
        case {"begin_ns": int(begin), "end_ns": int(end), "cpu_s": float(used)} if end > begin:
            return round(used / ((end - begin) / 1e9), 5)
    return None
