"""The meters at the host that a command reads: open before anything is done, until it is over."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgebench.core import Device, MeasureProtocol
from edgebench.device.connect import connect, meter_of
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.meters.host_registry import opened
from edgebench.workflow.order import Desk, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """A device, and its meter at the host, open."""

    device: Device
    meter: HostMeter | None


@contextlib.contextmanager
def opened_meter(
    device: str, protocol: MeasureProtocol, *, asked: str | None, profile: str | None = None
) -> Iterator[HostMeter | None]:
    """The meter that is asked for, else the one of the inventory or the profile.

    None where there is none, or no energy is measured.

    Args:
        device: A name of the inventory, or an address.
    """
    address = asked or meter_of(device, profile=profile) if protocol.energy_runs else None
    with opened(address) as meter:
        yield meter


@contextlib.contextmanager
def reached(
    device: str, protocol: MeasureProtocol, desk: Desk, *, asked: str | None
) -> Iterator[Here]:
    """A device that answered, with its meter; raises as `connect` and `opened` do."""
    with opened_meter(device, protocol, asked=asked) as meter:
        found = connect(device, password=desk.password)
        try:
            yield Here(device=found, meter=meter)
        finally:
            found.transport.close()


@contextlib.contextmanager
def opened_meters(order: Order) -> Iterator[Mapping[str, HostMeter | None]]:
    """The meters of all devices of a plan, by the device's name."""
    with contextlib.ExitStack() as stack:
        yield {
            device.name: stack.enter_context(
                opened_meter(
                    device.address or device.name,
                    order.protocol,
                    asked=device.meter,
                    profile=device.profile,
                )
            )
            for device in order.devices
        }
