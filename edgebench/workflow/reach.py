"""The devices of a plan, connected: which answer, and by which runtime each format runs there."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from edgebench.core import Device, Format
from edgebench.device.connect import connect
from edgebench.device.halt import Halt
from edgebench.errors import DeviceError
from edgebench.measure.meters.host import HostMeter
from edgebench.plan import PlanDevice
from edgebench.workflow.build import Compat
from edgebench.workflow.cells import check_runtime, pick_runtime
from edgebench.workflow.order import Desk, Order
from edgebench.workflow.workers import at_once

# tflite-runtime 2.14 computes per-channel dynamic fully-connected layers wrongly, without an error.
OLD_TFLITE: Final = Compat({"tflite-2.14"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A device of the plan that answered, or did not.

    Attributes:
        device: None where it could not be reached.
        meter: That hangs on the host, open.
        runtimes: By format; where the device has none, why.
    """

    wanted: PlanDevice
    device: Device | None
    meter: HostMeter | None
    runtimes: Mapping[Format, str | DeviceError]

    @property
    def name(self) -> str:
        """Its name in the plan."""
        return self.wanted.name

    def compat(self, target: Format) -> Compat:
        """What a variant must heed to be right on this device."""
        return OLD_TFLITE if self.runtimes.get(target) == "tflite-runtime" else Compat()


def reach(
    order: Order, desk: Desk, meters: Mapping[str, HostMeter | None]
) -> tuple[list[Reached], dict[str, str]]:
    """Every device of an order, and of those that do not answer why not, by name."""
    targets = order.targets
    for wanted in order.devices:
        check_runtime(wanted.runtime, targets)
    reached: list[Reached] = []
    lost: dict[str, str] = {}
    found = _connected(order.devices, desk)
    for wanted in order.devices:
        answer = found[wanted.name]
        device = answer if isinstance(answer, Device) else None
        if isinstance(answer, DeviceError):
            lost[wanted.name] = answer.in_full()
        runtimes = {t: pick_runtime(device, t, asked=wanted.runtime) for t in targets}
        meter = meters[wanted.name]
        reached.append(Reached(wanted=wanted, device=device, meter=meter, runtimes=runtimes))
    return reached, lost


class _Asking(DeviceError):
    """A device wants a password, which only one at a time may ask for."""


def _connected(wanted: Sequence[PlanDevice], desk: Desk) -> dict[str, Device | DeviceError]:
    """Every device, all at once; then those that somebody has to type something for, in turn."""

    def later(prompt: str) -> str:
        raise _Asking(prompt)

    def work(one: PlanDevice, halt: Halt) -> Device:
        desk.progress(f"{one.name}: connecting")
        # Nothing stands on the device yet that would have to be ended there.
        return halt.do(lambda: _connect(one, later if desk.password else None))

    found = at_once({one.name: functools.partial(work, one) for one in wanted}, desk.progress)
    for one in wanted:
        if isinstance(found[one.name], _Asking):
            try:
                found[one.name] = _connect(one, desk.password)
            except DeviceError as error:
                found[one.name] = error
        if isinstance(answer := found[one.name], DeviceError):
            desk.progress(f"{one.name}: {answer}")
    return found


def _connect(wanted: PlanDevice, password: Callable[[str], str] | None) -> Device:
    address = wanted.address or wanted.name
    device = connect(address, profile=wanted.profile, password=password)
    return replace(device, name=wanted.name)
