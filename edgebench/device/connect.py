"""From a name or an address to a Device that answered."""

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from pydantic import JsonValue

from edgebench.core import Device, DeviceProfile, Transport
from edgebench.device.facts import read_facts
from edgebench.device.floors import read_floor
from edgebench.device.inventory import Entry, read_inventory, unknown_device
from edgebench.device.profile import BEHIND_ADB, GENERIC, THIS_MACHINE, load_profile, propose
from edgebench.device.replay import ReplayTransport
from edgebench.device.transport import open_transport
from edgebench.errors import DeviceError


def connect(
    name_or_address: str,
    *,
    profile: str | None = None,
    password: Callable[[str], str] | None = None,
    through: Callable[[Transport], Transport] = lambda transport: transport,
) -> Device:
    """Reach a device and ask what it is.

    Args:
        profile: Name of the profile, in place of the inventory's and of what the facts propose.
        password: Asks the user, with the prompt that it is given; None where nobody can be asked.
        through: What everything that is said passes, as a `Recorder`.

    Raises:
        ConfigError: No such device, address or profile.
        DeviceLost: It does not answer.
        DeviceError: It answers, but refuses the login or is not usable.
    """
    entry = _entry(name_or_address)
    chosen = profile or entry.profile
    is_here = entry.address.startswith("local://")
    if chosen is None:
        chosen = _profile_of(entry.address)
    kind = load_profile(chosen) if chosen else None
    opened = open_transport(entry.address, password=password, password_env=entry.password_env)
    transport = through(opened)
    ask = functools.partial(
        read_facts,
        transport,
        python=sys.executable if is_here else "",
        asked_s=opened.recorded_s if isinstance(opened, ReplayTransport) else None,
    )
    try:
        return _probe(transport, name_or_address, kind, ask)
    except DeviceError:
        transport.close()
        raise


def refreshed(device: Device) -> Device:
    """The device with what it says of itself now.

    Raises:
        DeviceLost: It does not answer.
    """
    is_here = device.transport.address.startswith("local://")
    facts = read_facts(
        device.transport,
        work_folder=str(device.work_folder),
        python=sys.executable if is_here else "",
    )
    return replace(device, facts={**device.facts, **facts})


def meter_of(name_or_address: str, *, profile: str | None = None) -> str | None:
    """The meter at the host that a device of the inventory, or a named profile, is read by.

    Raises:
        ConfigError: No such device or profile.
    """
    entry = _entry(name_or_address)
    chosen = profile or entry.profile
    return entry.meter or (load_profile(chosen).meter if chosen else None)


def _profile_of(address: str) -> str | None:
    """The profile that the way to a device tells by itself."""
    scheme, _, _ = address.partition("://")
    return {"local": THIS_MACHINE, "adb": BEHIND_ADB}.get(scheme)


def _entry(name_or_address: str) -> Entry:
    if "://" in name_or_address:
        return Entry(name=name_or_address, address=name_or_address)
    entry = read_inventory().get(name_or_address)
    if entry is None:
        raise unknown_device(name_or_address)
    return entry


def _probe(
    transport: Transport,
    name: str,
    kind: DeviceProfile | None,
    ask: Callable[..., dict[str, JsonValue]],
) -> Device:
    work = (kind or load_profile(GENERIC)).work_folder
    facts = ask(work_folder=work)
    if kind is None:
        kind = propose(facts).profile
        if kind.work_folder != work:
            # Space and rights are those of another file system there.
            facts = ask(work_folder=kind.work_folder)
    floor = read_floor(name, facts)
    if floor is not None:
        facts["noise_floor_ratio"] = floor.floor_ratio
    return Device(
        name=name,
        profile=kind,
        transport=transport,
        facts=facts,
        work_folder=_absolute(kind.work_folder, facts, transport),
    )


def _absolute(folder: str, facts: Mapping[str, JsonValue], transport: Transport) -> PurePosixPath:
    home = facts.get("home")
    if folder.startswith("~"):
        if not isinstance(home, str) or not home.startswith("/"):
            msg = f"{transport.address} has no home folder, so {folder!r} is nowhere: {home!r}."
            raise DeviceError(msg, hint="Name an absolute work_folder in the device's profile.")
        folder = home + folder[1:]
    return PurePosixPath(folder)
