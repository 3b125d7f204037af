"""USB meters by FNIRSI (FNB48, FNB58, C1), from what a logger of theirs printed.

https://github.com/baryluk/fnirsi-usb-power-data-logger

A packet of four readings comes every 40 ms, and the logger numbers its times from the arrival on,
so that they step back where a packet came early.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from edgebench.errors import ConfigError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.readings import Shape, from_rows

PER_PACKET: Final = 4
STEP_NS: Final = 10_000_000
PACKET_NS: Final = PER_PACKET * STEP_NS
# A packet that is later than this was not late: some before it are missing.
LATE_MAX_NS: Final = 10 * PACKET_NS
# How quickly the meter's own clock is believed to differ from what was expected of it.
FOLLOW: Final = 0.05
# Volts to 10 uV, amperes to 10 uA: at 5 V.
RESOLUTION_W: Final = 5e-5


def read_log(text: str) -> Trace:
    """Watts at the times that the meter took them, on the clock of the logger.

    Raises:
        ConfigError: A line is not one of the logger's.
    """
    rows: list[tuple[int, float]] = []
    expected_ns: int | None = None
    for arrived_ns, watts in packets(text):
        packet_ns = _smoothed(arrived_ns, expected_ns)
        expected_ns = packet_ns + PACKET_NS
        first_ns = packet_ns - (len(watts) - 1) * STEP_NS
        rows.extend((first_ns + i * STEP_NS, power) for i, power in enumerate(watts))
    shape = Shape(kind="power", scope="board_dc", rails=("usb",), resolution=RESOLUTION_W)
    kept = [row for i, row in enumerate(rows) if i == 0 or row[0] > rows[i - 1][0]]
    return from_rows(kept, shape, unreadable=len(rows) - len(kept))


def _smoothed(arrived_ns: int, expected_ns: int | None) -> int:
    if expected_ns is None or abs(arrived_ns - expected_ns) > LATE_MAX_NS:
        return arrived_ns if expected_ns is None else max(arrived_ns, expected_ns)
    return expected_ns + round(FOLLOW * (arrived_ns - expected_ns))


def packets(text: str) -> Iterator[tuple[int, list[float]]]:
    """When each packet came, and its watts."""
    watts: list[float] = []
    arrived_ns = 0
    for line in text.splitlines():
        cells = line.split()
        if not cells or cells[0] == "timestamp":
            continue
        time_ns, index, power = _row(cells, line)
        if index == 0 or not watts:
            if watts:
                yield arrived_ns, watts
            arrived_ns, watts = time_ns - index * STEP_NS, []
        watts.append(power)
    if watts:
        yield arrived_ns, watts


def _row(cells: list[str], line: str) -> tuple[int, int, float]:
    try:
        time_ns = int(Decimal(cells[0]) * 10**9)
        return time_ns, int(cells[1]), float(cells[2]) * float(cells[3])
    except (IndexError, ValueError, ArithmeticError) as error:
        msg = f"{line[:60]!r} is no line of the logger: time, index, volts, amperes."
        raise ConfigError(msg) from error
