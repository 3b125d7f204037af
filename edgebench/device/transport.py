"""From an address to a Transport: the one place that lists the ways to reach a device."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from edgebench.core import Transport
from edgebench.device.adb import open_adb
from edgebench.device.local import open_local
from edgebench.device.replay import open_replay
from edgebench.device.ssh import open_ssh
from edgebench.errors import ConfigError

EXAMPLES: Final = (
    "local://, ssh://pi@192.0.2.7, ssh://pi@raspberrypi.local:2222, adb://R5CT30ABCDE, "
    "adb://192.0.2.7:5555, replay://board.json"
)


class Opener(Protocol):
    """Make a transport from an address; nothing is connected yet."""

    def __call__(
        self,
        address: str,
        /,
        *,
        password: Callable[[str], str] | None = None,
        password_env: str | None = None,
    ) -> Transport:
        """Make the transport of an address of this kind."""


TRANSPORTS: Final[Mapping[str, Opener]] = {
    "local": open_local,
    "ssh": open_ssh,
    "adb": open_adb,
    "replay": open_replay,
}


def open_transport(
    address: str,
    *,
    password: Callable[[str], str] | None = None,
    password_env: str | None = None,
) -> Transport:
    """Choose the transport of an address; the connection is made by the first call to it.

    Args:
        address: As the user writes it; see `EXAMPLES`.
        password: Asks the user, with the prompt that it is given; None where nobody can be asked.
        password_env: Name of the environment variable that holds the login password.

    Raises:
        ConfigError: The address is none that is known.
    """
    scheme, separator, _ = address.partition("://")
    if not separator or scheme not in TRANSPORTS:
        msg = f"{address!r} is not the address of a device."
        raise ConfigError(msg, hint=f"Addresses look like {EXAMPLES}.")
    return TRANSPORTS[scheme](address, password=password, password_env=password_env)
