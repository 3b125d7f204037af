"""Whether a converted model computes what its source computes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
# Where a value lies between two steps, an integer kernel and its model in float may take either,
# and what follows makes one step several: single outputs were off by up to a tenth of the largest.
# As root mean square, over more samples, LeNet, ResNet-8 and a MobileNet, trained and untrained,
# were off by 0.01 to 0.04: as far as rounding itself moves them. A bias that is lost was 0.2 to
# 1.3, an input whose axes are swapped 0.5 to 0.7.
INTEGER_SAMPLES: Final = 16
INTEGER_TOLERANCE: Final = 0.12

Sample = Mapping[str, NDArray[Any]]
Run = Callable[[Sample], Sample]


def check_parity(
    source: Source, path: Path, target: Format, *, seed: int, is_integer: bool = False
) -> dict[str, JsonValue]:
    """Run both on the same generated samples; how far apart they are, for the ledger.

    Args:
        source: Whose function says what is right.
        path: The file.
        target: Its format.
        seed: Of the samples.
        is_integer: Whether the file computes on integers what the source rounds in float.

    Raises:
        CompressionError: They do not compute the same.
    """
    if any(axis is None for spec in source.specs for axis in (spec.shape or [None])):
        return {"parity_samples": 0, "parity_max_error": None}
    count = INTEGER_SAMPLES if is_integer else SAMPLES
    answers = list(_answers(source, _RUNNERS[target](path), count, seed=seed))
    error = _mean_distance(answers) if is_integer else max(_distance(*pair) for pair in answers)
    if not error <= (INTEGER_TOLERANCE if is_integer else TOLERANCE):
        msg = f"The converted {path.name} is wrong: its outputs are off by {error:.3g}."
        hint = "The converter lost something: report it with the model, or export it yourself."
        raise CompressionError(msg, hint=hint)
    return {"parity_samples": count, f"parity_{'rms' if is_integer else 'max'}_error": error}


def _answers(source: Source, run: Run, count: int, *, seed: int) -> Iterator[tuple[Sample, Sample]]:
    """What both make of generated samples."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sample = {spec.name: _generate(spec, rng) for spec in source.specs}
        yield _compute(source, sample), run(sample)


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


_RUNNERS: Final[Mapping[Format, Callable[[Path], Run]]] = {
    Format.TFLITE: _tflite,
    Format.ONNX: _onnx,
}


def _distance(wanted: Sample, found: Sample) -> float:
    """Largest difference over the largest value, of the outputs of one sample."""
    if len(wanted) != len(found):
        return np.inf
    return max((_error(a, b) for a, b in _pairs(wanted, found)), default=0.0)


def _mean_distance(answers: Sequence[tuple[Sample, Sample]]) -> float:
    """Root mean square of the difference over that of the values, of the worst output."""
    if any(len(wanted) != len(found) for wanted, found in answers):
        return np.inf
    by_output = zip(*(_pairs(wanted, found) for wanted, found in answers), strict=True)
    worst = 0.0
    for pairs in by_output:
        if any(a.shape != b.shape for a, b in pairs):
            return np.inf
        wanted, found = (np.stack(part).astype(np.float64) for part in zip(*pairs, strict=True))
        scale = max(1e-12, float(np.mean(wanted**2)))
        worst = max(worst, float(np.sqrt(np.mean((wanted - found) ** 2) / scale)))
    return worst


def _pairs(wanted: Sample, found: Sample) -> list[tuple[NDArray[Any], NDArray[Any]]]:
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
