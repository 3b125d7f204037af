"""The energy of an inference, and the run that it was taken from."""

from dataclasses import dataclass

from edgebench.core import Reason, Status
from edgebench.measure.energy.trace import Kind, Scope, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the device did while the meter was read.

    Attributes:
        idle_before: Same process, model loaded, asleep; likewise `idle_after`.
        active: Inference after inference, nothing between.
        inferences: Counted by the device within `active`.
        active_s: How long they took, by the device.
        events: What spoiled the run, as the device's monitors saw it: `throttled` and the like.
    """

    idle_before: Window
    active: Window
    idle_after: Window
    inferences: int
    active_s: float
    events: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        ends = [
            *(self.idle_before.begin_ns, self.idle_before.end_ns),
            *(self.active.begin_ns, self.active.end_ns),
            *(self.idle_after.begin_ns, self.idle_after.end_ns),
        ]
        if ends != sorted(ends):
            msg = f"Idle, active, idle must follow each other; they lie at {ends!r}."
            raise ValueError(msg)
        if self.inferences < 1 or min(self.active_s, self.active.seconds) <= 0:
            msg = f"{self.inferences!r} inferences in {self.active_s!r} s are no run."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joules:
    """Energy of one inference with its 95 % interval, or the reasons why there is none.

    Attributes:
        value: None where `status` is not `ok` or `suspect`; never 0 for what is not known.
        ci95: Random error, drift, the meter's steps, and what the plateau leaves out; not the
            meter's gain, which no trace can show.
    """

    value: float | None
    ci95: tuple[float, float] | None
    status: Status
    reasons: tuple[Reason, ...] = ()

    @property
    def half_width_ratio(self) -> float | None:
        """Half of the interval's width, over the value; None without one."""
        if self.value is None or self.ci95 is None:
            return None
        return (self.ci95[1] - self.ci95[0]) / 2 / abs(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What one run, or several of them, cost.

    Attributes:
        gross_j: All that the meter saw, nothing subtracted.
        dynamic_j: Above the idle before and after.
        idle_w: Before and after; None where there were no readings.
        window_s: Of the plateau, guards left out.
        samples: Readings on the plateau.
        n_eff: To how many independent readings they come.
        drift_ratio: By how much the plateau rose from its begin to its end, over its mean.
        trapezoid_ratio: Integral over the whole active time, lag and clock taken out, over the
            plateau's estimate.
        delay_s: By how much the meter lags behind the work, as the steps to and from it show;
            None where they are too small to tell.
        runs: How many were combined.
    """

    gross_j: Joules
    dynamic_j: Joules
    scope: Scope
    kind: Kind
    rails: tuple[str, ...]
    rate_hz: float | None
    resolution: float | None
    active_w: float | None
    idle_w: tuple[float | None, float | None]
    window_s: float
    guard_s: float
    samples: int
    n_eff: float
    drift_ratio: float | None
    trapezoid_ratio: float | None
    delay_s: float | None
    inferences: int
    runs: int = 1


def refused(*reasons: Reason) -> Joules:
    """No number, and why."""
    return Joules(value=None, ci95=None, status=Status.REFUSED, reasons=reasons)
