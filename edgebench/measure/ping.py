"""What time is it there? The clocks of host and device, compared over the open link."""

import functools
import time

from edgebench.core import Device, Reason
from edgebench.device.patience import patiently
from edgebench.errors import JobFailed
from edgebench.measure.energy.clock import PINGS, Ping

# The clock that the runner's windows are of; neither site nor environment is read to be quick.
TELL = "import time; print(time.monotonic_ns())"


def pings(device: Device, python: str) -> tuple[Ping, ...]:
    """Twenty questions to a Python of the device.

    Raises:
        JobFailed: It does not answer with a time.
        DeviceLost: The device stayed away for longer than its patience.
    """
    return tuple(patiently(functools.partial(_ping, device, python)) for _ in range(PINGS))


def _ping(device: Device, python: str) -> Ping:
    sent_ns = time.monotonic_ns()
    done = device.transport.run((python, "-I", "-S", "-c", TELL))
    received_ns = time.monotonic_ns()
    answer = done.stdout.strip()
    if done.exit_code != 0 or not answer.isdigit():
        words = (done.stderr or done.stdout).decode(errors="replace").strip()[-200:]
        msg = f"{device.name} does not tell its clock by {python!r}: {words or done.exit_code!r}."
        raise JobFailed(msg, reason=Reason.RUNTIME_ERROR)
    return Ping(sent_ns=sent_ns, device_ns=int(answer), received_ns=received_ns)
