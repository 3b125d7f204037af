"""When a model has settled, and the times of its queries after that."""

import array
import gc
import math
import time

import scheduling
from canary import canary_ns
from scenario import pace, repeated

# Warm-up is judged on this many blocks, one half against the other.
BLOCKS = 10
STEADY_RATIO = 0.01
BLOCK_MIN_INVOKES = 5

# Below this the reading of the clock, and what the interpreter adds, are no longer small: so many
# queries are timed together that they take as long.
SAMPLE_MIN_NS = 50000

# No sample array grows beyond this: 32 MB, and a model of 1 us still has its 3 s.
CAPACITY_MAX = 4000000


def _median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def _slope(values):
    """Theil-Sen slope: the median of the slopes between all pairs."""
    return _median(
        [
            (values[after] - values[before]) / (after - before)
            for before in range(len(values))
            for after in range(before + 1, len(values))
        ]
    )


def is_steady(medians):
    """Whether the last ten medians neither differ by halves nor drift, both by at most 1 %."""
    if len(medians) < BLOCKS:
        return False
    last = medians[-BLOCKS:]
    before, after = _median(last[: BLOCKS // 2]), _median(last[BLOCKS // 2 :])
    drift = _slope(last) * BLOCKS / before
    return abs(after / before - 1) <= STEADY_RATIO and abs(drift) <= STEADY_RATIO


def _block(invoke, block_ns):
    """Median time of at least five inferences that take at least `block_ns` in all."""
    clock = time.perf_counter_ns
    times = []
    stop = clock() + block_ns
    while True:
        start = clock()
        invoke()
        end = clock()
        times.append(end - start)
        if end >= stop and len(times) >= BLOCK_MIN_INVOKES:
            return _median(times), len(times)


def warm_up(invoke, loop):
    """Run until the latency has settled or the cap is reached.

    The blocks last a tenth of the shortest warm-up, so that it holds the ten that are judged.
    """
    begin = time.perf_counter_ns()
    cap = begin + int(loop["warmup_max_s"] * 1e9)
    least = begin + int(loop["warmup_min_s"] * 1e9)
    block_ns = int(loop["warmup_min_s"] * 1e9 / BLOCKS)
    medians, invokes, steady = [], 0, False
    while not steady and time.perf_counter_ns() < cap:
        median, count = _block(invoke, block_ns)
        medians.append(median)
        invokes += count
        is_enough = time.perf_counter_ns() >= least and invokes >= loop["warmup_min_invokes"]
        steady = is_enough and is_steady(medians)
    seconds = (time.perf_counter_ns() - begin) / 1e9
    return {"warmup_invokes": invokes, "warmup_s": seconds, "is_steady": steady}, min(medians)


def group_of(loop, typical_ns):
    """How many queries are timed together: as told, else enough to be longer than the clock."""
    return loop.get("group") or max(1, math.ceil(SAMPLE_MIN_NS / max(typical_ns, 1)))


def _fill(invoke, samples, limits):
    """Time single samples until the limits are met or the array is full; how many it were."""
    clock = time.perf_counter_ns
    enough, stop, least = limits
    for index in range(len(samples)):
        start = clock()
        invoke()
        end = clock()
        samples[index] = end - start
        if end >= stop or (end >= enough and index + 1 >= least):
            return index + 1
    return len(samples)


def _space(loop, typical_ns):
    """Room for the samples, written once over, so that no page fault falls into a sample."""
    expected = loop["sample_min_s"] * 1e9 / max(typical_ns, 1)
    capacity = int(min(max(2 * expected, loop["sample_min_invokes"]) + 1, CAPACITY_MAX))
    return array.array("q", bytes(8 * capacity))


def _limits(loop):
    """From now on: when it is long enough, when too long, and the fewest samples."""
    begin = time.perf_counter_ns()
    return (
        begin + int(loop["sample_min_s"] * 1e9),
        begin + int(loop["sample_max_s"] * 1e9),
        loop["sample_min_invokes"],
    )


def sample(invoke, loop, typical_ns):
    """Times of what is invoked in nanoseconds, in the order they ran."""
    samples = _space(loop, typical_ns)
    return samples[: _fill(invoke, samples, _limits(loop))]


def settle_at(rate_hz, query, loop):
    """Queries at their pace before any counts: between them the clock of the device may fall."""
    short = dict(loop, sample_min_s=loop["warmup_min_s"], sample_max_s=loop["warmup_min_s"])
    return len(sample_at(rate_hz, query, short)[0])


def sample_at(rate_hz, query, loop):
    """Latencies of queries at their pace, and what became of those that were not answered."""
    samples = _space(loop, 1e9 / rate_hz)
    count, told = pace(query, rate_hz, samples, _limits(loop))
    return samples[:count], told


def measure(query, loop, rate_hz=None):
    """First query, warm-up and samples, with the garbage collector out of the way."""
    gc.collect()
    gc.freeze()
    gc.disable()
    start = time.perf_counter_ns()
    query()
    first_ns = time.perf_counter_ns() - start
    warmth, typical_ns = warm_up(query, loop)
    group = 1 if rate_hz else group_of(loop, typical_ns)
    # Once the clock has risen, as it has for the one behind the samples; then the caches are the
    # model's again.
    before_ns = canary_ns()
    warmth["warmup_invokes"] += _block(query, int(loop["warmup_min_s"] * 1e9 / BLOCKS))[1]
    if rate_hz:
        warmth["warmup_invokes"] += settle_at(rate_hz, query, loop)
    counted = scheduling.snapshot()
    begin_ns = time.perf_counter_ns()
    if rate_hz:
        samples, told = sample_at(rate_hz, query, loop)
    else:
        samples, told = sample(repeated(query, group), loop, group * typical_ns), {}
    end_ns = time.perf_counter_ns()
    counted = scheduling.difference(counted, scheduling.snapshot())
    state = {
        "begin_ns": begin_ns,
        "end_ns": end_ns,
        "canary_ns": [before_ns, canary_ns()],
        "scheduling": counted,
    }
    gc.enable()
    found = dict(warmth, first_ns=first_ns, samples=len(samples), group=group, **told)
    return found, samples, state
