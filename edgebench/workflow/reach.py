"""The devices of a plan, connected: which answer, and by which runtime each format runs there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from edgebench.core import Device, Format
from edgebench.device.connect import connect
from edgebench.errors import DeviceError
from edgebench.measure.meters.host import HostMeter
from edgebench.plan import PlanDevice
from edgebench.workflow.build import Compat
from edgebench.workflow.cells import check_runtime, pick_runtime
from edgebench.workflow.order import Desk, Order

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
    reached: list[Reached] = []
    lost: dict[str, str] = {}
    for wanted in order.devices:
        check_runtime(wanted.runtime, targets)
        desk.progress(f"{wanted.name}: connecting")
        device = None
        try:
            device = _connect(wanted, desk)
        except DeviceError as error:
            lost[wanted.name] = error.in_full()
            desk.progress(f"{wanted.name}: {error}")
        runtimes = {t: pick_runtime(device, t, asked=wanted.runtime) for t in targets}
        meter = meters[wanted.name]
        reached.append(Reached(wanted=wanted, device=device, meter=meter, runtimes=runtimes))
    return reached, lost


def _connect(wanted: PlanDevice, desk: Desk) -> Device:
    address = wanted.address or wanted.name
    device = connect(address, profile=wanted.profile, password=desk.password)
    return replace(device, name=wanted.name)
