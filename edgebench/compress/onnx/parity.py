"""Whether two ONNX graphs compute the same, by onnxruntime on generated samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.core import TensorSpec
from edgebench.errors import CompressionError

SAMPLES: Final = 4
# Float kernels differ by some 1e-6, and a folded factor of a thousand makes a thousandth of it.
TOLERANCE: Final = 1e-2
# What stands for a free axis: a batch of one, and a side that convolutions and pooling fit into.
FREE_BATCH: Final = 1
FREE_SIDE: Final = 32
FATAL_ONLY: Final = 4

Sample = Mapping[str, NDArray[Any]]


def check_parity(
    source: Path, made: Path, specs: Sequence[TensorSpec], *, seed: int
) -> dict[str, JsonValue]:
    """Run both on the same samples; how far apart they are, for the ledger.

    Where onnxruntime does not run the source on generated samples nothing is compared, and the
    ledger says so.

    Raises:
        CompressionError: They do not compute the same.
    """
    rng = np.random.default_rng(seed)
    samples = [{spec.name: _generate(spec, rng) for spec in specs} for _ in range(SAMPLES)]
    wanted = _run(source, samples)
    if wanted is None:
        return {"parity_samples": 0, "parity_max_error": None}
    found = _run(made, samples)
    worst = max(map(_distance, wanted, found), default=0.0) if found else np.inf
    if not worst <= TOLERANCE:
        msg = f"What was made computes something else: its outputs are off by {worst:.3g}."
        raise CompressionError(msg, hint="Leave the step out, and report it with the model.")
    return {"parity_samples": SAMPLES, "parity_max_error": worst}


def _generate(spec: TensorSpec, rng: np.random.Generator) -> NDArray[Any]:
    """A sample that no embedding refuses: reals of 0..1, and 0 or 1 for all else."""
    shape = tuple(
        size if size is not None else (FREE_SIDE if axis else FREE_BATCH)
        for axis, size in enumerate(spec.shape or ())
    )
    if spec.dtype in {"float16", "float32", "float64"}:
        return rng.random(shape).astype(spec.dtype)
    numbers = rng.integers(0, 2, shape)
    return numbers.astype(str if spec.dtype == "string" else spec.dtype)


def _run(path: Path, samples: Sequence[Sample]) -> list[list[NDArray[Any]]] | None:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return [session.run(None, dict(sample)) for sample in samples]
    except (state.Fail, state.InvalidArgument, state.RuntimeException, state.NotImplemented):
        return None


def _distance(wanted: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]) -> float:
    """Largest difference over the largest value, of all outputs."""
    return max(map(_error, wanted, found), default=0.0)


def _error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    a, b = np.asarray(wanted), np.asarray(found)
    if a.shape != b.shape:
        return np.inf
    if a.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(a, b) else np.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(a)
    # What is NaN or infinite on one side must be so on the other.
    if not np.array_equal(finite, np.isfinite(b)):
        return np.inf
    scale = max(1e-6, float(np.abs(a).max(initial=0.0, where=finite)))
    return float(np.abs(a - b).max(initial=0.0, where=finite)) / scale
