"""Small `.tflite` files, made by hand: what converters write, and what they write seldom."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

OPTIONS = {
    "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
    "CONV_2D": schema.Conv2DOptionsT,
    "ADD": schema.AddOptionsT,
    "DENSIFY": schema.DensifyOptionsT,
    "DEQUANTIZE": schema.DequantizeOptionsT,
    "QUANTIZE": schema.QuantizeOptionsT,
    "MEAN": schema.ReducerOptionsT,
    "TRANSPOSE": schema.TransposeOptionsT,
}


def tensor(name, shape, kind="FLOAT32", *, data=None, **quantization):
    """A tensor; `quantization` is `scale`, `zeroPoint`, `quantizedDimension`."""
    found = schema.TensorT()
    found.name, found.shape = name, list(shape)
    found.type = getattr(schema.TensorType, kind)
    found.data = data
    if quantization:
        found.quantization = schema.QuantizationParametersT()
        for key, value in quantization.items():
            setattr(found.quantization, key, value)
    return found


def operation(kind, inputs, outputs, **options):
    """An operation on tensors by name; a kind that no runtime knows is a custom one."""
    found = schema.OperatorT()
    found.kind, found.inputs, found.outputs = kind, inputs, outputs
    if kind in OPTIONS:
        found.builtinOptions = OPTIONS[kind]()
        found.builtinOptionsType = getattr(
            schema.BuiltinOptions, OPTIONS[kind].__name__.removesuffix("T")
        )
        for key, value in options.items():
            setattr(found.builtinOptions, key, value)
    return found


def save(path, tensors, operations, inputs, outputs):
    """Write a file of one subgraph. Tensors of one array share its buffer."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], []
    model.buffers = [schema.BufferT()]
    places = {tensor.name: index for index, tensor in enumerate(tensors)}
    shared: dict[int, int] = {}
    for one in tensors:
        data = one.data
        del one.data
        one.buffer = 0 if data is None else shared.setdefault(id(data), len(model.buffers))
        if one.buffer == len(model.buffers):
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(np.asarray(data).tobytes(), np.uint8)
    for one in operations:
        code = schema.OperatorCodeT()
        code.version = 1
        builtin = getattr(schema.BuiltinOperator, one.kind, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        if builtin == schema.BuiltinOperator.CUSTOM:
            code.customCode = one.kind
        one.opcodeIndex = len(model.operatorCodes)
        model.operatorCodes.append(code)
        one.inputs = [places[name] for name in one.inputs]
        one.outputs = [places[name] for name in one.outputs]
        del one.kind
    graph.tensors, graph.operators = tensors, operations
    graph.inputs = [places[name] for name in inputs]
    graph.outputs = [places[name] for name in outputs]
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    return path


def dense(path, weights, **stored):
    """One FULLY_CONNECTED layer `(out, in)`; `stored` says how its weights are."""
    rows, columns = np.asarray(weights).shape if not stored.get("shape") else stored.pop("shape")
    kind = stored.pop("kind", "FLOAT32")
    return save(
        path,
        [
            tensor("x", (1, columns)),
            tensor("w", (rows, columns), kind, data=weights, **stored),
            tensor("y", (1, rows)),
        ],
        [operation("FULLY_CONNECTED", ["x", "w"], ["y"])],
        ["x"],
        ["y"],
    )
