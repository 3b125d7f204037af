"""Monsoon HV power monitor as the supply of a board or a phone.

https://github.com/msoon/PyMonsoon (`Monsoon/sampleEngine.py`)
"""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edgebench.core import Reason
from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.energy.trace import Trace, no_trace
from edgebench.measure.meters.host import STOP_TIMEOUT_S, Description, needed

VOLTS: Final = (0.8, 13.5)
# Of 5000 samples a second some share a time, that of their packet: they are averaged over this.
BIN_S: Final = 0.01


class Monsoon:
    """A `HostMeter` that feeds the board as well; what it sampled is known once it has stopped."""

    def __init__(self, volts: float) -> None:
        if not VOLTS[0] <= volts <= VOLTS[1]:
            msg = f"A Monsoon HV cannot supply {volts!r} V."
            raise ConfigError(msg, hint=f"It supplies {VOLTS[0]} to {VOLTS[1]} V.")
        self._volts = volts
        self._monitor: Any = None
        self._engine: Any = None
        self._limit = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._begin_ns = 0

    def open(self) -> None:
        """Reach the monitor and set its voltage; raises DeviceError where it does not answer."""
        high = needed("Monsoon.HVPM", package="monsoon", meter="Monsoon")
        sampling = needed("Monsoon.sampleEngine", package="monsoon", meter="Monsoon")
        self._monitor = high.Monsoon()
        try:
            self._monitor.setup_usb()
            self._monitor.setVout(self._volts)
        except (OSError, AttributeError) as error:
            msg = f"The Monsoon does not answer on USB: {error}."
            raise DeviceError(msg, hint="Plug it in, and see to the rights on its USB.") from error
        self._engine = sampling.SampleEngine(self._monitor)
        self._engine.ConsoleOutput(False)
        self._limit = sampling.triggers.SAMPLECOUNT_INFINITE
        # Its own default is to stop after ten seconds.
        self._engine.setStopTrigger(lambda _now, _level: self._ended.is_set(), 0)

    def describe(self) -> Description:
        """What it is."""
        return Description(name="monsoon", scope="board_dc", kind="power", rate_hz=1 / BIN_S)

    def start(self) -> None:
        """Begin to sample."""
        self._ended.clear()
        self._begin_ns = time.monotonic_ns()
        self._thread = threading.Thread(
            target=self._engine.startSampling, args=(self._limit,), daemon=True
        )
        self._thread.start()

    def samples(self) -> Trace:
        """All that was sampled, on the host's clock; call it once, after `stop`."""
        if self._engine is None or self._thread is None or self._thread.is_alive():
            return no_trace("power", "board_dc", Reason.SENSOR_GAP)
        # Time, main current and main voltage are what is recorded unless asked otherwise.
        times_s, milliamperes, volts = self._engine.getSamples()[:3]
        return trace_of(times_s, milliamperes, volts, begin_ns=self._begin_ns)

    def stop(self) -> None:
        """No longer sample; the board stays on."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=STOP_TIMEOUT_S)

    def close(self) -> None:
        """No longer sample; the board stays on."""
        self.stop()


def trace_of(
    times_s: Sequence[float],
    milliamperes: Sequence[float],
    volts: Sequence[float],
    *,
    begin_ns: int,
) -> Trace:
    """Watts, the mean of each hundredth of a second in which there were samples."""
    if not len(times_s):
        return no_trace("power", "board_dc", Reason.SENSOR_GAP)
    watts = np.asarray(milliamperes) * np.asarray(volts) / 1e3
    bins, where = np.unique(np.floor(np.asarray(times_s) / BIN_S), return_inverse=True)
    means = np.bincount(where, weights=watts) / np.bincount(where)
    return Trace(
        kind="power",
        scope="board_dc",
        time_ns=begin_ns + np.round((bins + 0.5) * BIN_S * 1e9).astype(np.int64),
        values=means,
        rails=("main",),
    )
