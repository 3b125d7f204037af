"""What a `.tflite` saves by its sparse tensors, and an end that breaks it on ARM devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import JsonValue

from edgebench.compress.tflite.constants import READERS, stored_bytes
from edgebench.compress.tflite.flow import Flow, read_flow
from edgebench.compress.tflite.graph import type_name
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

CONVOLUTIONS: Final = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
# Bytes of one index, by the kind of its vector: Int32Vector, Uint16Vector, Uint8Vector.
INDEX_BYTES: Final[Mapping[int, int]] = {1: 4, 2: 2, 3: 1}
# What each sparse tensor costs beside its numbers: a DENSIFY, and the dense tensor that it makes.
# By two files of one net with 6 and with 7 of them: 336 bytes each.
UNPACKING_BYTES: Final = 336


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """The tensors that a file stores sparse.

    Attributes:
        dense_bytes: What they would take if every value were written.
        stored_bytes: What they take: values that are not zero, where they belong, and the
            operation that unpacks them.
        zeros_share: How many of their values are zero, of all.
    """

    tensors: int
    dense_bytes: int
    stored_bytes: int
    zeros_share: float

    def to_json(self) -> dict[str, JsonValue]:
        """For the ledger."""
        return {
            "sparse_tensors": self.tensors,
            "sparse_bytes_dense": self.dense_bytes,
            "sparse_bytes_stored": self.stored_bytes,
            "sparse_zeros_share": round(self.zeros_share, 5),
        }


def read_sparsity(path: Path) -> Sparsity:
    """Add up the sparse tensors of all subgraphs, each buffer once."""
    flows = list(read_flow(path))
    found = {
        tensor.buffer: (flow, tensor)
        for flow in flows
        for tensor in flow.graph.tensors
        if tensor.sparsity is not None and type_name(tensor) in READERS
    }
    sizes = [_sizes(flow, tensor) for flow, tensor in found.values()]
    count = sum(count for count, _, _ in sizes)
    return Sparsity(
        tensors=len(found),
        dense_bytes=sum(dense for _, dense, _ in sizes),
        stored_bytes=sum(stored + UNPACKING_BYTES for _, _, stored in sizes),
        zeros_share=1 - sum(_filled(*pair) for pair in found.values()) / count if count else 0.0,
    )


def _filled(flow: Flow, tensor: "schema.TensorT") -> int:
    values = flow.constant_of(tensor)
    return int(np.count_nonzero(values)) if values is not None else 0


def _sizes(flow: Flow, tensor: "schema.TensorT") -> tuple[int, int, int]:
    """Values of the tensor, its bytes if it were dense, and its bytes as it is."""
    count = int(np.prod(tensor.shape))
    values = flow.constant_of(tensor)
    assert values is not None
    stored = stored_bytes(flow.model, flow.content, tensor).size
    for level in tensor.sparsity.dimMetadata:
        for vector, kind in (
            (level.arraySegments, level.arraySegmentsType),
            (level.arrayIndices, level.arrayIndicesType),
        ):
            stored += len(vector.values) * INDEX_BYTES[kind] if vector is not None else 0
    return count, count * values.itemsize, stored


def check_tail(path: Path) -> None:
    """Raise CompressionError for a mean that keeps its axes and leads into a last convolution.

    Where XNNPACK computes sparse, which a host with AVX does not, such a file fails to load:
    "failed to reshape runtime" (LiteRT 2.3 on SSE, 2.1 on ARM64). A gate that multiplies a later
    tensor, as in squeeze and excite, is taken.
    """
    for flow in read_flow(path):
        for operation in flow.graph.operators:
            if flow.kind(operation) == "MEAN" and flow.is_spatial_mean(operation, keeps_axes=True):
                readers = flow.readers_of(operation)
                if any(flow.kind(r) in CONVOLUTIONS for r in readers) and not flow.joins(operation):
                    name = flow.name_of(operation)
                    msg = f"{name!r} keeps its axes before a convolution: no ARM device loads that."
                    hint = (
                        "End with GlobalAveragePooling2D(keepdims=False) and a Dense layer, "
                        "whose weights are those of the 1x1 convolution."
                    )
                    raise CompressionError(msg, hint=hint)
