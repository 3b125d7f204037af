"""From SI inside to what a person reads."""

from typing import Final

NS_PER_MS: Final = 1_000_000
BYTES_PER_MB: Final = 1_000_000
MJ_PER_J: Final = 1_000


def ms_from_ns(time_ns: float) -> float:
    """Milliseconds of a time in nanoseconds.

    >>> ms_from_ns(1_500_000)
    1.5
    """
    return time_ns / NS_PER_MS


def mb_from_bytes(size_bytes: float) -> float:
    """Megabytes (10⁶) of a size in bytes.

    >>> mb_from_bytes(2_500_000)
    2.5
    """
    return size_bytes / BYTES_PER_MB


def mj_from_j(energy_j: float) -> float:
    """Millijoules of an energy in joules.

    >>> mj_from_j(0.0042)
    4.2
    """
    return energy_j * MJ_PER_J


def show_size(size_bytes: int) -> str:
    """A size as a person reads it, in units of 10³.

    >>> [show_size(n) for n in (999, 12_345, 5_300_000)]
    ['999 B', '12.3 kB', '5.3 MB']
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def show_hz(frequency_hz: float) -> str:
    """A clock as a person reads it.

    >>> [show_hz(hz) for hz in (729_600_000, 2_400_000_000)]
    ['730 MHz', '2.4 GHz']
    """
    if frequency_hz >= 1e9:
        return f"{frequency_hz / 1e9:.3g} GHz"
    return f"{frequency_hz / 1e6:.3g} MHz"


def show_duration(duration_s: float) -> str:
    """A duration as a person reads it.

    >>> [show_duration(s) for s in (0.42, 42.0, 150.0, 7_380.0, 9e5)]
    ['0.4 s', '42 s', '2 min 30 s', '2 h 3 min', '10 d 10 h']
    """
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    if not minutes:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
