"""Which chirp of a whole recording is that of which run, by the times between them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.measure.energy.chirp import Floats, Spins, find_chirp, power_of
from edgebench.measure.energy.trace import Trace

# A pulse is looked at in so many steps.
STEPS: Final = 10
# What a place must resemble the chirp by to be looked at more closely.
ALIKE_MIN: Final = 0.25
# How many are, for all runs together and for each.
PLACES_MIN: Final = 20
PLACES_PER_RUN: Final = 4
# By how much two clocks may differ over the time between two chirps, and by what share of a pulse
# each may be misread.
DRIFT_MAX: Final = 2e-4
MISREAD: Final = 0.25


def place(trace: Trace, spins: Sequence[Spins]) -> float | None:
    """By how many seconds the clock of a recording is ahead of the device's.

    It is the offset under which the most runs have a chirp, at least half of them; None where there
    is none, or two fit as well.

    Args:
        spins: The chirp of each run, on the device's clock.
    """
    starts_s = np.array([own[0][0] / 1e9 for own in spins])
    found_s = _chirps_s(trace, spins[0], most=PLACES_MIN + PLACES_PER_RUN * len(spins))
    offsets = (found_s[None, :] - starts_s[:, None]).ravel()
    if not offsets.size:
        return None
    allowed_s = MISREAD * _pulse_s(spins[0]) + DRIFT_MAX * float(np.ptp(starts_s))
    matched = np.sum([_has_near(found_s, offsets + start, allowed_s) for start in starts_s], axis=0)
    best = offsets[matched == matched.max()]
    if 2 * matched.max() < len(spins) or np.ptp(best) > _pulse_s(spins[0]):
        return None
    return float(np.median(best))


def _has_near(found_s: Floats, wanted_s: Floats, allowed_s: float) -> NDArray[np.bool_]:
    """Whether there is a chirp near each of the times."""
    right = np.clip(np.searchsorted(found_s, wanted_s), 0, found_s.size - 1)
    left = np.maximum(right - 1, 0)
    apart_s = np.minimum(np.abs(found_s[left] - wanted_s), np.abs(found_s[right] - wanted_s))
    return apart_s <= allowed_s


def _chirps_s(trace: Trace, spins: Spins, *, most: int) -> Floats:
    """When in a recording chirps like this begin: of the most promising places the best fits."""
    pulse_s = _pulse_s(spins)
    fits: list[tuple[float, float]] = []
    for start_s in _alike_s(trace, pulse_s=pulse_s, pulses=len(spins))[:most]:
        by_ns = round(start_s * 1e9) - spins[0][0]
        here = [(begin + by_ns, end + by_ns) for begin, end in spins]
        found = find_chirp(trace, here, early_s=pulse_s, late_s=pulse_s)
        if found is not None:
            fits.append((found.explained, start_s + found.delay_s))
    kept: list[float] = []
    for _, begin_s in sorted(fits, reverse=True):
        if all(abs(begin_s - other) > 2 * pulse_s for other in kept):
            kept.append(begin_s)
    return np.array(sorted(kept))


def _alike_s(trace: Trace, *, pulse_s: float, pulses: int) -> list[float]:
    """When in a recording the readings go up and down as a chirp does, the most alike first.

    By normalized cross-correlation (Lewis 1995), on a grid.
    """
    if trace.time_ns.size < 2:
        return []
    time_s, power_w = power_of(trace, 0)
    step_s = pulse_s / STEPS
    grid_s = np.arange(time_s[0], time_s[-1], step_s)
    pattern = np.tile(np.repeat([1.0, -1.0], STEPS), pulses)
    if grid_s.size < pattern.size:
        return []
    power_w = np.interp(grid_s, time_s, power_w)
    power_w = power_w - power_w.mean()
    along = _sliding(power_w, pattern) / pattern.size
    ones = np.ones(pattern.size)
    mean = _sliding(power_w, ones) / ones.size
    variance = _sliding(power_w**2, ones) / ones.size - mean**2
    alike = along / np.sqrt(np.maximum(variance, 1e-12 * max(float(power_w.var()), 1e-30)))
    inner = alike[1:-1]
    peaks = 1 + np.flatnonzero((inner >= alike[:-2]) & (inner > alike[2:]) & (inner > ALIKE_MIN))
    best: list[float] = grid_s[peaks[np.argsort(-alike[peaks])]].tolist()
    return best


def _sliding(values: Floats, pattern: Floats) -> Floats:
    """The product of a pattern with each stretch of values as long, by way of its spectrum."""
    size = values.size + pattern.size
    product = np.fft.rfft(values, size) * np.conj(np.fft.rfft(pattern, size))
    return np.fft.irfft(product, size)[: values.size - pattern.size + 1]


def _pulse_s(spins: Spins) -> float:
    return (spins[0][1] - spins[0][0]) / 1e9
