"""A meter that hangs on the host, beside a device at work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from edgebench.core import Device
from edgebench.measure.energy.clock import Alignment, align
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.host import Description, HostMeter
from edgebench.measure.ping import pings

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A meter of the host's, open, and what it said of itself then."""

    meter: HostMeter
    description: Description

    def beside(
        self, work: Callable[[], Answer], device: Device, *, python: str
    ) -> tuple[Answer, Trace, Alignment]:
        """Read the meter while a device works, between two comparisons of the clocks.

        Args:
            python: Of the device, to tell its clock.

        Returns:
            What the work answered, the readings on the host's clock, and that clock against the
            device's.
        """
        before = pings(device, python)
        self.meter.start()
        try:
            answer = work()
        finally:
            self.meter.stop()
        return answer, self.meter.samples(), align(before, pings(device, python))


def attached(meter: HostMeter) -> Attached:
    """A meter that is open."""
    return Attached(meter=meter, description=meter.describe())
