"""All meters that hang on the host, by the scheme of their address."""

from collections.abc import Callable, Mapping
from typing import Final

from edgebench.errors import ConfigError
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.meters.joulescope import Joulescope
from edgebench.measure.meters.monsoon import Monsoon
from edgebench.measure.meters.otii import Otii
from edgebench.measure.meters.ppk2 import Ppk2
from edgebench.measure.meters.shelly import shelly, shelly_gen1
from edgebench.measure.meters.tasmota import tasmota

HOST_METERS: Final[Mapping[str, Callable[[str], HostMeter]]] = {
    "joulescope": lambda rest: Joulescope(rest or None),
    "monsoon": lambda rest: Monsoon(_volts(rest, "monsoon")),
    "otii": lambda _: Otii(),
    "ppk2": lambda rest: Ppk2(_volts(rest, "ppk2")),
    "shelly": lambda rest: shelly(f"http://{rest}"),
    "shelly-gen1": lambda rest: shelly_gen1(f"http://{rest}"),
    "tasmota": lambda rest: tasmota(f"http://{rest}"),
}


def host_meter(address: str) -> HostMeter:
    """The meter of an address, not yet open: `tasmota://192.168.1.50`, `ppk2://5.0`.

    What stands after `//` is the host of a plug, the volts of a supply, or nothing.

    Raises:
        ConfigError: There is no such meter, or its volts are none.
    """
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in HOST_METERS:
        msg = f"{address!r} is no meter."
        raise ConfigError(msg, hint=f"Write one of {', '.join(HOST_METERS)}, `://`, and where.")
    return HOST_METERS[scheme](rest)


def _volts(text: str, scheme: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        msg = f"{text!r} is no voltage for the board."
        raise ConfigError(msg, hint=f"Write it behind the meter: `{scheme}://5.0`.") from error
