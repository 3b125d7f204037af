"""A small net that needs no training and no converter: what a device is calibrated with."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

WIDTH: Final = 128
LAYERS: Final = 24
NAME: Final = "x"


def write_plain_model(path: Path) -> None:
    """Write a `.tflite` of fully connected layers in float32, `(1, 128)` to `(1, 128)`.

    About 0.4 million multiplications: some 50 us on a desktop, a millisecond on a small board.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version = 3
    model.description = "edgebench calibration"
    model.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    model.operatorCodes = [code]
    graph.tensors = [_tensor(NAME, [1, WIDTH])]
    graph.operators = []
    draw = np.random.default_rng(0)
    for layer in range(LAYERS):
        # A chain of such layers neither dies out nor grows.
        values = draw.normal(0, np.sqrt(2 / WIDTH), (WIDTH, WIDTH)).astype("<f4")
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
        weights = _tensor(f"w{layer}", [WIDTH, WIDTH], buffer=len(model.buffers) - 1)
        read = 0 if layer == 0 else len(graph.tensors) - 1
        graph.tensors += [weights, _tensor(f"y{layer}", [1, WIDTH])]
        graph.operators.append(_layer(read, len(graph.tensors) - 2))
    graph.inputs, graph.outputs = [0], [len(graph.tensors) - 1]
    model.subgraphs = [graph]
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


def _tensor(name: str, shape: list[int], *, buffer: int = 0) -> "schema.TensorT":
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, shape, buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def _layer(read: int, weights: int) -> "schema.OperatorT":
    """A layer with ReLU and without bias, whose output stands behind its weights."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    operation = schema.OperatorT()
    operation.opcodeIndex = 0
    operation.inputs, operation.outputs = [read, weights, -1], [weights + 1]
    operation.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operation.builtinOptions = options
    return operation
