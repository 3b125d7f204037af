"""Lift constants: make initializers of `Constant` nodes, where quantizers look for weights."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from edgebench.compress.onnx.graph import graphs

if TYPE_CHECKING:
    import onnx

# Attributes of a Constant that hold numbers as plain values, and the type of the tensor they make.
PLAIN: Final[Mapping[str, str]] = {
    "value_float": "float32",
    "value_floats": "float32",
    "value_int": "int64",
    "value_ints": "int64",
}


def lift_constants(model: "onnx.ModelProto") -> tuple["onnx.ModelProto", int]:
    """A copy of the model without `Constant` nodes of numbers, and how many were lifted.

    Subgraphs are lifted too, each within itself. A constant that is an output of its graph stays:
    not every runtime takes an initializer there. So do text and sparse tensors.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy, sum(_lift(graph) for graph in list(graphs(copy.graph)))


def name_nodes(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy of the model in which every node has a name of its own, by which it can be chosen."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    taken: set[str] = set()
    for position, node in enumerate(copy.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{position}:{next(iter(node.output), '')}"
        taken.add(node.name)
    return copy


def label_nodes(model: "onnx.ModelProto") -> dict[str, str]:
    """By node: its name, its weights and its outputs, among which users find their layers.

    Exporters call a fused node `Conv__17`, and keep the layer's name in its weights only.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    return {
        node.name: ";".join([node.name, *(n for n in node.input if n in weights), *node.output])
        for node in model.graph.node
    }


def _lift(graph: "onnx.GraphProto") -> int:
    outputs = {value.name for value in graph.output}
    lifted = []
    for node in graph.node:
        tensor = _tensor(node) if node.op_type == "Constant" else None
        if tensor is not None and node.output[0] not in outputs:
            lifted.append(node)
            graph.initializer.append(tensor)
    for node in lifted:
        graph.node.remove(node)
    return len(lifted)


def _tensor(node: "onnx.NodeProto") -> "onnx.TensorProto | None":
    """The constant as an initializer of the node's output name."""
    import numpy as np
    import onnx

    for attribute in node.attribute:
        if attribute.name == "value" and attribute.t.data_type != onnx.TensorProto.STRING:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(attribute.t)
            tensor.name = node.output[0]
            return tensor
        if attribute.name in PLAIN:
            value = onnx.helper.get_attribute_value(attribute)
            return onnx.numpy_helper.from_array(
                np.array(value, PLAIN[attribute.name]), node.output[0]
            )
    return None
