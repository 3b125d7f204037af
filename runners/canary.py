"""A fixed piece of work that no model has a part in: how fast is the processor now?

Taken before and after the samples of a process. If it takes longer after than before, the clock
fell or somebody else was at work, whatever the sensors say.
"""

import time

ROUNDS = 5
# About 10 ms of a Cortex-A76, 40 ms of a Cortex-A53.
STEPS = 150000


def _work(steps):
    value = 1
    for _ in range(steps):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


def canary_ns():
    """The fastest of a few rounds: an interruption of one says nothing."""
    fastest = None
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        _work(STEPS)
        spent = time.perf_counter_ns() - begin
        fastest = spent if fastest is None else min(fastest, spent)
    return fastest
