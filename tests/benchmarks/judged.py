"""What a file is worth: accuracy on the test images by the runner, and its sizes."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.compress.inspect import read_artifact
from edgebench.data import Dataset, accuracy, inputs_for, load_metric
from edgebench.runner import RunnerJob, run_here

RUNTIMES: Any = {".tflite": "litert", ".onnx": "onnxruntime"}
Numbers = dict[str, float]


def evaluate(path: Path, base: Path, dataset: Dataset) -> Numbers:
    """Top-1 in percent, file and gzip in kB; kept in `base` for a file that was judged before."""
    content = path.read_bytes()
    kept = base / "judged" / f"{hashlib.sha256(content).hexdigest()}.json"
    if kept.exists():
        numbers: Numbers = json.loads(kept.read_bytes())
        return numbers
    artifact = read_artifact(path)
    images, folder = base / "test.npz", base / "run"
    np.savez(images, **inputs_for(dataset.test.x, artifact.inputs))  # type: ignore[arg-type]  # its stub takes allow_pickle for an array
    job = RunnerJob(
        kind="outputs", model=str(path), runtime=RUNTIMES[path.suffix], inputs=str(images)
    )
    run_here(job, folder, timeout_s=3600)
    with np.load(folder / job.outputs) as outputs:
        arrays = {key: outputs[key] for key in outputs.files}
    assert dataset.test.y is not None
    metric = load_metric("top1", base=base)
    numbers = {
        "top1": 100 * accuracy(metric, arrays, dataset.test.y, on="host").value,
        "file": len(content) / 1000,
        "gzip": len(gzip.compress(content, 9)) / 1000,
    }
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(numbers))
    return numbers
