"""How far two runtimes are apart on one file: the figures behind the bounds of `is_wrong`.

    .venv/bin/python tests/runners/fidelity_table.py MODELS OLD_PYTHON

MODELS is the folder that the fixture `tflite` made, OLD_PYTHON that of `old_python`; both lie in
~/.cache/edgebench-tests once the tests of the runner have run.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgebench.errors import JobFailed
from edgebench.measure.agreement import agreement, is_wrong
from edgebench.runner import RunnerJob, run_here

NAMES = (
    *("float", "dynamic_by_tensor", "dynamic_by_channel"),
    *("static_int8", "int16x8", "int4_weights"),
)


def outputs(models: Path, name: str, runtime, python: str) -> dict[str, np.ndarray]:
    job = RunnerJob(
        kind="outputs",
        model=str(models / f"{name}.tflite"),
        runtime=runtime,
        inputs=str(models / "images.npz"),
    )
    with tempfile.TemporaryDirectory() as folder:
        run_here(job, Path(folder), python=python)
        with np.load(Path(folder) / "outputs.npz") as archive:
            return dict(archive)


def row(models: Path, name: str, old_python: str, reference: dict[str, np.ndarray]) -> str:
    here = outputs(models, name, "litert", sys.executable)
    to_float = agreement(here, reference)
    cells = [name, f"{to_float.cosine:.4f}", f"{to_float.top1:.3f}"]
    try:
        there = outputs(models, name, "tflite-runtime", old_python)
    except JobFailed:
        return " | ".join([*cells, "does not load", "", ""])
    same = agreement(there, here)
    wrong, _ = is_wrong(same, None, is_quantized=name != "float")
    found = [f"{same.cosine:.6f}", f"{same.top1:.3f}", "wrong" if wrong else "right"]
    return " | ".join([*cells, *found])


def main(models: Path, old_python: str) -> None:
    reference = outputs(models, "float", "litert", sys.executable)
    sys.stdout.write(
        "| variant | cosine to float | top1 | cosine 2.14 to 2.3 | top1 | verdict |" + "\n"
    )
    sys.stdout.write("|---|---:|---:|---:|---:|---|" + "\n")
    for name in NAMES:
        sys.stdout.write(f"| {row(models, name, old_python, reference)} |" + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
