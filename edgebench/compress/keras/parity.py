"""Whether a converted model computes what its source computes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.keras.source import Source
from edgebench.core import Format
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import tensorflow as tf

SAMPLES: Final = 4
# Float kernels differ by some 1e-6; a converter that loses an operation differs by far more.
TOLERANCE: Final = 1e-2

Sample = Mapping[str, NDArray[Any]]
Run = Callable[[Sample], Sample]


def check_parity(source: Source, path: Path, target: Format, *, seed: int) -> dict[str, JsonValue]:
    """Run both on the same generated samples; how far apart they are, for the ledger.

    Raises:
        CompressionError: They do not compute the same.
    """
    if any(axis is None for spec in source.specs for axis in (spec.shape or [None])):
        return {"parity_samples": 0, "parity_max_error": None}
    rng = np.random.default_rng(seed)
    run = _RUNNERS[target](path)
    worst = 0.0
    for _ in range(SAMPLES):
        sample = {spec.name: _generate(spec, rng) for spec in source.specs}
        worst = max(worst, _distance(_compute(source, sample), run(sample)))
    if not worst <= TOLERANCE:
        msg = f"The converted {path.name} is wrong: its outputs are off by {worst:.3g}."
        hint = "The converter lost something: report it with the model, or export it yourself."
        raise CompressionError(msg, hint=hint)
    return {"parity_samples": SAMPLES, "parity_max_error": worst}


def _generate(spec: "tf.TensorSpec", rng: np.random.Generator) -> NDArray[Any]:
    """A sample that no embedding refuses: reals of 0..1, and 0 or 1 for all else."""
    dtype = np.dtype(spec.dtype.as_numpy_dtype)
    if dtype.kind == "f":
        return rng.random(tuple(spec.shape)).astype(dtype)
    return rng.integers(0, 2, tuple(spec.shape)).astype(dtype)


def _compute(source: Source, sample: Sample) -> dict[str, NDArray[Any]]:
    import tensorflow as tf

    answer = source.function(*(tf.constant(sample[spec.name]) for spec in source.specs))
    return {name: np.asarray(tensor) for name, tensor in answer.items()}


def _tflite(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    return lambda sample: dict(runner(**sample))


def _onnx(path: Path) -> Run:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda sample: dict(zip(names, session.run(names, dict(sample)), strict=True))


_RUNNERS: Final[Mapping[Format, Callable[[Path], Run]]] = {
    Format.TFLITE: _tflite,
    Format.ONNX: _onnx,
}


def _distance(wanted: Sample, found: Sample) -> float:
    """Largest difference over the largest value, of outputs of one name or else of one place."""
    if len(wanted) != len(found):
        return np.inf
    same = set(wanted) == set(found)
    pairs = zip(sorted(wanted), sorted(wanted) if same else sorted(found), strict=True)
    return max((_error(wanted[a], found[b]) for a, b in pairs), default=0.0)


def _error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    if wanted.shape != found.shape or not wanted.size:
        return 0.0 if wanted.shape == found.shape else np.inf
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    scale = max(1e-6, float(np.nanmax(np.abs(a), initial=0.0)))
    # What is NaN or infinite on one side must be so on the other.
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    return float(np.max(np.abs(a - b), initial=0.0, where=np.isfinite(a))) / scale
