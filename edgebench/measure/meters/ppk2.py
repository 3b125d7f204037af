"""Nordic Power Profiler Kit II as the supply of a small board: its current at a set voltage.

https://docs.nordicsemi.com/bundle/ug_ppk2/
https://github.com/IRNAS/ppk2-api-python (GPL 2: never a dependency, only where it is installed)

At most 1 A: too little for a Pi 4 or 5. The voltage is not measured.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.host import Description, Polling, Sample, needed

RATE_HZ: Final = 100_000
PERIOD_S: Final = 0.05
VOLTS: Final = (0.8, 5.0)


class Adder:
    """Joules from microamperes: every sample counts, and one number a packet is kept."""

    def __init__(self, volts: float) -> None:
        self._volts = volts
        self._energy_j = 0.0

    def add(self, microamperes: Sequence[float], now_ns: int) -> list[Sample]:
        """The joules up to now; nothing where nothing came."""
        if not microamperes:
            return []
        self._energy_j += sum(microamperes) * 1e-6 * self._volts / RATE_HZ
        return [(now_ns, self._energy_j)]


class Ppk2:
    """A `HostMeter` that feeds the board as well.

    Args:
        port: Of the first kit that is plugged in, where it is None.
    """

    def __init__(self, volts: float, *, port: str | None = None) -> None:
        if not VOLTS[0] <= volts <= VOLTS[1]:
            msg = f"A PPK2 cannot supply {volts!r} V."
            raise ConfigError(msg, hint=f"It supplies {VOLTS[0]} to {VOLTS[1]} V.")
        self._volts = volts
        self._port = port
        self._kit: Any = None
        self._is_measuring = False
        self._adder = Adder(volts)
        self._polling = Polling(self._samples, period_s=PERIOD_S)

    def open(self) -> None:
        """Set the voltage and switch the board on; raises DeviceError where there is no kit."""
        module = needed("ppk2_api.ppk2_api", package="ppk2-api", meter="PPK2")
        ports = module.PPK2_API.list_devices() if self._port is None else [self._port]
        if not ports:
            msg = "There is no PPK2 on any serial port."
            raise DeviceError(msg, hint="Plug it in, or name its port.")
        # Newer releases list pairs of port and serial number.
        port = ports[0] if isinstance(ports[0], str) else ports[0][0]
        self._kit = module.PPK2_API(port, timeout=1, write_timeout=1, exclusive=True)
        self._kit.get_modifiers()
        self._kit.set_source_voltage(round(self._volts * 1000))
        self._kit.use_source_meter()
        self._kit.toggle_DUT_power("ON")

    def describe(self) -> Description:
        """What it is."""
        return Description(name="ppk2", scope="board_dc", kind="counter", rate_hz=1 / PERIOD_S)

    def start(self) -> None:
        """Begin to measure."""
        self._kit.start_measuring()
        self._is_measuring = True
        self._polling.start()

    def samples(self) -> Trace:
        """What was added up since the last start, on the host's clock."""
        return self._polling.collected.trace(self.describe())

    def stop(self) -> None:
        """No longer measure; the board stays on."""
        self._polling.stop()
        if self._is_measuring:
            self._kit.stop_measuring()
            self._is_measuring = False

    def close(self) -> None:
        """Let the kit go, which may switch the board off."""
        self.stop()
        self._kit = None

    def _samples(self) -> list[Sample]:
        content = self._kit.get_data()
        now_ns = time.monotonic_ns()
        return (
            self._adder.add(microamperes(self._kit.get_samples(content)), now_ns) if content else []
        )


def microamperes(answer: Any) -> Sequence[float]:  # noqa: ANN401  # differs between releases
    """The currents of an answer, which since 0.9 is a pair of them and the logic inputs.

    >>> microamperes(([1.0, 2.0], [0, 0])), microamperes([1.0, 2.0])
    ([1.0, 2.0], [1.0, 2.0])
    """
    currents: Sequence[float] = answer[0] if isinstance(answer, tuple) else answer
    return currents
