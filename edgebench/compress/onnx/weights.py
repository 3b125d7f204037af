"""Weights of an ONNX graph as int8 behind a DequantizeLinear: the arithmetic stays float."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import onnx

# From this operator set on DequantizeLinear takes a scale for each channel.
OPSET_CHANNEL: Final = 13
OPSET_TENSOR: Final = 10
WEIGHT_INPUT: Final = 1
INT8_MAX: Final = 127


def quantize_weights(
    model: "onnx.ModelProto", names: Collection[str], *, is_channel: bool
) -> tuple["onnx.ModelProto", int]:
    """A copy with the weights of the named nodes as symmetric int8, and how many tensors those are.

    Raises:
        CompressionError: The operator set is too old for it.
    """
    import onnx

    check_opset(model, is_channel=is_channel)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    done: dict[tuple[str, int], str] = {}
    for node in [node for node in graph.node if node.name in names]:
        axis = _channel_axis(node, weights)
        if axis is None:
            continue
        name = node.input[WEIGHT_INPUT]
        if (name, axis) not in done:
            done[name, axis] = _add_dequantize(graph, weights[name], axis if is_channel else None)
        node.input[WEIGHT_INPUT] = done[name, axis]
    _drop_unused(graph, {name for name, _ in done})
    return copy, len(done)


def check_opset(model: "onnx.ModelProto", *, is_channel: bool) -> None:
    """Raise CompressionError where the operator set has no such DequantizeLinear."""
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    needed = OPSET_CHANNEL if is_channel else OPSET_TENSOR
    if opset < needed:
        msg = f"The model has operator set {opset}; int8 weights need {needed}."
        hint = "Export it with a newer one; granularity = 'tensor' is content with 10."
        raise CompressionError(msg, hint=hint)


def quantize_array(
    values: NDArray[np.float32], axis: int | None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 and its scale, one for each index of `axis` or one for all.

    >>> stored, scale = quantize_array(np.array([[63.5, -127.0], [0.0, 0.0]], np.float32), 0)
    >>> stored.tolist(), scale.tolist()
    ([[64, -127], [0, 0]], [1.0, 1.0])
    """
    others = tuple(i for i in range(values.ndim) if i != axis) if axis is not None else None
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / INT8_MAX, 1.0).astype(np.float32)
    stored = np.clip(np.rint(values / scale), -INT8_MAX, INT8_MAX).astype(np.int8)
    return stored, scale.reshape(-1) if axis is not None else scale.reshape(())


def _channel_axis(node: "onnx.NodeProto", weights: dict[str, Any]) -> int | None:
    """Which axis of the node's weights is the output channel; None where it has no weights."""
    name = node.input[WEIGHT_INPUT] if len(node.input) > WEIGHT_INPUT else ""
    tensor = weights.get(name)
    if tensor is None or tensor.data_type != tensor.FLOAT or len(tensor.dims) < 2:
        return None
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    last = len(tensor.dims) - 1
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": last}.get(node.op_type)


def _add_dequantize(graph: "onnx.GraphProto", tensor: "onnx.TensorProto", axis: int | None) -> str:
    import onnx

    # ConvTranspose shares its channels out over groups: its axis 1 is that of one group.
    values = onnx.numpy_helper.to_array(tensor)
    stored, scale = quantize_array(values, axis)
    suffix = "" if axis is None else f"_{axis}"
    names = [f"{tensor.name}_int8{suffix}", f"{tensor.name}_scale{suffix}"]
    graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name)
        for array, name in zip((stored, scale), names, strict=True)
    )
    output = f"{tensor.name}_dequantized{suffix}"
    axes = {} if axis is None else {"axis": axis}
    node = onnx.helper.make_node("DequantizeLinear", names, [output], name=output, **axes)
    graph.node.insert(0, node)
    return output


def _drop_unused(graph: "onnx.GraphProto", names: set[str]) -> None:
    used = {name for node in graph.node for name in node.input}
    used |= {value.name for value in graph.output}
    for tensor in [t for t in graph.initializer if t.name in names - used]:
        graph.initializer.remove(tensor)
    # Old exports list their weights among the inputs as well.
    for value in [v for v in graph.input if v.name in names - used]:
        graph.input.remove(value)
