"""How a model is asked in the timed passes: what a query is, and when the next one comes.

The scenario of a job is a dict: `kind` (single, offline, multi, periodic), `samples` of a query,
and `rate_hz` of `periodic`.
"""

import itertools
import time

from failure import Failed

SINGLE = {"kind": "single", "samples": 1, "rate_hz": None}


def scenario_of(job):
    """The scenario of a job; one inference after the other where it names none."""
    return job.get("scenario") or SINGLE


def batched(job, model, fed):
    """What an invocation is fed, and how many samples that is: all of a query where it can be.

    Where the first axis is free in every input and output, one symbol in the inputs, and 1 in what
    is fed, it is the batch, as far as a file can tell; `Question.check` sees whether it was.
    """
    import numpy

    wanted = scenario_of(job)["samples"]
    first = [spec["axes"][0] if spec["axes"] else 0 for spec in model.inputs + model.outputs]
    is_free = all(axis is None or isinstance(axis, str) for axis in first)
    is_one = all(array.ndim and array.shape[0] == 1 for array in fed.values())
    is_alike = len(set(first[: len(model.inputs)])) == 1
    if wanted == 1 or not (is_free and is_one and is_alike):
        return fed, 1
    return {name: numpy.repeat(array, wanted, axis=0) for name, array in fed.items()}, wanted


def repeated(invoke, times):
    """What invokes so often; the same thing where that is once."""
    if times == 1:
        return invoke

    def invoke_all():
        for _ in itertools.repeat(None, times):
            invoke()

    return invoke_all


class Question:
    """What a model is asked in a timed pass.

    `ask` answers one query; `batch` is the samples of an invocation, `inferences` those of a query,
    `rate_hz` how often one comes, None where the next follows at once.
    """

    def __init__(self, job, model, fed, batch):
        scenario = scenario_of(job)
        self._model, self._fed, self.batch = model, fed, batch
        # Of `offline` a query is what an invocation takes, be it one.
        self.inferences = scenario["samples"] if scenario["kind"] == "multi" else batch
        self.rate_hz = scenario["rate_hz"]
        self.ask = repeated(model.bind(fed), self.inferences // batch)

    def sizes(self):
        """How many samples an invocation takes, and a query."""
        return {"batch": self.batch, "inferences": self.inferences}

    def check(self):
        """Raise where the outputs are not one a sample; asked once nothing is timed any more."""
        found = self._model.compute(self._fed) if self.batch > 1 else {}
        for name, value in found.items():
            if value.ndim == 0 or value.shape[0] != self.batch:
                raise Failed(
                    "Output %r of a batch of %d samples has the shape %s: the free first axis of "
                    "this model is no batch. Give it a size by --shape."
                    % (name, self.batch, value.shape),
                    reason="unsupported_input",
                )


def pace(invoke, rate_hz, samples, limits):
    """Answer a query at every release of an absolute clock, as of a camera.

    A latency counts from the release, and so holds what the process takes to wake. A query that is
    not done at the next release is late; what is released meanwhile is dropped, like a frame that
    nobody took.

    Args:
        samples: Filled with the latencies in nanoseconds.
        limits: `(enough, stop, least)`: ends at `enough` with at least `least` queries, or at
            `stop`, both on the clock.

    Returns:
        Queries that were answered, releases, how many of these were late or dropped, and by how
        many nanoseconds the process woke late, by its median.
    """
    clock, sleep = time.perf_counter_ns, time.sleep
    enough, stop, least = limits
    period_ns = 1e9 / rate_hz
    begin = clock()
    turn = missed = count = 0
    woke = []
    while count < len(samples):
        release = begin + int(turn * period_ns)
        if release >= stop or (release >= enough and count >= least):
            break
        now = clock()
        if now < release:
            sleep((release - now) / 1e9)
        woke.append(clock() - release)
        invoke()
        end = clock()
        samples[count] = end - release
        count += 1
        following = max(turn + 1, int((end - begin) / period_ns) + 1)
        if following > turn + 1:
            missed += following - turn
        turn = following
    wake_ns = sorted(woke)[len(woke) // 2] if woke else 0
    return count, {"due": turn, "missed": missed, "wake_ns": wake_ns}
