"""What a device says of itself, and a record of it for `replay://`."""

from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from edgebench.core import Transport
from edgebench.device.connect import connect
from edgebench.device.record import Recorder
from edgebench.device.replay import write_capture
from edgebench.measure.doctor.registry import seen
from edgebench.measure.meters import choice


def probe(
    name_or_address: str,
    *,
    profile: str | None = None,
    password: Callable[[str], str] | None = None,
    record: str | None = None,
) -> dict[str, JsonValue]:
    """The facts of a device, with its profile and the meters that it has.

    Args:
        record: A file to write what was said to, without what names this one board.

    Raises:
        ConfigError: No such device, address or profile; or the file cannot be written.
        DeviceError: It does not answer, or refuses the login.
    """
    recorders: list[Recorder] = []

    def recorded(transport: Transport) -> Transport:
        recorders.append(Recorder(transport))
        return recorders[-1]

    device = connect(name_or_address, profile=profile, password=password, through=recorded)
    try:
        listing = seen(device)
        sources = None if listing is None else choice.sources(listing)
        if record is not None:
            write_capture(Path(record), recorders[-1].capture())
    finally:
        device.transport.close()
    head = {"profile": device.profile.name, "work_folder": str(device.work_folder)}
    return {**head, **device.facts, "energy_sources": sources}
