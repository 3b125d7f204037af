"""Change how a `.tflite` meets the world: the names of its ends, the layout of its outputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

KEY: Final = "serving_default"
Order = tuple[int, ...]


def rewire(
    content: bytes, *, inputs: Sequence[str], outputs: Sequence[str], orders: Sequence[Order | None]
) -> bytes:
    """The model with one signature of these names, and its outputs transposed.

    Args:
        content: A model of one subgraph.
        inputs: A name for each input, in order.
        outputs: A name for each output, in order.
        orders: The order of axes that each output is brought into; None leaves it as it is.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    graph.outputs = [
        int(index) if order is None else _transpose(model, graph, int(index), order)
        for index, order in zip(graph.outputs, orders, strict=True)
    ]
    signature = schema.SignatureDefT()
    signature.signatureKey = KEY
    signature.subgraphIndex = 0
    signature.inputs = _entries(inputs, graph.inputs)
    signature.outputs = _entries(outputs, graph.outputs)
    model.signatureDefs = [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _entries(names: Sequence[str], indices: Sequence[int]) -> list["schema.TensorMapT"]:
    from ai_edge_litert import schema_py_generated as schema

    entries = []
    for name, index in zip(names, indices, strict=True):
        entry = schema.TensorMapT()
        entry.name = name
        entry.tensorIndex = int(index)
        entries.append(entry)
    return entries


def _transpose(model: "schema.ModelT", graph: "schema.SubGraphT", index: int, order: Order) -> int:
    """Add a TRANSPOSE of the tensor, and return the index of what it puts out."""
    from ai_edge_litert import schema_py_generated as schema

    source = graph.tensors[index]
    axes = _add_tensor(graph, f"axes_of_{index}", [len(order)], schema.TensorType.INT32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array(order, "<i4").tobytes(), np.uint8)
    graph.tensors[axes].buffer = len(model.buffers)
    model.buffers.append(buffer)
    shape = [int(source.shape[axis]) for axis in order]
    moved = _add_tensor(graph, f"output_{index}", shape, source.type)
    graph.tensors[moved].quantization = source.quantization
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE
    code.version = 1
    operation = schema.OperatorT()
    operation.opcodeIndex = len(model.operatorCodes)
    operation.inputs, operation.outputs = [index, axes], [moved]
    operation.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    operation.builtinOptions = schema.TransposeOptionsT()
    model.operatorCodes.append(code)
    graph.operators.append(operation)
    return moved


def _add_tensor(graph: "schema.SubGraphT", name: str, shape: list[int], kind: int) -> int:
    """Add a tensor, and return its index."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name, shape, kind
    # The first buffer is empty: it is that of all that is computed.
    tensor.buffer = 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
