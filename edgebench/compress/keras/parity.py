"""Whether a converted model computes what its source computes."""

from collections.abc import Callable, Iterator, Mapping
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
# The lowest and the highest value.
Span = tuple[float, float]
Run = Callable[[Sample], Sample]


def check_parity(source: Source, path: Path, target: Format, *, seed: int) -> dict[str, JsonValue]:
    """Run both on the same generated samples; how far apart they are, for the ledger.

    Raises:
        CompressionError: They do not compute the same.
    """
    if has_free_axes(source):
        return {"parity_samples": 0, "parity_max_error": None}
    run = RUNNERS[target](path)
    samples = generate(source, SAMPLES, spans={}, seed=seed)
    worst = max(_distance(compute(source, sample), run(sample)) for sample in samples)
    check_error(path, worst, TOLERANCE)
    return {"parity_samples": SAMPLES, "parity_max_error": worst}


def check_error(path: Path, error: float, tolerance: float) -> None:
    """Raise CompressionError where a file is too far off, or by what is no number."""
    if not error <= tolerance:
        msg = f"The converted {path.name} is wrong: its outputs are off by {error:.3g}."
        hint = "The converter lost something: report it with the model, or export it yourself."
        raise CompressionError(msg, hint=hint)


def has_free_axes(source: Source) -> bool:
    """Whether the shape of an input is open, so that no sample can be made up."""
    return any(axis is None for spec in source.specs for axis in (spec.shape or [None]))


def generate(
    source: Source, count: int, *, spans: Mapping[str, Span], seed: int
) -> Iterator[Sample]:
    """Samples of what the source takes; `spans` are other than 0..1, by input."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            spec.name: _generate(spec, spans.get(spec.name, (0.0, 1.0)), rng)
            for spec in source.specs
        }


def _generate(spec: "tf.TensorSpec", span: Span, rng: np.random.Generator) -> NDArray[Any]:
    """A sample that no embedding refuses: reals of the span, and 0 or 1 for all else."""
    dtype = np.dtype(spec.dtype.as_numpy_dtype)
    if dtype.kind == "f":
        return rng.uniform(*span, tuple(spec.shape)).astype(dtype)
    return rng.integers(0, 2, tuple(spec.shape)).astype(dtype)


def compute(source: Source, sample: Sample) -> dict[str, NDArray[Any]]:
    """What the source makes of a sample, by the names of its outputs."""
    import tensorflow as tf

    answer = source.function(*(tf.constant(sample[spec.name]) for spec in source.specs))
    return {name: np.asarray(tensor) for name, tensor in answer.items()}


def _tflite(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner()
    taken, given = runner.get_input_details(), runner.get_output_details()

    def run(sample: Sample) -> Sample:
        answer = runner(**{name: _to_steps(array, taken[name]) for name, array in sample.items()})
        return {name: _from_steps(array, given[name]) for name, array in answer.items()}

    return run


def _to_steps(array: NDArray[Any], detail: Mapping[str, Any]) -> NDArray[Any]:
    """Reals as the integers that stand for them, where the file takes integers for them."""
    dtype = np.dtype(detail["dtype"])
    if array.dtype.kind != "f" or dtype.kind == "f":
        return array
    scale, zero_point = detail["quantization"]
    steps = np.round(array / scale) + zero_point
    clipped: NDArray[Any] = np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
    return clipped


def _from_steps(array: NDArray[Any], detail: Mapping[str, Any]) -> NDArray[Any]:
    scale, zero_point = detail["quantization"]
    return (array.astype(np.float32) - zero_point) * scale if scale else array


def _onnx(path: Path) -> Run:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda sample: dict(zip(names, session.run(names, dict(sample)), strict=True))


RUNNERS: Final[Mapping[Format, Callable[[Path], Run]]] = {
    Format.TFLITE: _tflite,
    Format.ONNX: _onnx,
}


def _distance(wanted: Sample, found: Sample) -> float:
    """Largest difference over the largest value, of the outputs of one sample."""
    if len(wanted) != len(found):
        return np.inf
    return max((_error(a, b) for a, b in pairs_of(wanted, found)), default=0.0)


def pairs_of(wanted: Sample, found: Sample) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Outputs of one name or else of one place."""
    same = set(wanted) == set(found)
    names = zip(sorted(wanted), sorted(wanted) if same else sorted(found), strict=True)
    return [(wanted[a], found[b]) for a, b in names]


def _error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    if wanted.shape != found.shape or not wanted.size:
        return 0.0 if wanted.shape == found.shape else np.inf
    a, b = wanted.astype(np.float64), found.astype(np.float64)
    scale = max(1e-6, float(np.nanmax(np.abs(a), initial=0.0)))
    # What is NaN or infinite on one side must be so on the other.
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    return float(np.max(np.abs(a - b), initial=0.0, where=np.isfinite(a))) / scale
