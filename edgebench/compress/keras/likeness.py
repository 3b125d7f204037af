"""Whether a file of integers computes what its model rounds in float."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.keras.fake_quant import ranges_of
from edgebench.compress.keras.parity import (
    RUNNERS,
    Sample,
    Span,
    check_error,
    compute,
    generate,
    has_free_axes,
    pairs_of,
)
from edgebench.compress.keras.source import Source
from edgebench.core import Format

if TYPE_CHECKING:
    import keras

SAMPLES: Final = 16
# Where a value lies between two steps, an integer kernel and its model in float may take either,
# and layer upon layer makes more of it. So does rounding itself: by that is measured what may be.
# As root mean square, kernels moved the outputs of trained LeNet, ResNet-8 and a small MobileNet as
# far as rounding does, to twice as far, and by 0.02 to 0.04 of their size; those of MobileNetV2 and
# V3 with random weights as far. Outputs of softmax that are all alike were off by 0.01 to 0.02 for
# their own step. A bias that was lost moved outputs by 0.2 to 1.3, swapped axes by 0.5 to 0.7.
BY_ROUNDING: Final = 2.0
AT_LEAST: Final = 0.05

Arrays = Sequence[NDArray[Any]]


def check_likeness(
    source: Source, path: Path, target: Format, *, seed: int
) -> dict[str, JsonValue]:
    """Run both on generated samples; how far apart they are, for the ledger.

    Args:
        source: A Keras model with `FakeQuant` layers.
        path: The file.
        target: Its format.
        seed: Of the samples, which fill the ranges of the inputs.

    Raises:
        CompressionError: They are further apart than rounding explains.
    """
    if has_free_axes(source):
        return {"parity_samples": 0, "parity_rms_error": None}
    run = RUNNERS[target](path)
    samples = list(generate(source, SAMPLES, spans=_spans(source.owner), seed=seed))
    pairs = [pairs_of(compute(source, sample), run(sample)) for sample in samples]
    by_output = [tuple(zip(*output, strict=True)) for output in zip(*pairs, strict=True)]
    error = max(_apart(wanted, found) for wanted, found in by_output)
    rounding = _rounding(source.owner, samples)
    check_error(path, error, AT_LEAST + BY_ROUNDING * rounding)
    return {
        "parity_samples": SAMPLES,
        "parity_rms_error": error,
        "parity_rounding_error": rounding,
    }


def _spans(model: "keras.Model") -> dict[str, Span]:
    """The range of each input that is rounded."""
    return {
        str(layer.input.name).partition(":")[0]: (float(layer.low), float(layer.high))
        for layer in ranges_of(model)
        if layer.ends
    }


def _rounding(model: "keras.Model", samples: Sequence[Sample]) -> float:
    """How far the rounding of activations moves the outputs of the model."""
    whole = {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}
    rounded = _outputs(model, whole)
    layers = list(ranges_of(model))
    for layer in layers:
        layer.rounds = False
    try:
        plain = _outputs(model, whole)
    finally:
        for layer in layers:
            layer.rounds = True
    return max(_apart([a], [b]) for a, b in zip(plain, rounded, strict=True))


def _outputs(model: "keras.Model", whole: Sample) -> list[NDArray[Any]]:
    import keras

    given = next(iter(whole.values())) if len(whole) == 1 else dict(whole)
    return [np.asarray(output) for output in keras.tree.flatten(model(given, training=False))]


def _apart(wanted: Arrays, found: Arrays) -> float:
    """Root mean square of the difference over that of what is wanted."""
    if [array.shape for array in wanted] != [array.shape for array in found]:
        return np.inf
    a, b = (np.stack(arrays).astype(np.float64) for arrays in (wanted, found))
    scale = max(1e-12, float(np.mean(a**2)))
    return float(np.sqrt(np.mean((a - b) ** 2) / scale))
