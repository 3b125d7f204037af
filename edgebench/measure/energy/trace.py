"""What a meter read, and when."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Reason

Kind = Literal["power", "counter"]
Scope = Literal["soc_rails", "module", "board_dc", "wall_ac", "battery", "cpu_package"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time on the clock of the trace."""

    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """How long it is; negative where guards have eaten all of it."""
        return (self.end_ns - self.begin_ns) / 1e9

    def shrunk(self, guard_s: float) -> "Window":
        """The same without a guard at either end.

        >>> Window(begin_ns=0, end_ns=10**10).shrunk(2.0).seconds
        6.0
        """
        guard_ns = round(guard_s * 1e9)
        return Window(begin_ns=self.begin_ns + guard_ns, end_ns=self.end_ns - guard_ns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """The readings of one meter.

    Attributes:
        kind: Whether `values` are watts, or joules that a counter has added up.
        time_ns: `(sample,)`, rising; the device's CLOCK_MONOTONIC, once a trace of the host's
            clock has passed through `edgebench.measure.energy.clock.on_device`.
        values: `(sample,)`, watts or joules. A counter is unwrapped where its range is known; a
            fall that remains is a fault.
        rails: What was added up.
        resolution: Smallest step of `values`; None where it is not known.
        unreadable: How many readings gave no number.
        refusal: Why no joule may come of this trace, whatever its values; None where one may.
        doubts: Why the values deserve doubt.
    """

    kind: Kind
    scope: Scope
    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    rails: tuple[str, ...]
    resolution: float | None = None
    unreadable: int = 0
    refusal: Reason | None = None
    doubts: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        if self.time_ns.ndim != 1 or self.time_ns.shape != self.values.shape:
            msg = f"Shapes are {self.time_ns.shape!r} and {self.values.shape!r}, not one (sample,)."
            raise ValueError(msg)
        if not np.isfinite(self.values).all():
            msg = "A value is not finite; count it as unreadable instead."
            raise ValueError(msg)
        if (np.diff(self.time_ns) <= 0).any():
            msg = "Times do not rise; a reading that steps back is unreadable."
            raise ValueError(msg)

    @property
    def period_s(self) -> float | None:
        """Median time between readings; None where fewer than two leave none."""
        return float(np.median(np.diff(self.time_ns))) / 1e9 if self.time_ns.size > 1 else None

    def within(self, window: Window) -> "Trace":
        """The readings inside a window."""
        kept = (self.time_ns >= window.begin_ns) & (self.time_ns <= window.end_ns)
        return replace(self, time_ns=self.time_ns[kept], values=self.values[kept])


def no_trace(kind: Kind, scope: Scope, reason: Reason, *, unreadable: int = 0) -> Trace:
    """A trace without readings, which says why it has none."""
    return Trace(
        kind=kind,
        scope=scope,
        time_ns=np.empty(0, dtype=np.int64),
        values=np.empty(0),
        rails=(),
        unreadable=unreadable,
        refusal=reason,
    )
