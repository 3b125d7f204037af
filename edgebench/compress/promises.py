"""Whether the exported file holds what the steps said of it: counted there, not on the way."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from edgebench.compress.onnx.stored import onnx_weights, read_floating
from edgebench.compress.stored import Weight, count_different
from edgebench.compress.technique import Promises
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Artifact, Format
from edgebench.errors import CompressionError

# How far the weights of a file may be off, beyond what its small tensors leave open. Exporters add
# constants of their own and fold others; a layer that was not replaced, or stored twice, is more.
WEIGHTS_TOLERANCE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file holds.

    Attributes:
        matrix_weights: Numbers in constants that are weights for certain (`Weight.is_matrix`).
        weights: Numbers in all constants of rank 2 and more: exporters write a vector that is
            multiplied in as `(1, 1, 1, channels)`, and a layer with one unit as `(inputs, 1)`.
        zeros: How many of all are exactly zero.
        clustered: Numbers in tensors of few different values; None where that was not promised.
        unclear: Numbers in tensors of which it cannot be told.
        floating: Operations on reals, by kind; None where integers were not promised.
    """

    matrix_weights: int
    weights: int
    zeros: int
    clustered: int | None = None
    unclear: int | None = None
    floating: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """For the ledger: what was not looked for is left out."""
        told: dict[str, JsonValue] = {"weights": self.weights, "zeros": self.zeros}
        if self.clustered is not None:
            told |= {"clustered": self.clustered, "clusters_unclear": self.unclear}
        if self.floating is not None:
            told["float_operations"] = dict(self.floating)
        return told


def check_promises(artifact: Artifact, promises: Promises) -> dict[str, JsonValue]:
    """Count what the file holds, and compare it with what the steps promised.

    Weights are floats, or integers that stand for reals: a quantized weight is zero where it equals
    its zero point. What several operations or tensors share counts once, since it is stored once.

    Clusters are counted where they can be seen. An exporter multiplies a channel of weights by the
    batch normalization behind it, and a quantizer gives it a scale of its own; either way equal
    weights stay equal within a channel, and are no longer equal across channels. So a tensor holds
    the clusters if it has no more different values as a whole, or else if none of its channels has
    more. A channel of no more weights than values proves nothing: such tensors count as unclear,
    stand in the ledger as such, and are given the benefit of the doubt.

    Returns:
        What was found, for the ledger; nothing for a format that is no end of a recipe.

    Raises:
        CompressionError: The file does not hold what was promised.
    """
    if artifact.format not in _READERS:
        return {}
    weights, floating = _READERS[artifact.format]
    found = _count(weights(artifact.path), promises)
    if promises.is_integer:
        found = replace(found, floating=floating(artifact.path))
    for check in CHECKS:
        for words, hint in check(found, promises):
            msg = f"{artifact.path.name} does not hold what was promised: {words}."
            raise CompressionError(msg, hint=hint)
    return found.to_json()


def _read_tflite_floating(path: Path) -> Mapping[str, int]:
    return read_tflite_counts(path).floating


_READERS: Final[
    Mapping[Format, tuple[Callable[[Path], Iterable[Weight]], Callable[[Path], Mapping[str, int]]]]
] = {
    Format.TFLITE: (tflite_weights, _read_tflite_floating),
    Format.ONNX: (onnx_weights, read_floating),
}


def _count(weights: Iterable[Weight], promises: Promises) -> Found:
    matrix = total = zeros = clustered = unclear = 0
    for weight in weights:
        size = weight.values.size
        total += size
        matrix += size if weight.is_matrix else 0
        zeros += weight.zeros
        if promises.values is not None:
            is_clustered = _is_clustered(weight, promises.values)
            clustered += size if is_clustered else 0
            unclear += size if is_clustered is None else 0
    is_asked = promises.values is not None
    return Found(
        matrix_weights=matrix,
        weights=total,
        zeros=zeros,
        clustered=clustered if is_asked else None,
        unclear=unclear if is_asked else None,
    )


def _is_clustered(weight: Weight, values: int) -> bool | None:
    """Whether the tensor holds no more different values than that; None where it cannot be told."""
    if weight.values.size <= values:
        return None
    if count_different(weight.values) <= values:
        return True
    axis = weight.axis if weight.axis is not None else weight.channels
    if axis is None:
        return False
    if weight.values.size // weight.values.shape[axis] <= values:
        return None
    return count_different(weight.values, axis) <= values


Complaints = Iterator[tuple[str, str]]


def _zeros(found: Found, promises: Promises) -> Complaints:
    if promises.zeros is not None and found.zeros < promises.zeros:
        yield (
            f"{found.zeros:,} of its weights are exactly zero, not {promises.zeros:,}",
            "A later step made them something else: say keep = ['zeros'] there, or put it earlier.",
        )


def _clusters(found: Found, promises: Promises) -> Complaints:
    if promises.clustered is None or found.clustered is None or found.unclear is None:
        return
    if found.clustered + found.unclear < promises.clustered:
        words = f"{found.clustered:,} of its weights lie in tensors of {promises.values} values"
        unclear = f" and {found.unclear:,} perhaps" if found.unclear else ""
        yield (
            f"{words}{unclear}, not {promises.clustered:,}",
            "A later step moved them apart: say keep = ['clusters'] there, or put it earlier.",
        )


def _integers(found: Found, promises: Promises) -> Complaints:
    if promises.is_integer and found.floating:
        listed = ", ".join(f"{count} {kind}" for kind, count in found.floating.items())
        yield (
            f"{listed} of its operations compute on floats",
            "They have no integer form here, or `skip` names them.",
        )


def _weights(found: Found, promises: Promises) -> Complaints:
    """A prediction may count what looks like a vector or not: either is right."""
    wanted = promises.weights
    if wanted is None:
        return
    slack = WEIGHTS_TOLERANCE * wanted
    if not found.matrix_weights - slack <= wanted <= found.weights + slack:
        yield (
            f"it has {found.weights:,} weights, not {wanted:,}",
            "The export undid a step, or stored a weight twice: report it with the model.",
        )


CHECKS: Final[tuple[Callable[[Found, Promises], Complaints], ...]] = (
    _zeros,
    _clusters,
    _integers,
    _weights,
)
