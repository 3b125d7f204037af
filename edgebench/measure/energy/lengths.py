"""How long the device must work, and be idle, for a meter of a kind and rate."""

from dataclasses import dataclass
from typing import Final

from edgebench.measure.energy.trace import Kind, Scope

LAG_S: Final = 0.5
# Of a plug in the wall, until its chirp has told.
WALL_LAG_S: Final = 2.0
GUARD_MIN_S: Final = 1.0
PLATEAU_MIN_S: Final = 10.0
SAMPLES_MIN: Final = 20
COARSE_W: Final = 1.0
ACTIVE_MAX_S: Final = 300.0
# Least rate of a meter, and the active time that it needs.
_BY_RATE: Final = ((9.5, 20.0), (1.5, 30.0), (0.95, 60.0), (0.0, 120.0))
_COUNTER_S: Final = 15.0
_COARSE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Seconds of work, and of idle before and after it each."""

    active_s: float
    idle_s: float


def guard_s(period_s: float, *, lag_s: float = LAG_S, clock_uncertainty_s: float = 0.0) -> float:
    """What is left out at either end of a window, so that the meter has caught up.

    >>> guard_s(0.1), guard_s(1.5), guard_s(0.1, lag_s=0.0)
    (2.0, 3.0, 1.0)
    """
    return max(4 * lag_s, 2 * period_s, 2 * clock_uncertainty_s, GUARD_MIN_S)


def window_length(
    kind: Kind,
    rate_hz: float,
    *,
    scope: Scope | None = None,
    resolution_w: float | None = None,
    lag_s: float = LAG_S,
) -> Length:
    """The windows to begin with; double the active one where the interval is too wide.

    The plateau keeps at least 10 s and 20 readings after the guards. So do the two idle windows
    together, which with 10 s each a meter of one reading a second would not.

    Args:
        scope: One that reads power in the wall needs 120 s.
        resolution_w: Smallest step of a power meter; one of whole watts needs 120 s.

    >>> window_length("power", 10.0)
    Length(active_s=20.0, idle_s=10.0)
    >>> window_length("power", 1.0)
    Length(active_s=60.0, idle_s=14.5)
    """
    guard = guard_s(1 / rate_hz, lag_s=lag_s)
    active = _COARSE_S if kind == "power" and scope == "wall_ac" else 0.0
    active = max(active, _active_s(kind, rate_hz, resolution_w))
    # One more, for the windows may begin just after a reading.
    plateau = max(PLATEAU_MIN_S, (SAMPLES_MIN + 1) / rate_hz)
    return Length(
        active_s=max(active, plateau + 2 * guard),
        idle_s=max(10.0, plateau / 2 + 2 * guard),
    )


def _active_s(kind: Kind, rate_hz: float, resolution_w: float | None) -> float:
    if kind == "counter":
        return _COUNTER_S
    if resolution_w is not None and resolution_w >= COARSE_W:
        return _COARSE_S
    return next(active_s for least_hz, active_s in _BY_RATE if rate_hz >= least_hz)
