"""An instrument that records by itself: its file is read when the run is over."""

from typing import Final, get_args

from edgebench.core import Reason
from edgebench.errors import ConfigError
from edgebench.measure.energy.trace import Scope, Trace, no_trace
from edgebench.measure.meters.host import Description

NAME: Final = "trace"
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


def scope_of(name: str) -> Scope:
    """A scope by its name; raises ConfigError where it is none."""
    for scope in SCOPES:
        if scope == name:
            return scope
    msg = f"{name!r} is nothing that an instrument sees."
    raise ConfigError(msg, hint=f"Write `trace:` and one of {', '.join(SCOPES)}.")


class Recorder:
    """A `HostMeter` that is never read here; `edgebench results energy` brings its trace.

    Args:
        scope: What the instrument sees of the board.
        period_s: How often it writes down a value.
    """

    def __init__(self, scope: str, period_s: float) -> None:
        self._scope = scope_of(scope)
        self._rate_hz = 1 / period_s

    def open(self) -> None:
        """Nothing is reached."""

    def describe(self) -> Description:
        """What it is."""
        return Description(name=NAME, scope=self._scope, kind="power", rate_hz=self._rate_hz)

    def start(self) -> None:
        """It runs already."""

    def samples(self) -> Trace:
        """Nothing yet."""
        return no_trace("power", self._scope, Reason.NOT_MEASURED)

    def stop(self) -> None:
        """It goes on."""

    def close(self) -> None:
        """Nothing is held."""
