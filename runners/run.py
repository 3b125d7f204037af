"""Answer one job: `python -s run.py job.json`. The document it writes is read by edgebench.runner.

Nothing is imported here that the memory pass would count against the model: numpy and the runtime
come after the first checkpoint.
"""

import json
import os
import sys
import time

import memory
from failure import Failed

RESULT_SCHEMA = "edgebench.result/1"
BACKENDS = {
    "litert": "backend_litert",
    "tflite-runtime": "backend_litert",
    "onnxruntime": "backend_onnx",
}


class Task:
    """A job document, and what is known of its answer so far."""

    def __init__(self, folder, job):
        self.folder = folder
        self.job = job
        self.answer = {
            "schema": RESULT_SCHEMA,
            "runtime": str(job.get("runtime")),
            "environment": {"python": sys.version.split()[0], "machine": os.uname().machine},
        }

    def path(self, key):
        """Where a file of the job lies; relative paths are to the job's folder."""
        return os.path.join(self.folder, self.job[key])


def write_whole(path, data):
    """Write a file that is either whole or not there."""
    partial = path + ".part"
    with open(partial, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


def save_arrays(path, arrays):
    from inputs import write_arrays

    partial = path + ".part"
    write_arrays(partial, arrays)
    os.replace(partial, path)


def load_runtime(task):
    """Import backend and runtime; raises Failed in the loader's own words where that fails."""
    import importlib

    name = task.job["runtime"]
    try:
        backend = importlib.import_module(BACKENDS[name])
        runtime, package = backend.load(name)
        import numpy
    except (ImportError, KeyError) as error:
        words = "The runtime %r cannot be loaded: %s" % (name, error)
        raise Failed(words, reason="no_runtime") from error
    task.answer["environment"]["numpy"] = numpy.__version__
    return backend, runtime, package


def open_model(task, opener, runtime):
    """Open the model, describe it; the time that opening took."""
    from inputs import public

    job = task.job
    start = time.perf_counter_ns()
    model = opener(runtime, task.path("model"), job["threads"], job["accelerator"])
    spent = time.perf_counter_ns() - start
    task.answer["inputs"] = public(model.inputs)
    task.answer["outputs"] = public(model.outputs)
    return model, spent


def read_inputs(task):
    """The samples of the job's file; None where they are to be generated."""
    from inputs import read_samples

    return read_samples(task.path("inputs")) if task.job.get("inputs") else None


def made_samples(task, model):
    """Samples that are generated, first axis the sample, and kept where the job says so."""
    from inputs import generate, resolve

    job, named = task.job, model.aliases
    given = {named.get(name, name): shape for name, shape in job["shapes"].items()}
    ranges = {named.get(name, name): limits for name, limits in job["ranges"].items()}
    shapes = resolve(model.inputs, given)
    made, record = generate(model.inputs, shapes, ranges, job["seed"], job.get("generate", 1))
    count = len(next(iter(made.values()))) if made else 1
    task.answer["inputs_made"] = {
        "source": "generated",
        "seed": job["seed"],
        "samples": count,
        "inputs": record,
    }
    if job.get("save_inputs"):
        save_arrays(task.path("save_inputs"), made)
    return made, count


def arranged_samples(task, samples, model):
    """The samples in the order of the model's inputs, and how many there are."""
    from inputs import arrange, check_types

    check_types(model.inputs)
    if samples is None:
        return made_samples(task, model)
    arranged, count = arrange(samples, model.inputs, model.aliases)
    task.answer["inputs_made"] = {"source": "file", "samples": count}
    return arranged, count


def first_sample(task, samples, model):
    """What the model is fed in the timed passes."""
    from inputs import pick

    arranged, _ = arranged_samples(task, samples, model)
    return pick(arranged, model.inputs, 0)[0]


def prepare(model, fed):
    """Allocate for these inputs; the time that took."""
    from inputs import shapes_of

    start = time.perf_counter_ns()
    model.prepare(shapes_of(fed))
    return time.perf_counter_ns() - start


def opened(task, backend, runtime):
    """What is asked in a timed pass, and how long opening the model took."""
    import scenario

    samples = read_inputs(task)
    model, open_ns = open_model(task, backend.open_model, runtime)
    fed, batch = scenario.batched(task.job, model, first_sample(task, samples, model))
    load_ns = open_ns + prepare(model, fed)
    return scenario.Question(task.job, model, fed, batch), load_ns


def latency_pass(task):
    import latency
    import scheduling
    import watching

    cpus = scheduling.keep_to(task.job.get("cpus"))
    watcher = watching.start(task.folder, task.job.get("watch"))
    backend, runtime, package = load_runtime(task)
    question, load_ns = opened(task, backend, runtime)
    found, times, state = latency.measure(question.ask, task.job["loop"], question.rate_hz)
    state["is_watched"] = watcher.end() if watcher else None
    question.check()
    task.answer["state"] = dict(state, cpus=cpus)
    task.answer["latency"] = dict(found, load_ns=load_ns, **question.sizes())
    import numpy

    save_arrays(task.path("samples"), {"latency_ns": numpy.array(times, dtype=numpy.int64)})
    return runtime, package


def energy_pass(task):
    import energy
    import scheduling
    import watching

    scheduling.keep_to(task.job.get("cpus"))
    watcher = watching.start(task.folder, task.job.get("watch"))
    backend, runtime, package = load_runtime(task)
    question, _ = opened(task, backend, runtime)
    job = task.job
    found = energy.measure(question.ask, job["loop"], job["windows"], question.rate_hz)
    found["is_watched"] = watcher.end() if watcher else None
    question.check()
    found["inferences"] *= question.inferences
    task.answer["energy"] = found
    return runtime, package


def memory_pass(task):
    import scenario

    points = {"s0": memory.checkpoint(False)}
    if points["s0"] is None:
        words = "This system has no /proc/self/smaps to read memory from."
        raise Failed(words, reason="no_sensor")
    backend, runtime, package = load_runtime(task)
    samples = read_inputs(task)
    if samples is not None:
        samples = {name: array[:1].copy() for name, array in samples.items()}
    points["s1"] = memory.checkpoint(False)
    was_reset = memory.reset_peak()
    model, _ = open_model(task, backend.open_model, runtime)
    fed, _ = scenario.batched(task.job, model, first_sample(task, samples, model))
    prepare(model, fed)
    points["s2"] = memory.checkpoint(was_reset)
    was_reset = memory.reset_peak()
    invoke = model.bind(fed)
    invoke()
    points["s3"] = memory.checkpoint(was_reset)
    was_reset = memory.reset_peak()
    memory.invoke_steadily(invoke, task.job["loop"]["sample_max_s"], time.monotonic)
    points["s4"] = memory.checkpoint(was_reset)
    task.answer["memory"] = points
    return runtime, package


def outputs_pass(task):
    backend, runtime, package = load_runtime(task)
    from outputs import compute

    samples = read_inputs(task)
    model, _ = open_model(task, backend.open_told, runtime)
    arranged, count = arranged_samples(task, samples, model)
    save_arrays(task.path("outputs"), compute(model, arranged, count))
    task.answer["accel"] = model.placement()
    return runtime, package


def profile_pass(task):
    backend, runtime, package = load_runtime(task)
    samples = read_inputs(task)

    def feed(model):
        return first_sample(task, samples, model)

    task.answer["profile"] = backend.profile(runtime, task, feed)
    return runtime, package


PASSES = {
    "latency": latency_pass,
    "memory": memory_pass,
    "outputs": outputs_pass,
    "energy": energy_pass,
    "profile": profile_pass,
}


def finish(task, status, **more):
    task.answer.update(status=status, **more)
    document = json.dumps(task.answer).encode()
    write_whole(os.path.join(task.folder, task.job.get("result", "result.json")), document)


def answer(task):
    """Do the pass and write the result document."""
    from build import builds_of, version_of

    runtime, package = PASSES[task.job["kind"]](task)
    builds = builds_of(package, task.job["accelerator"])
    finish(task, "ok", runtime_version=version_of(runtime, package), builds=builds)


def answer_failure(task, error):
    """Write the result document of a job that failed, in the words of whoever raised."""
    reason = getattr(error, "reason", "runtime_error")
    if isinstance(error, OSError) and error.errno == 28:
        reason = "no_space"
    words = str(error) if isinstance(error, Failed) else "%s: %s" % (type(error).__name__, error)
    finish(task, "failed", reason=reason, error=words[:4000])


def main(argv):
    path = os.path.abspath(argv[1])
    with open(path, encoding="utf-8") as stream:
        task = Task(os.path.dirname(path), json.load(stream))

    def on_error(kind, error, trace):
        # Whatever ends the runner is answered; the trace goes to the log as ever.
        answer_failure(task, error)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = on_error
    answer(task)


if __name__ == "__main__":
    main(sys.argv)
