"""Accuracy of a file on the validation set, by this host's kernels."""

import json
import math
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import JsonValue

from edgebench.compress.cache import key_of
from edgebench.compress.launch import versions_of
from edgebench.core import Artifact, Format, Progress
from edgebench.data import Dataset, Metric, accuracy, inputs_for
from edgebench.errors import ConfigError, JobFailed
from edgebench.runner import RunnerJob, run_here
from edgebench.runtimes import Runtime

RUNTIMES: Final[Mapping[Format, Runtime]] = {
    Format.TFLITE: "litert",
    Format.ONNX: "onnxruntime",
}
DISTRIBUTIONS: Final[Mapping[Format, tuple[str, ...]]] = {
    Format.TFLITE: ("ai-edge-litert",),
    Format.ONNX: ("onnxruntime",),
}
TIMEOUT_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An accuracy, or why there is none."""

    value: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What a file is judged by."""

    dataset: Dataset
    metric: Metric


def judge(artifact: Artifact, by: Judge | None, *, cache: Path, progress: Progress) -> Judgement:
    """The accuracy on the validation set, computed once for the same file, data and metric."""
    if by is None or by.dataset.validation.y is None:
        return Judgement(value=None, reason="there are no labelled samples to validate on")
    if artifact.format not in RUNTIMES:
        return Judgement(value=None, reason=f"a {artifact.format} model is not run by the runner")
    key = key_of(_document(artifact, by))
    kept = cache / "judged" / f"{key}.json"
    if kept.exists():
        return _judgement(json.loads(kept.read_bytes())["value"])
    progress(f"validating on {by.dataset.validation.samples} samples")
    try:
        value = _compute(artifact, by)
    except (JobFailed, ConfigError) as error:
        return Judgement(value=None, reason=str(error))
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Two variants with the same beginning are judged at once, by threads of one process.
    part = kept.with_suffix(f".{secrets.token_hex(8)}.part")
    part.write_text(json.dumps({"value": value, "artifact": artifact.sha256}))
    part.rename(kept)
    return _judgement(value)


def _judgement(value: float) -> Judgement:
    if math.isfinite(value):
        return Judgement(value=value)
    return Judgement(value=None, reason=f"the metric gives {value}: no number to compare")


def _document(artifact: Artifact, by: Judge) -> dict[str, JsonValue]:
    versions: dict[str, JsonValue] = {**versions_of(DISTRIBUTIONS[artifact.format])}
    return {
        "artifact": artifact.sha256,
        "data": by.dataset.digest,
        "metric": [by.metric.name, by.metric.digest],
        "versions": versions,
    }


def _compute(artifact: Artifact, by: Judge) -> float:
    validation = by.dataset.validation
    assert validation.y is not None
    with tempfile.TemporaryDirectory(prefix="edgebench-") as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", **inputs_for(validation.x, artifact.inputs))  # type: ignore[arg-type]  # its stub takes the option allow_pickle for an array
        job = RunnerJob(
            kind="outputs",
            model=str(artifact.path),
            runtime=RUNTIMES[artifact.format],
            inputs="inputs.npz",
        )
        run_here(job, folder, timeout_s=TIMEOUT_S)
        with np.load(folder / job.outputs) as outputs:
            arrays = {key: outputs[key] for key in outputs.files}
    return accuracy(by.metric, arrays, validation.y, on="host").value
