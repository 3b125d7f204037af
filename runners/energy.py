"""The three windows that energy is read in: asleep, at work without a pause, asleep again.

The process is the same in all of them, the model is loaded and whatever samples the power runs, so
that what is taken away as idle is all but the inference. Nothing is read here: the host finds the
power in the same windows, whoever measured it.
"""

import time

from latency import warm_up

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


def measure(invoke, loop, windows):
    """Warm up, then idle, active and idle once more."""
    invoke()
    _, typical_ns = warm_up(invoke, loop)
    idle_before = _sleep(windows["idle_s"])
    inferences, active = _work(invoke, windows["active_s"], typical_ns)
    idle_after = _sleep(windows["idle_s"])
    return {
        "idle_before_ns": idle_before,
        "active_ns": active,
        "idle_after_ns": idle_after,
        "inferences": inferences,
    }
