"""Give each fully-connected operation of a `.tflite` its input as rows."""

import copy
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

RANK: Final = 2


def with_rows(content: bytes) -> bytes:
    """The model with a RESHAPE to `(rows, in)` before each FULLY_CONNECTED that reads a map.

    LiteRT flattens such an input by itself, and its converter leaves a RESHAPE before it out. Where
    tf2onnx 1.17 puts it back, it loses the bias (`TflFullyConnectedOp.to_tf`).
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for graph in model.subgraphs:
        graph.operators = [
            each for operation in graph.operators for each in _prepared(model, graph, operation)
        ]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _prepared(
    model: "schema.ModelT", graph: "schema.SubGraphT", operation: "schema.OperatorT"
) -> list["schema.OperatorT"]:
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[operation.opcodeIndex].builtinCode
    if code != schema.BuiltinOperator.FULLY_CONNECTED or operation.builtinOptions.keepNumDims:
        return [operation]
    read, weights = operation.inputs[0], graph.tensors[operation.inputs[1]]
    if len(graph.tensors[read].shape) == RANK:
        return [operation]
    width = int(weights.shape[-1])
    shape = [int(np.prod(graph.tensors[read].shape)) // width, width]
    rows = copy.copy(graph.tensors[read])
    rows.name, rows.shape, rows.shapeSignature = rows.name + b"_rows", shape, None
    graph.tensors.append(rows)
    made = len(graph.tensors) - 1
    reshape = _reshape(model, graph, shape, read=int(read), made=made)
    operation.inputs = [made, *operation.inputs[1:]]
    return [reshape, operation]


def _reshape(
    model: "schema.ModelT", graph: "schema.SubGraphT", shape: list[int], *, read: int, made: int
) -> "schema.OperatorT":
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array(shape, np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    constant = schema.TensorT()
    constant.name, constant.shape = graph.tensors[made].name + b"_shape", [len(shape)]
    constant.type, constant.buffer = schema.TensorType.INT32, len(model.buffers) - 1
    graph.tensors.append(constant)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    reshape = schema.OperatorT()
    reshape.opcodeIndex = len(model.operatorCodes) - 1
    reshape.inputs, reshape.outputs = [read, len(graph.tensors) - 1], [made]
    reshape.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    reshape.builtinOptions = schema.ReshapeOptionsT()
    reshape.builtinOptions.newShape = shape
    return reshape
