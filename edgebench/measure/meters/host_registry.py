"""All meters that hang on the host, by the kind that their address begins with."""

import contextlib
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

from edgebench.errors import ConfigError, DeviceError
from edgebench.measure.meters.fnirsi_live import Fnirsi
from edgebench.measure.meters.host import HostMeter
from edgebench.measure.meters.joulescope import Joulescope
from edgebench.measure.meters.monsoon import Monsoon
from edgebench.measure.meters.otii import Otii
from edgebench.measure.meters.plug import PERIOD_S, Plug
from edgebench.measure.meters.ppk2 import Ppk2
from edgebench.measure.meters.recorder import Recorder
from edgebench.measure.meters.shelly import shelly, shelly_gen1
from edgebench.measure.meters.tasmota import tasmota

HOST_METERS: Final[Mapping[str, Callable[[str], HostMeter]]] = {
    "fnirsi": Fnirsi,
    "joulescope": lambda rest: Joulescope(rest or None),
    "monsoon": lambda rest: Monsoon(_volts(rest, "monsoon")),
    "otii": lambda _: Otii(),
    "ppk2": lambda rest: Ppk2(_volts(rest, "ppk2")),
    "shelly": lambda rest: _plug(shelly, rest, "shelly"),
    "shelly-gen1": lambda rest: _plug(shelly_gen1, rest, "shelly-gen1"),
    "tasmota": lambda rest: _plug(tasmota, rest, "tasmota"),
    "trace": lambda rest: Recorder(*_divided(rest)),
}


def host_meter(address: str) -> HostMeter:
    """The meter of an address, not yet open: `tasmota:192.0.2.9`, `ppk2:5.0`, `joulescope`.

    What stands after the colon is the host of a plug, the volts of a supply, the path of a logger,
    what a trace covers, or nothing.

    Raises:
        ConfigError: There is no such meter, or what stands after the colon is nothing for it.
    """
    kind, _, rest = address.partition(":")
    if kind not in HOST_METERS:
        near = difflib.get_close_matches(kind, HOST_METERS, n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        msg = f"{address!r} is no meter."
        hint = f"{meant}Meters: {', '.join(HOST_METERS)}; for example `tasmota:192.0.2.9`."
        raise ConfigError(msg, hint=hint)
    return HOST_METERS[kind](rest.removeprefix("//"))


@contextlib.contextmanager
def opened(address: str | None) -> Iterator[HostMeter | None]:
    """The meter of an address, reached and held until the block ends; None where there is none.

    Raises:
        ConfigError: As `host_meter` does.
        DeviceError: It cannot be reached, or its package is missing.
    """
    if address is None:
        yield None
        return
    meter = host_meter(address)
    try:
        _open(meter, address)
        yield meter
    finally:
        meter.close()


def _open(meter: HostMeter, address: str) -> None:
    try:
        meter.open()
    except DeviceError as error:
        msg = f"The meter {address!r} cannot be used: {error}"
        raise DeviceError(msg, hint=error.hint) from error


def _plug(make: Callable[..., Plug], rest: str, kind: str) -> Plug:
    host, period_s = _divided(rest)
    if not host:
        msg = f"{kind!r} names no plug."
        raise ConfigError(msg, hint=f"Write where it is: `{kind}:192.0.2.9`.")
    return make(f"http://{host}", period_s=period_s)


def _divided(rest: str) -> tuple[str, float]:
    """What stands before `?period_s=0.2`, and how often the meter tells its value."""
    name, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    try:
        period_s = float(options.pop("period_s", PERIOD_S))
    except ValueError:
        period_s = 0.0
    if options or not 0.01 <= period_s <= 10:
        msg = f"{query!r} says nothing of a meter."
        raise ConfigError(msg, hint="Only `?period_s=0.2`, from 0.01 to 10 s, can stand there.")
    return name, period_s


def _volts(text: str, kind: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        msg = f"{text!r} is no voltage for the board."
        raise ConfigError(msg, hint=f"Write it behind the meter: `{kind}:5.0`.") from error
