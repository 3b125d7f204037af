"""Runs whose joules are known, as meters with faults would show them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Reason
from edgebench.measure.energy.joules import Run
from edgebench.measure.energy.trace import Kind, Trace, Window

GRID_S = 0.005
MARGIN_S = 3.0
START_NS = 86_400 * 10**9
INFERENCES = 1000


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What stands between the power and the readings.

    Attributes:
        lag_s: Of a low pass of first order.
        offset_s: By how much its clock is ahead.
        noise_ratio: Standard deviation over the power at work; `correlation` is that of neighbours.
        wander_ratio: Of a slow noise beneath, which takes `wander_s` to forget.
        jitter: Of the time between readings, as a share of it.
        step: Of power or joules; 0 for none.
        renewed_s: How long the sensor holds a value; 0 where every reading is a new one.
        gap: Begin and end of what is lost, in seconds of the run; likewise `frozen`.
    """

    kind: Kind = "power"
    rate_hz: float = 10.0
    lag_s: float = 0.0
    offset_s: float = 0.0
    noise_ratio: float = 0.0
    correlation: float = 0.0
    wander_ratio: float = 0.0
    wander_s: float = 5.0
    jitter: float = 0.0
    step: float = 0.0
    lost_share: float = 0.0
    gap: tuple[float, float] | None = None
    frozen: tuple[float, float] | None = None
    renewed_s: float = 0.0
    range_j: float | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the device does.

    Attributes:
        idle_rise_w: By how much the idle power is higher at the end, evenly; `idle_jump_w` all at
            once, in the middle of the work, which takes that much more as well.
        rise_w: By how much the power at work grows over the window.
        boost_w: How much more it takes for `boost_s` from its begin on.
    """

    idle_w: float = 3.0
    active_w: float = 8.0
    idle_rise_w: float = 0.0
    idle_jump_w: float = 0.0
    rise_w: float = 0.0
    boost_w: float = 0.0
    boost_s: float = 2.0
    active_s: float = 20.0
    idle_s: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A trace, its run, and the truth."""

    trace: Trace
    run: Run
    gross_j: float
    dynamic_j: float


def window(begin_s: float, end_s: float) -> Window:
    return Window(begin_ns=START_NS + round(begin_s * 1e9), end_ns=START_NS + round(end_s * 1e9))


def run_of(board: Board) -> Run:
    """Idle, active, idle, one after the other from `START_NS` on."""
    idle, active = board.idle_s, board.active_s
    return Run(
        idle_before=window(0, idle),
        active=window(idle, idle + active),
        idle_after=window(idle + active, 2 * idle + active),
        inferences=INFERENCES,
        active_s=active,
    )


def case(meter: Meter, board: Board | None = None, *, seed: int = 0) -> Case:
    """One run as one meter shows it."""
    board = board or Board()
    random = np.random.default_rng(seed)
    grid_s, power_w = _power(board)
    at_work = (grid_s >= board.idle_s) & (grid_s < board.idle_s + board.active_s)
    per_inference = board.active_s / INFERENCES
    work_w = float(power_w[at_work].mean())
    return Case(
        trace=_trace(meter, board, grid_s, power_w, random),
        run=run_of(board),
        gross_j=work_w * per_inference,
        dynamic_j=(work_w - float(_idle(board, grid_s)[at_work].mean())) * per_inference,
    )


def refusing(trace: Trace, reason: Reason) -> Trace:
    return replace(trace, refusal=reason)


def _idle(board: Board, grid_s: NDArray[np.float64]) -> NDArray[np.float64]:
    total_s = 2 * board.idle_s + board.active_s
    rise = board.idle_rise_w * np.clip(grid_s / total_s, 0, 1)
    jump = np.where(grid_s > total_s / 2, board.idle_jump_w, 0.0)
    return np.asarray(board.idle_w + rise + jump)


def _power(board: Board) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total_s = 2 * board.idle_s + board.active_s
    grid_s = np.arange(-2 * MARGIN_S, total_s + 2 * MARGIN_S, GRID_S)
    since = (grid_s - board.idle_s) / board.active_s
    at_work = (since >= 0) & (since < 1)
    extra = board.active_w - board.idle_w + board.rise_w * (since - 0.5)
    extra = extra + np.where(since * board.active_s < board.boost_s, board.boost_w, 0.0)
    return grid_s, _idle(board, grid_s) + np.where(at_work, extra, 0.0)


def _trace(meter, board, grid_s, power_w, random) -> Trace:
    shown = _lagging(power_w, meter.lag_s)
    period = 1 / meter.rate_hz
    count = int((grid_s[-1] - grid_s[0] - 2 * MARGIN_S) / period)
    beats = -MARGIN_S + random.uniform(0, period) + period * np.arange(count)
    times_s = beats + meter.jitter * period * random.uniform(0, 0.5, count)
    if meter.kind == "counter":
        total = np.concatenate(([0.0], np.cumsum(shown[:-1] * GRID_S)))
        values = np.interp(times_s, grid_s, total)
    else:
        values = np.interp(times_s, grid_s, shown)
        values = values + board.active_w * _noise(meter, count, random)
    values = _held(meter, times_s, _frozen(meter, times_s, values))
    if meter.step:
        values = np.floor(values / meter.step + (0.5 if meter.kind == "power" else 0)) * meter.step
    if meter.range_j:
        values = values % meter.range_j
    kept = random.uniform(size=count) >= meter.lost_share
    if meter.gap:
        kept &= (times_s < meter.gap[0]) | (times_s > meter.gap[1])
    return Trace(
        kind=meter.kind,
        scope="board_dc",
        time_ns=START_NS + np.round((times_s + meter.offset_s)[kept] * 1e9).astype(np.int64),
        values=values[kept],
        rails=("board",),
        resolution=meter.step or None,
    )


def _lagging(power_w, lag_s):
    if not lag_s:
        return power_w
    share = 1 - np.exp(-GRID_S / lag_s)
    answer = np.empty_like(power_w)
    level = power_w[0]
    for index, power in enumerate(power_w.tolist()):
        level += share * (power - level)
        answer[index] = level
    return answer


def _noise(meter, count, random):
    noise = meter.noise_ratio * _correlated(count, meter.correlation, random)
    if meter.wander_ratio:
        kept = float(np.exp(-1 / meter.rate_hz / meter.wander_s))
        noise = noise + meter.wander_ratio * _correlated(count, kept, random)
    return noise


def _correlated(count, correlation, random):
    steps = random.normal(size=count)
    if not correlation:
        return steps
    scale = float(np.sqrt(1 - correlation**2))
    noise = [steps[0]]
    for step in steps[1:].tolist():
        noise.append(correlation * noise[-1] + scale * step)
    return np.array(noise)


def _frozen(meter, times_s, values):
    if not meter.frozen:
        return values
    stuck = (times_s >= meter.frozen[0]) & (times_s <= meter.frozen[1])
    return np.where(stuck, values[np.argmax(stuck)], values)


def _held(meter, times_s, values):
    if not meter.renewed_s:
        return values
    _, first, where = np.unique(
        np.floor(times_s / meter.renewed_s), return_index=True, return_inverse=True
    )
    return values[first][where]
