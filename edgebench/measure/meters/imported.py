"""Traces that another program has written: a plain CSV, or the log of MLPerf's PTDaemon.

https://github.com/mlcommons/power-dev (`spl.txt`)

Their times are of a clock that is theirs: `edgebench.measure.energy.aligned.by_chirps` finds it.
"""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from edgebench.errors import ConfigError
from edgebench.measure.energy.trace import Scope, Trace
from edgebench.measure.meters.fnirsi import read_log
from edgebench.measure.meters.readings import Shape, from_rows

CSV_COLUMNS: Final = {"power_w": "power", "energy_j": "counter"}
# What int64 holds.
TIME_MAX_NS: Final = 2**63
_SPL_TIME: Final = "%m-%d-%Y %H:%M:%S.%f"


def read_trace(path: Path, *, scope: Scope) -> Trace:
    """A file of any of these programs, or of FNIRSI's logger; its first line says whose it is.

    Raises:
        ConfigError: It cannot be read, or is none of these.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The trace {str(path)!r} cannot be read: {error}."
        raise ConfigError(msg) from error
    if text.startswith("Time,"):
        return read_spl(text, scope=scope)
    if text.startswith("timestamp "):
        return read_log(text)
    return read_csv(text, scope=scope)


def read_csv(text: str, *, scope: Scope) -> Trace:
    """A CSV with a header: `time_s`, and `power_w` or, of a counter, `energy_j`.

    Raises:
        ConfigError: A column is missing, a line is no number, or times do not rise.
    """
    table = csv.DictReader(text.splitlines())
    columns = table.fieldnames or []
    column = next((name for name in CSV_COLUMNS if name in columns), None)
    if "time_s" not in columns or column is None:
        msg = f"The trace has the columns {', '.join(columns)!r}."
        raise ConfigError(msg, hint="It needs a header with `time_s` and `power_w` or `energy_j`.")
    cells = ((row["time_s"] or "", row[column] or "") for row in table)
    rows = list(_rising(cells, first_line=2))
    shape = Shape(
        kind="counter" if column == "energy_j" else "power", scope=scope, rails=("imported",)
    )
    return from_rows(rows, shape)


def _rising(cells: Iterator[tuple[str, str]], *, first_line: int) -> Iterator[tuple[int, float]]:
    last_ns: int | None = None
    for line, (time_s, value) in enumerate(cells, first_line):
        try:
            # Seconds of an epoch with nanoseconds have more digits than a float.
            time_ns, number = int(Decimal(time_s) * 10**9), float(Decimal(value))
            is_number = math.isfinite(number) and abs(time_ns) < TIME_MAX_NS
        except (InvalidOperation, ValueError, OverflowError) as error:
            msg = f"Line {line} of the trace is {f'{time_s},{value}'!r}, not two numbers."
            raise ConfigError(msg) from error
        if not is_number:
            msg = f"Line {line} of the trace is {f'{time_s},{value}'!r}, which nothing can be."
            raise ConfigError(msg)
        if last_ns is not None and time_ns <= last_ns:
            msg = f"Line {line} of the trace is not later than the one before: {time_s!r}."
            raise ConfigError(msg, hint="Sort it by time and drop what is there twice.")
        last_ns = time_ns
        yield time_ns, number


def read_spl(text: str, *, scope: Scope = "wall_ac") -> Trace:
    """The log of PTDaemon: `Time,MM-DD-YYYY hh:mm:ss.mmm,Watts,9.87,Volts,...`.

    Its local times are read as UTC: only what passed between them is right. Readings of no power
    are unreadable, as MLPerf drops them too.

    Raises:
        ConfigError: A line does not begin so.
    """
    rows: list[tuple[int, float]] = []
    unreadable = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        time_ns, watts = _spl_row(line, number)
        if watts > 0 and (not rows or time_ns > rows[-1][0]):
            rows.append((time_ns, watts))
        else:
            unreadable += 1
    shape = Shape(kind="power", scope=scope, rails=("imported",))
    return from_rows(rows, shape, unreadable=unreadable)


def _spl_row(line: str, number: int) -> tuple[int, float]:
    cells = [cell.strip() for cell in line.split(",")]
    try:
        named = dict(zip(cells[::2], cells[1::2], strict=False))
        when = datetime.strptime(named["Time"], _SPL_TIME).replace(tzinfo=UTC)
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
        microseconds = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
        return microseconds * 1000, float(named["Watts"])
    except (KeyError, ValueError) as error:
        msg = f"Line {number} is {line[:60]!r}, not one of PTDaemon's log."
        raise ConfigError(msg) from error
