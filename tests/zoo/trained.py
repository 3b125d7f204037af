"""An architecture of the zoo trained through the front door, and judged as a TFLite file."""

import numpy as np

from edgebench.compress.pipeline import build, open_model
from edgebench.core import Format, Recipe
from edgebench.data import accuracy, load_metric
from edgebench.runner import RunnerJob, run_here


def quiet(words):
    """Progress that nobody reads."""


def accuracy_of(source, dataset, folder, *, seed=0):
    """Train it, make it a TFLite file, and run that on the test images."""
    settings = {"dataset": dataset, "cache": folder / "cache", "seed": seed, "progress": quiet}
    model = open_model(source, base=folder, **settings)
    variant = build(model, Recipe(name="float"), Format.TFLITE, metric=None, **settings)
    np.savez(folder / "inputs.npz", image=dataset.test.x[""])
    job = RunnerJob(
        kind="outputs",
        model=str(variant.artifact.path),
        runtime="litert",
        inputs=str(folder / "inputs.npz"),
    )
    run_here(job, folder / "run")
    labels = dataset.test.y
    assert labels is not None
    with np.load(folder / "run" / job.outputs) as outputs:
        return accuracy(load_metric("top1", base=folder), dict(outputs), labels, on="host").value
