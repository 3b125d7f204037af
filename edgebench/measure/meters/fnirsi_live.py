"""A USB meter by FNIRSI, read by running its logger beside the device.

https://github.com/baryluk/fnirsi-usb-power-data-logger (`fnirsi_logger.py`, which needs pyusb)
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.fnirsi import RESOLUTION_W, STEP_NS, read_log
from edgebench.measure.meters.host import STOP_TIMEOUT_S, Description

FIRST_READING_S: Final = 10.0
LOOK_S: Final = 0.05


class Fnirsi:
    """A `HostMeter`: what the logger prints is kept in a file, and read once it has stopped.

    Args:
        logger: Where the logger lies.
    """

    def __init__(self, logger: str) -> None:
        if not logger:
            msg = "'fnirsi' names no logger."
            raise ConfigError(msg, hint="Write where it lies: `fnirsi:tools/fnirsi_logger.py`.")
        self._logger = Path(logger)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._to_monotonic_ns = 0

    def open(self) -> None:
        """Run the logger until its first reading; raises DeviceError where there is none."""
        self.start()
        stop_s = time.monotonic() + FIRST_READING_S
        while self._process is not None and self._process.poll() is None:
            if self.samples().time_ns.size or time.monotonic() > stop_s:
                break
            time.sleep(LOOK_S)
        self.stop()
        if not self.samples().time_ns.size:
            words = self._printed("errors").strip().splitlines()
            msg = f"{str(self._logger)!r} reads nothing: {words[-1] if words else 'it is silent'}."
            raise DeviceError(msg, hint="Does it run by itself? It needs pyusb, and rights on USB.")

    def describe(self) -> Description:
        """What it is."""
        return Description(
            name="fnirsi",
            scope="board_dc",
            kind="power",
            rate_hz=1e9 / STEP_NS,
            resolution=RESOLUTION_W,
        )

    def start(self) -> None:
        """Run the logger anew."""
        # Its times are of the wall clock.
        self._to_monotonic_ns = time.monotonic_ns() - time.time_ns()
        folder = self._folder = self._folder or Path(tempfile.mkdtemp(prefix="edgebench-"))
        with (folder / "log").open("wb") as log, (folder / "errors").open("wb") as errors:
            argv = [sys.executable, "-u", str(self._logger)]
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=errors
            )

    def samples(self) -> Trace:
        """What it printed since the last start, on the host's clock."""
        text = self._printed("log")
        # The last line may not be whole, and the logger may greet.
        lines = [line for line in text[: text.rfind("\n") + 1].splitlines() if line[:1].isdigit()]
        trace = read_log("\n".join(lines))
        return replace(trace, time_ns=trace.time_ns + self._to_monotonic_ns)

    def _printed(self, name: str) -> str:
        return "" if self._folder is None else (self._folder / name).read_text(errors="replace")

    def stop(self) -> None:
        """End the logger."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """End the logger, and forget what it printed."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
