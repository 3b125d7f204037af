"""What lies in an ONNX graph: its weights by element type, its operations, and its subgraphs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

if TYPE_CHECKING:
    import onnx

QUANTIZED: Final = frozenset(
    {
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("MatMulInteger", "ConvInteger", "MatMulNBits", "DynamicQuantizeMatMul"),
        *("DynamicQuantizeLSTM", "GatherBlockQuantized"),
    }
)
WEIGHT_RANK: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A graph in numbers.

    Attributes:
        weights: Constants of rank 2 and more by element type, `{"FLOAT": 4}`, everywhere.
        inner_weighted: Operations with weights in subgraphs, such as the branches of an If.
        constant_weights: Weights that are `Constant` nodes and no initializers.
        quantized: How many operations are of those that quantization makes.
    """

    weights: Mapping[str, int]
    operations: Mapping[str, int]
    inner_weighted: int
    constant_weights: int
    quantized: int

    def to_json(self) -> dict[str, JsonValue]:
        """For the ledger."""
        return {"weights": dict(self.weights), "operations": dict(self.operations)}


def read_onnx_counts(path: Path) -> Counts:
    """Count the weights and operations of a file."""
    import onnx

    return count(onnx.load(str(path)))


def count(model: "onnx.ModelProto") -> Counts:
    """Count weights and operations over the graph and all its subgraphs."""
    weights: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    names: set[str] = set()
    constant = 0
    for graph in graphs(model.graph):
        operations.update(node.op_type for node in graph.node)
        stored = {t.name: t for t in graph.initializer if len(t.dims) >= WEIGHT_RANK}
        made = {node.output[0]: tensor for node in graph.node for tensor in _tensors(node)}
        weights.update(_type_name(tensor) for tensor in (*stored.values(), *made.values()))
        names |= set(stored) | set(made)
        constant += len(made)
    inner = [
        node for graph in graphs(model.graph) if graph is not model.graph for node in graph.node
    ]
    return Counts(
        weights=dict(sorted(weights.items())),
        operations=dict(sorted(operations.items())),
        inner_weighted=sum(bool(names & set(node.input)) for node in inner),
        constant_weights=constant,
        quantized=sum(n for kind, n in operations.items() if is_quantized(kind)),
    )


def is_quantized(op_type: str) -> bool:
    """Whether quantization makes operations of this type.

    >>> [is_quantized(kind) for kind in ("QLinearConv", "MatMulInteger", "Conv")]
    [True, True, False]
    """
    return op_type in QUANTIZED or op_type.startswith("QLinear")


def graphs(graph: "onnx.GraphProto") -> Iterator["onnx.GraphProto"]:
    """The graph, and every graph that an attribute of a node in it holds."""
    import onnx

    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)
            elif attribute.type == onnx.AttributeProto.GRAPHS:
                for inner in attribute.graphs:
                    yield from graphs(inner)


def _tensors(node: "onnx.NodeProto") -> Iterator["onnx.TensorProto"]:
    """The weights that a Constant holds."""
    if node.op_type == "Constant":
        held = (attribute.t for attribute in node.attribute if attribute.name == "value")
        yield from (tensor for tensor in held if len(tensor.dims) >= WEIGHT_RANK)


def _type_name(tensor: "onnx.TensorProto") -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(tensor.data_type))
