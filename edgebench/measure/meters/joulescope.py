"""Joulescope JS110 and JS220: joules that the instrument itself has added up.

https://joulescope-driver.readthedocs.io
https://github.com/jetperch/pyjoulescope_driver/blob/main/pyjoulescope_driver/entry_points/statistics.py
"""

import time
from typing import Any, Final

from edgebench.errors import DeviceError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.host import Collected, Description, Sample, needed

PACKAGE: Final = "pyjoulescope_driver"
# The JS110 has no other rate.
JS110_HZ: Final = 2.0
JS220_HZ: Final = 10.0
# Data sheet of the JS220, of power in the ranges that a board draws.
ACCURACY_RATIO: Final = 0.005


class Joulescope:
    """A `HostMeter`: the first instrument that is plugged in, or the one of a path."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._driver: Any = None
        self._collected = Collected()
        self._is_heard = False

    def open(self) -> None:
        """Find the instrument and open it; raises DeviceError where there is none."""
        module = needed(PACKAGE, package=PACKAGE, meter="Joulescope")
        self._driver = module.Driver()
        paths = list(self._driver.device_paths())
        self._path = self._path or next(iter(paths), None)
        if self._path not in paths:
            self.close()
            msg = f"There is no Joulescope {self._path or ''!r}; found: {', '.join(paths)!r}."
            raise DeviceError(msg, hint="Plug it in, and see to the udev rules of its driver.")
        self._driver.open(self._path)

    def describe(self) -> Description:
        """What it is."""
        return Description(
            name="joulescope",
            scope="board_dc",
            kind="counter",
            rate_hz=JS110_HZ if self._is_js110 else JS220_HZ,
            accuracy_ratio=ACCURACY_RATIO,
        )

    @property
    def _is_js110(self) -> bool:
        return "js110" in (self._path or "")

    def start(self) -> None:
        """Let the instrument choose its range, and hear what it has added up."""
        self._collected = Collected()
        if self._is_js110:
            self._driver.publish(f"{self._path}/s/i/range/select", "auto")
        else:
            self._driver.publish(f"{self._path}/s/i/range/mode", "auto")
            self._driver.publish(f"{self._path}/s/stats/scnt", round(1_000_000 / JS220_HZ))
            self._driver.publish(f"{self._path}/s/stats/ctrl", 1)
        self._driver.subscribe(self._topic, "pub", self._hear)
        self._is_heard = True

    @property
    def _topic(self) -> str:
        return f"{self._path}/s/{'sstats' if self._is_js110 else 'stats'}/value"

    def _hear(self, _topic: str, value: Any) -> None:  # noqa: ANN401  # the driver's own document
        self._collected.add([sample_of(value, time.monotonic_ns())])

    def samples(self) -> Trace:
        """What was added up since the last start, on the host's clock."""
        return self._collected.trace(self.describe())

    def stop(self) -> None:
        """No longer hear it."""
        if self._is_heard:
            self._driver.unsubscribe(self._topic, self._hear)
            self._is_heard = False

    def close(self) -> None:
        """Close the driver."""
        self.stop()
        if self._driver is not None:
            self._driver.finalize()
            self._driver = None


def sample_of(value: Any, now_ns: int) -> Sample:  # noqa: ANN401  # the driver's own document
    """Joules in one of the driver's documents.

    >>> sample_of({"accumulators": {"energy": {"value": 12.5, "units": "J"}}}, 7)
    (7, 12.5)
    """
    return now_ns, float(value["accumulators"]["energy"]["value"])
