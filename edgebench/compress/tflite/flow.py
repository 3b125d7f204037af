"""A subgraph of a `.tflite` file as a flow: who reads what an operation puts out."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.tflite.constants import read_constant
from edgebench.compress.tflite.graph import operation_name, text_of, type_name

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

# What stands between stored weights and the operation that computes with them.
UNPACKS: Final = frozenset({"DEQUANTIZE", "DENSIFY"})
# Rows and columns of `(batch, height, width, channels)`.
SPATIAL: Final = frozenset({1, 2})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """A subgraph, and which operation makes and which read each tensor.

    Attributes:
        content: The whole file.
        makers: By index of the tensor.
        readers: By index of the tensor.
    """

    model: "schema.ModelT"
    content: bytes
    graph: "schema.SubGraphT"
    makers: Mapping[int, "schema.OperatorT"]
    readers: Mapping[int, Sequence["schema.OperatorT"]]

    def kind(self, operation: "schema.OperatorT") -> str:
        """What the schema calls the operation."""
        return operation_name(self.model, operation)

    def name_of(self, operation: "schema.OperatorT") -> str:
        """The name of what it puts out."""
        return text_of(self.graph.tensors[operation.outputs[0]].name)

    def readers_of(self, operation: "schema.OperatorT") -> list["schema.OperatorT"]:
        """The operations that read what it puts out."""
        return [
            reader for index in operation.outputs for reader in self.readers.get(int(index), [])
        ]

    def behind(self, operation: "schema.OperatorT") -> Iterator["schema.OperatorT"]:
        """All operations that what it puts out reaches, each once."""
        pending, seen = [operation], {id(operation)}
        while pending:
            for reader in self.readers_of(pending.pop()):
                if id(reader) not in seen:
                    seen.add(id(reader))
                    pending.append(reader)
                    yield reader

    def joins(self, operation: "schema.OperatorT") -> bool:
        """Whether what it puts out meets another branch somewhere, as that of a gate does."""
        return any(len(self.computed_inputs(other)) > 1 for other in self.behind(operation))

    def computed_inputs(self, operation: "schema.OperatorT") -> list[int]:
        """Its inputs that are no constants, unpacked or not."""
        inputs = [int(index) for index in operation.inputs if index >= 0]
        return [index for index in inputs if self.constant(index) is None]

    def constant(self, index: int) -> "schema.TensorT | None":
        """The stored tensor that comes in here; None where it is computed."""
        maker = self.makers.get(index)
        if maker is not None and self.kind(maker) in UNPACKS:
            return self.constant(int(maker.inputs[0]))
        tensor = self.graph.tensors[index]
        buffer = self.model.buffers[tensor.buffer]
        is_filled = bool(buffer.size) or (buffer.data is not None and len(buffer.data) > 0)
        return tensor if is_filled else None

    def constant_of(self, tensor: "schema.TensorT") -> NDArray[Any] | None:
        """Its weights; None where it holds none."""
        return read_constant(self.model, self.content, tensor, type_name(tensor))

    def integers(self, index: int) -> list[int]:
        """What a constant says, such as axes and paddings; nothing where it is computed."""
        tensor = self.constant(index)
        if tensor is None or type_name(tensor) != "INT32":
            return []
        data = np.asarray(self.model.buffers[tensor.buffer].data, np.uint8)
        return [int(value) for value in data.view("<i4")]

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(int(length) for length in self.graph.tensors[index].shape)

    def is_spatial_mean(self, operation: "schema.OperatorT", *, keeps_axes: bool) -> bool:
        """Whether a MEAN goes over rows and columns, and keeps their axes or not."""
        rank = len(self.shape(int(operation.inputs[0])))
        axes = {axis % rank for axis in self.integers(int(operation.inputs[1]))}
        return rank == 4 and axes == SPATIAL and operation.builtinOptions.keepDims == keeps_axes


def read_flow(path: Path) -> Iterator[Flow]:
    """The subgraphs of a file."""
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        makers = {int(index): op for op in graph.operators for index in op.outputs}
        readers: dict[int, list[schema.OperatorT]] = defaultdict(list)
        for operation in graph.operators:
            for index in operation.inputs:
                readers[int(index)].append(operation)
        yield Flow(model=model, content=content, graph=graph, makers=makers, readers=dict(readers))
