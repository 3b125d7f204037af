"""The three windows that energy is read in: asleep, at work, asleep again.

Work is query after query without a pause, or at the rate of the scenario: then what is drawn
between two queries is part of what one costs.

The process is the same in all of them, the model is loaded and whatever samples the power runs, so
that what is taken away as idle is all but the inference. Nothing is read here: the host finds the
power in the same windows, whoever measured it.
"""

import array
import time

import chirp
from latency import warm_up
from scenario import pace

# Of inferences that are counted before the clock is read: no more than this time.
LOOK_EVERY_NS = 1000000


def _sleep(seconds):
    begin = time.perf_counter_ns()
    time.sleep(seconds)
    return [begin, time.perf_counter_ns()]


def _work(invoke, seconds, typical_ns):
    """Infer for so long; how often, and from when to when."""
    step = max(1, int(LOOK_EVERY_NS / max(typical_ns, 1)))
    begin = now = time.perf_counter_ns()
    stop = begin + int(seconds * 1e9)
    count = 0
    while now < stop:
        for _ in range(step):
            invoke()
        count += step
        now = time.perf_counter_ns()
    return count, [begin, now]


def _work_at(rate_hz, invoke, seconds):
    """Answer queries at their pace for so long, and sleep to the end of the last one's turn."""
    latencies = array.array("q", bytes(8 * (int(seconds * rate_hz) + 2)))
    begin = time.perf_counter_ns()
    stop = begin + int(seconds * 1e9)
    count, told = pace(invoke, rate_hz, latencies, (stop, stop, 0))
    left_ns = begin + int(told["due"] / rate_hz * 1e9) - time.perf_counter_ns()
    time.sleep(max(left_ns, 0) / 1e9)
    return count, [begin, time.perf_counter_ns()]


def measure(query, loop, windows, rate_hz=None):
    """Warm up, chirp where that is asked for, idle, work, idle; what is counted is queries."""
    query()
    _, typical_ns = warm_up(query, loop)
    chirp_ns = chirp.sing(windows.get("chirps", 0), windows.get("pulse_s", 1.0))
    idle_before = _sleep(windows["idle_s"])
    if rate_hz:
        inferences, active = _work_at(rate_hz, query, windows["active_s"])
    else:
        inferences, active = _work(query, windows["active_s"], typical_ns)
    idle_after = _sleep(windows["idle_s"])
    return {
        "idle_before_ns": idle_before,
        "active_ns": active,
        "idle_after_ns": idle_after,
        "inferences": inferences,
        "chirp_ns": chirp_ns,
    }
