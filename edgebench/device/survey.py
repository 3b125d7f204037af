"""Which ways a device has to run models, which of them are taken, and what it costs to have one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from edgebench.core import Completed, Device, Format, Progress, Transport
from edgebench.device.provision import Launch, provision
from edgebench.device.ways import Way, chosen, ways_of
from edgebench.errors import ConfigError, DeviceError
from edgebench.runtimes import READS, RUNS

if TYPE_CHECKING:
    from pydantic import JsonValue

SCHEMA: Final = "edgebench.provision/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A runtime that was put on a device.

    Attributes:
        sent_bytes: By the link; 0 where all was there.
    """

    launch: Launch
    sent_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The ways of a device.

    Attributes:
        chosen: By format, the way that is taken where nothing is asked for; or why there is none.
        puts: What was put there.
    """

    device: str
    ways: tuple[Way, ...]
    chosen: dict[Format, Way | DeviceError]
    puts: tuple[Put, ...] = ()

    def formats(self, way: Way) -> str:
        """Formats that are run by a way, where nothing is asked for."""
        return " ".join(fmt.value for fmt, one in self.chosen.items() if one == way)

    def document(self) -> "dict[str, JsonValue]":
        """As `--json` prints it."""
        return {
            "schema": SCHEMA,
            "device": self.device,
            "ways": [
                {
                    "runtime": way.runtime,
                    "way": way.name,
                    "works": not way.why_not,
                    "chosen_for": [*self.formats(way).split()],
                    "what": way.what or None,
                    "why_not": [*way.why_not],
                }
                for way in self.ways
            ],
            "put": [
                {
                    "runtime": put.launch.runtime,
                    "how": put.launch.how,
                    "argv": [*put.launch.argv],
                    "sent_bytes": put.sent_bytes,
                    "seconds": round(put.seconds, 3),
                }
                for put in self.puts
            ],
        }


def survey(device: Device) -> Survey:
    """Every way to every runtime, by what the device says of itself; nothing is sent."""
    ways = [way for runtime in RUNS for way in ways_of(device, runtime)]
    found: dict[Format, Way | DeviceError] = {}
    for fmt in READS:
        try:
            found[fmt] = chosen(device, fmt)
        except DeviceError as error:
            found[fmt] = error
    return Survey(device=device.name, ways=tuple(ways), chosen=found)


def provisioned(device: Device, *, runtime: str | None, cache: Path, progress: Progress) -> Survey:
    """Have a runtime on a device: the one that is asked for, else the chosen one of each format.

    Raises:
        ConfigError: There is no such runtime.
        DeviceLost: The link broke.
        DeviceError: The board cannot run it; without one asked for, it can run none.
    """
    if runtime is not None and runtime not in RUNS:
        msg = f"There is no runtime {runtime!r}."
        raise ConfigError(msg, hint=f"Runtimes: {', '.join(RUNS)}.")
    found = survey(device)
    taken = [way.runtime for way in found.chosen.values() if isinstance(way, Way)]
    failures = [error for error in found.chosen.values() if isinstance(error, DeviceError)]
    if runtime is None and not taken:
        raise failures[0]
    puts = [
        _put(device, name, cache=cache, progress=progress)
        for name in ([runtime] if runtime else dict.fromkeys(taken))
    ]
    return replace(found, puts=tuple(puts))


def _put(device: Device, runtime: str, *, cache: Path, progress: Progress) -> Put:
    sent: list[int] = []
    counted = replace(device, transport=_Counted(device.transport, sent))
    begin_s = time.monotonic()
    launch = provision(counted, runtime, cache=cache, progress=progress)
    return Put(launch=launch, sent_bytes=sum(sent), seconds=time.monotonic() - begin_s)


class _Counted:
    """A transport that writes down how much it sends."""

    def __init__(self, transport: Transport, sent: list[int]) -> None:
        self._transport, self._sent = transport, sent

    @property
    def address(self) -> str:
        """Where the device stands."""
        return self._transport.address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""
        return self._transport.run(argv, timeout_s=timeout_s, stdin=stdin)

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to the device."""
        self._sent.append(source.stat().st_size)
        self._transport.push(source, target, timeout_s=timeout_s)

    def pull(self, source: PurePosixPath, target: Path, **options: Any) -> None:  # noqa: ANN401 - as they are
        """Copy a file from the device."""
        self._transport.pull(source, target, **options)

    def close(self) -> None:
        """End the connection."""
        self._transport.close()
