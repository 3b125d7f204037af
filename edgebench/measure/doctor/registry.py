"""All checks, in the order in which they are told, and the examination of a device."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from edgebench.core import Device
from edgebench.device.look import Listing, look
from edgebench.device.patience import patiently
from edgebench.errors import DeviceError, DeviceLost
from edgebench.measure.doctor import clocks, heat, memory, phone, share, supply, system
from edgebench.measure.doctor.trouble import Check, Condition, Severity, Trouble
from edgebench.measure.meters import choice
from edgebench.measure.state import cores, monitors

DOCTOR: Final[Mapping[str, Check]] = {
    "governor": clocks.governor,
    "clock_capped": clocks.capped,
    "clocks_not_locked": clocks.locked_clocks,
    "boost": clocks.boost,
    "power_mode": clocks.power_mode,
    "idle_states": clocks.idle_states,
    "cores_offline": clocks.cores_offline,
    "unlike_cores": clocks.unlike_cores,
    "throttled_now": supply.throttled_now,
    "throttled_before": supply.throttled_before,
    "supply_low": supply.supply_low,
    "over_current": supply.over_current,
    "on_battery": supply.on_battery,
    "firmware_closed": supply.firmware_closed,
    "energy_source": supply.energy_source,
    "hot": heat.hot,
    "thermal_service": heat.thermal_service,
    "fan": heat.fan,
    "memory_low": memory.memory_low,
    "memory_limit": share.memory_limit,
    "swap_used": memory.swap_used,
    "zram": memory.zram,
    "disk_low": memory.disk_low,
    "battery_low": phone.battery_low,
    "charging": phone.charging,
    "battery_warm": phone.battery_warm,
    "battery_saver": phone.battery_saver,
    "asleep": phone.asleep,
    "falls_asleep": phone.falls_asleep,
    "screen_on": phone.screen_on,
    "other_load": share.other_load,
    "emulated": share.emulated,
    "virtual_machine": share.virtual_machine,
    "container": share.container,
    "steal": share.steal,
    "core_limit": share.core_limit,
    "cores_withheld": share.cores_withheld,
    "no_runtime": system.no_runtime,
    "narrow_system": system.narrow_system,
    "no_dot_product": system.no_dot_product,
    "tools_missing": system.tools_missing,
    "waits_by_looking": system.waits_by_looking,
    "noexec": system.noexec,
    "not_writable": system.not_writable,
    "clock_off": system.clock_off,
}


def seen(device: Device) -> Listing | None:
    """Files that tell of meters and monitors on a device: one round trip.

    None for a device that is replayed and was not asked.

    Raises:
        DeviceLost: It does not answer.
    """
    globs = (*monitors.globs(), *choice.globs(), *cores.GLOBS)
    tools = (*monitors.tools(), *choice.tools())
    try:
        return patiently(lambda: look(device.transport, globs=globs, tools=tools))
    except DeviceLost:
        raise
    except DeviceError:
        return None


def _for_root(trouble: Trouble) -> Trouble:
    """A login that is root needs no sudo, and may have none."""
    return replace(trouble, mend=trouble.mend and trouble.mend.replace("sudo ", ""))


def examine(device: Device, *, is_metered: bool = False) -> dict[str, Trouble]:
    """What would spoil a measurement on a device, by its check and the worst first.

    Args:
        is_metered: Whether a meter at the host is read in the place of the device's own.

    Raises:
        DeviceLost: It does not answer.
    """
    listing = seen(device)
    meter = None if listing is None or is_metered else choice.choose(listing)
    condition = Condition(device=device, listing=listing or Listing(), meter=meter)
    found = {name: trouble for name, check in DOCTOR.items() if (trouble := check(condition))}
    if device.facts.get("is_root"):
        found = {name: _for_root(trouble) for name, trouble in found.items()}
    order = list(Severity)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1].severity)))
