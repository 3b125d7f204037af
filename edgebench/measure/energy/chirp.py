"""Where in a trace a device's chirp is: what the trace's clock is off by, and how the meter lags.

The device lets all its cores spin and rest a few times over. What a meter shows of that is taken to
be the same, later, and smoothed by a low pass of first order. For each delay and each low pass
least squares say how well that explains the readings, beside a constant and what is left of the
power before (separable least squares, Golub and Pereyra 1973, on a grid).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.measure.energy.counter import power_between
from edgebench.measure.energy.trace import Trace

PULSES: Final = 3
PULSE_MIN_S: Final = 1.0
# With fewer readings a pulse falls between them.
READINGS_PER_PULSE: Final = 4
# Delays are looked at in steps of so much of a pulse, and faster readings are averaged over it.
STEP: Final = 0.05
LOW_PASSES: Final = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
READINGS_MIN: Final = 20
# Share of what the readings vary by that the chirp must explain, and how much less any other place.
EXPLAINED_MIN: Final = 0.6
APART_MIN: Final = 0.1
# Chi-square of one value at 95 %: delays that fit no worse than that are not told apart.
CHI2: Final = 3.84

Spins = Sequence[tuple[int, int]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A chirp in a trace.

    Attributes:
        delay_s: By how much the readings are late; less than 0 where their clock is behind.
        low_pass_s: Time constant of the meter's answer after that.
        uncertainty_s: Half of the delay's 95 % interval.
        explained: Share of what the readings vary by that the chirp explains.
    """

    delay_s: float
    low_pass_s: float
    uncertainty_s: float
    explained: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """The best low pass at one delay."""

    delay_s: float
    low_pass_s: float
    explained: float
    readings: int


def pulse_s(rate_hz: float) -> float:
    """How long a pulse is, for a meter of this rate to see it.

    >>> pulse_s(10.0), pulse_s(1.0)
    (1.0, 4.0)
    """
    return max(PULSE_MIN_S, READINGS_PER_PULSE / rate_hz)


def find_chirp(trace: Trace, spins: Spins, *, early_s: float, late_s: float) -> Found | None:
    """The chirp in a trace, which is at most so early or late; None where it cannot be told.

    Args:
        spins: When the cores spun, `(begin, end)` each, on the clock that the trace should have.
    """
    begin_ns = spins[0][0]
    edges_s = (np.array(spins, dtype=np.int64) - begin_ns) / 1e9
    pulse = float(edges_s[0, 1])
    time_s, power_w = _thinned(*power_of(trace, begin_ns), STEP * pulse)
    delays = np.arange(-early_s, late_s + STEP * pulse / 2, STEP * pulse)
    fits = [fit for delay in delays for fit in _fits(time_s, power_w, edges_s, float(delay))]
    if not fits:
        return None
    best = max(fits, key=lambda fit: fit.explained)
    far = [fit.explained for fit in fits if abs(fit.delay_s - best.delay_s) > pulse]
    if best.explained < EXPLAINED_MIN or max(far, default=0.0) > best.explained - APART_MIN:
        return None
    allowed = (1 - best.explained) * (1 + CHI2 / (best.readings - 4))
    alike = [fit for fit in fits if abs(fit.delay_s - best.delay_s) <= pulse]
    near = [fit.delay_s for fit in alike if 1 - fit.explained <= allowed]
    return Found(
        delay_s=(min(near) + max(near)) / 2,
        low_pass_s=best.low_pass_s,
        uncertainty_s=(max(near) - min(near)) / 2 + STEP * pulse,
        explained=best.explained,
    )


def power_of(trace: Trace, origin_ns: int) -> tuple[Floats, Floats]:
    """Seconds since the origin, and watts; `(reading,)` each."""
    time_ns, power_w = trace.time_ns, trace.values
    if trace.kind == "counter" and time_ns.size > 1:
        time_ns, power_w = power_between(time_ns, power_w)
    return (time_ns - origin_ns) / 1e9, power_w


def _thinned(time_s: Floats, power_w: Floats, step_s: float) -> tuple[Floats, Floats]:
    """The mean of all readings that share a step."""
    _, where, counts = np.unique(np.floor(time_s / step_s), return_inverse=True, return_counts=True)
    times, powers = (np.bincount(where, weights=values) for values in (time_s, power_w))
    return times / counts, powers / counts


def _fits(time_s: Floats, power_w: Floats, edges_s: Floats, delay_s: float) -> Iterator[_Fit]:
    """The best low pass at a delay; nothing where there are too few readings, or it has no power.

    Looked at is what lies between a pulse before the first spin and two after the last.
    """
    pulse = float(edges_s[0, 1])
    since = time_s - delay_s
    near = (since >= -pulse) & (since <= float(edges_s[-1, 1]) + 2 * pulse)
    since, power_w = since[near], power_w[near]
    if since.size < READINGS_MIN:
        return
    found = [_fit(since, power_w, edges_s, share * pulse) for share in LOW_PASSES]
    explained, low_pass_s = max(found)
    yield _Fit(
        delay_s=delay_s,
        low_pass_s=low_pass_s,
        explained=explained,
        readings=int(since.size),
    )


def _fit(since: Floats, power_w: Floats, edges_s: Floats, low_pass_s: float) -> tuple[float, float]:
    """Share that is explained, and the low pass."""
    rises = [_step(since - edge, low_pass_s) for edge in edges_s[:, 0]]
    falls = [_step(since - edge, low_pass_s) for edge in edges_s[:, 1]]
    answer = np.sum(rises, axis=0) - np.sum(falls, axis=0)
    rest = [np.ones_like(since)]
    if low_pass_s:
        rest.append(np.exp(-(since - since[0]) / low_pass_s))
    # What of the answer and of the power the rest does not explain.
    basis, _ = np.linalg.qr(np.stack(rest, axis=1))
    answer = answer - basis @ (basis.T @ answer)
    power_w = power_w - basis @ (basis.T @ power_w)
    total, norm, along = float(power_w @ power_w), float(answer @ answer), float(answer @ power_w)
    if total <= 0 or norm <= 0 or along <= 0:
        return 0.0, low_pass_s
    return along**2 / norm / total, low_pass_s


def _step(since: Floats, low_pass_s: float) -> Floats:
    """What a low pass answers to a step at 0."""
    after = np.maximum(since, 0.0)
    if not low_pass_s:
        return (since >= 0).astype(np.float64)
    return 1 - np.exp(-after / low_pass_s)


def moved(trace: Trace, delay_s: float) -> Trace:
    """The trace as it is without a delay."""
    return replace(trace, time_ns=trace.time_ns - round(delay_s * 1e9))
