"""Meters that hang on the host: what they can do, and a thread that reads one."""

import importlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Final, Protocol

import numpy as np

from edgebench.core import Reason
from edgebench.errors import DeviceError
from edgebench.measure.energy.trace import Kind, Scope, Trace, no_trace

STOP_TIMEOUT_S: Final = 10.0

# A time of the host's CLOCK_MONOTONIC, and watts or joules.
Sample = tuple[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a meter is.

    Attributes:
        resolution: Smallest step, in watts or joules; None where it is not known.
        accuracy_ratio: Error of the gain by the data sheet; None where it has none. It is stated
            beside the joules and never part of their interval.
    """

    name: str
    scope: Scope
    kind: Kind
    rate_hz: float
    resolution: float | None = None
    accuracy_ratio: float | None = None


class HostMeter(Protocol):
    """One meter, from `open` to `close`, started and stopped as often as one likes in between.

    All times are of the host's CLOCK_MONOTONIC. An implementation raises DeviceError when the meter
    cannot be reached or its package is missing. A reading that fails later is no error: it is
    counted in the trace.
    """

    def open(self) -> None:
        """Reach the meter."""

    def describe(self) -> Description:
        """What it is; known once it is open."""

    def start(self) -> None:
        """Begin to sample anew."""

    def samples(self) -> Trace:
        """What was sampled since the last start, on the host's clock."""

    def stop(self) -> None:
        """End sampling; a second call does nothing."""

    def close(self) -> None:
        """Let the meter go, stopped or not; a second call does nothing."""


def needed(module: str, *, package: str, meter: str) -> ModuleType:
    """Import what an optional meter needs.

    Raises:
        DeviceError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"{meter} needs the package {package!r}, which is not installed."
        raise DeviceError(msg, hint=f"pip install {package}") from error


@dataclass(slots=True)
class Collected:
    """Samples of several threads, in order; what steps back in time is not among them."""

    rows: list[Sample] = field(default_factory=list)
    unreadable: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, samples: Iterable[Sample]) -> None:
        """Keep samples."""
        with self.lock:
            for time_ns, value in samples:
                is_later = not self.rows or time_ns > self.rows[-1][0]
                if is_later and np.isfinite(value):
                    self.rows.append((time_ns, value))
                else:
                    self.unreadable += 1

    def lose(self) -> None:
        """Count a reading that failed."""
        with self.lock:
            self.unreadable += 1

    def trace(self, description: Description) -> Trace:
        """What is kept, as a trace."""
        with self.lock:
            rows, unreadable = tuple(self.rows), self.unreadable
        kind, scope = description.kind, description.scope
        if not rows:
            return no_trace(kind, scope, Reason.SENSOR_GAP, unreadable=unreadable)
        return Trace(
            kind=kind,
            scope=scope,
            time_ns=np.array([time_ns for time_ns, _ in rows], dtype=np.int64),
            values=np.array([value for _, value in rows], dtype=np.float64),
            rails=(description.name,),
            resolution=description.resolution,
            unreadable=unreadable,
        )


class Polling:
    """A thread that asks for samples again and again.

    Args:
        read: What came in since the last call; an OSError or ValueError is a reading that failed.
    """

    def __init__(self, read: Callable[[], Sequence[Sample]], *, period_s: float) -> None:
        self.collected = Collected()
        self._read = read
        self._period_s = period_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin anew."""
        self.collected = Collected()
        self._ended.clear()
        self._thread = threading.Thread(target=self._poll, name="edgebench-meter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a second call does nothing."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_TIMEOUT_S)
            self._thread = None

    def _poll(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            try:
                self.collected.add(self._read())
            except (OSError, ValueError):
                self.collected.lose()
            # Beats that were missed are not made up for.
            due = max(due + self._period_s, time.monotonic())
            self._ended.wait(max(due - time.monotonic(), 0))
