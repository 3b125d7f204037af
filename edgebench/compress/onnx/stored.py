"""The weights of an `.onnx` file, one by one, as they are stored; and what still computes on reals.

A name stands for one value in a graph and all graphs inside it, so that one table of uses will do:
https://github.com/onnx/onnx/blob/main/docs/IR.md#names-within-a-graph
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.onnx.graph import WEIGHT_RANK, graphs
from edgebench.compress.stored import Weight, along

if TYPE_CHECKING:
    import onnx

# By operation: where its quantized weights, their scale and their zero point come in.
QUANTIZED_INPUTS: Final[Mapping[str, tuple[int, int | None, int]]] = {
    "DequantizeLinear": (0, 1, 2),
    "QLinearConv": (3, 4, 5),
    "QLinearMatMul": (3, 4, 5),
    "QGemm": (3, 4, 5),
    "ConvInteger": (1, None, 3),
    "MatMulInteger": (1, None, 3),
    "DynamicQuantizeMatMul": (1, 2, 3),
    "MatMulNBits": (1, 2, 3),
}
CONVOLUTIONS: Final = frozenset({"QLinearConv", "ConvInteger"})
# Operations that compute; integers reach them by way of DequantizeLinear, which runtimes fuse.
COMPUTES: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# What hands integers on as they are.
MOVES: Final = frozenset(
    {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Pad", "MaxPool"}
)
UNPACKS: Final = frozenset({"DequantizeLinear", "Cast", "Identity"})
WEIGHT_TYPES: Final = frozenset(
    {
        *("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE"),
        *("INT8", "UINT8", "INT16", "UINT16", "INT4", "UINT4", "INT2", "UINT2"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Net:
    """A graph and its subgraphs as tables.

    Attributes:
        constants: Initializers and what Constant nodes hold, by name.
        uses: By name: the nodes that read it, and at which input.
        makers: By name: the node that puts it out.
    """

    constants: Mapping[str, "onnx.TensorProto"]
    uses: Mapping[str, list[tuple["onnx.NodeProto", int]]]
    makers: Mapping[str, "onnx.NodeProto"]


def onnx_weights(path: Path) -> Iterator[Weight]:
    """The constants of rank 2 and more that hold floats or quantized integers.

    Scales and zero points are no weights, whatever their rank.
    """
    import onnx

    net = _tables(onnx.load(str(path)))
    for name, tensor in net.constants.items():
        kind = onnx.TensorProto.DataType.Name(tensor.data_type)
        if len(tensor.dims) < WEIGHT_RANK or kind not in WEIGHT_TYPES:
            continue
        readers = net.uses.get(name, [])
        if not readers or not all(_is_scale(node, place) for node, place in readers):
            yield _weight(net, name, tensor)


def read_floating(path: Path) -> dict[str, int]:
    """Operations that compute on reals: whose data or weights no DequantizeLinear puts out.

    Only COMPUTES are looked at. What stands between a DequantizeLinear and a QuantizeLinear,
    runtimes compute on integers; of other operations each runtime decides by itself.
    """
    import onnx

    model = onnx.load(str(path))
    net = _tables(model)
    found = Counter(
        node.op_type
        for graph in graphs(model.graph)
        for node in graph.node
        if node.op_type in COMPUTES and not all(_is_integer(net, name) for name in node.input[:2])
    )
    return dict(sorted(found.items()))


def _tables(model: "onnx.ModelProto") -> Net:
    constants: dict[str, onnx.TensorProto] = {}
    uses: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
    makers: dict[str, onnx.NodeProto] = {}
    for graph in graphs(model.graph):
        constants.update((tensor.name, tensor) for tensor in graph.initializer)
        for node in graph.node:
            for place, name in enumerate(node.input):
                uses[name].append((node, place))
            makers.update((name, node) for name in node.output)
            if node.op_type == "Constant":
                held = [a.t for a in node.attribute if a.name == "value"]
                constants.update((node.output[0], tensor) for tensor in held)
    return Net(constants=constants, uses=uses, makers=makers)


def _is_scale(node: "onnx.NodeProto", place: int) -> bool:
    """Whether this input of the node is a scale or a zero point."""
    known = QUANTIZED_INPUTS.get(node.op_type)
    return known is not None and place in known[1:]


def _weight(net: Net, name: str, tensor: "onnx.TensorProto") -> Weight:
    values = _array(tensor)
    for node, place in net.uses.get(name, []):
        if node.op_type in QUANTIZED_INPUTS and QUANTIZED_INPUTS[node.op_type][0] == place:
            if node.op_type == "MatMulNBits":
                return _packed(net, name, values, node)
            axis, point = _quantization(net, node, values)
            return Weight(
                name=name,
                values=values,
                axis=axis,
                zero_point=point,
                channels=_channels(net, name, values.ndim),
            )
    return Weight(name=name, values=values, channels=_channels(net, name, values.ndim))


def _quantization(
    net: Net, node: "onnx.NodeProto", values: NDArray[Any]
) -> tuple[int | None, NDArray[Any]]:
    """The axis of the scale, and the zero point as it broadcasts over the values."""
    _, scale_at, point_at = QUANTIZED_INPUTS[node.op_type]
    scale = _input(net, node, scale_at)
    point = _input(net, node, point_at)
    point = np.zeros((), np.int64) if point is None else point.astype(np.int64)
    longest = max((part for part in (scale, point) if part is not None), key=np.size)
    if longest.size <= 1:
        return None, point.reshape(())
    axis = _attribute(node, "axis", 1) % values.ndim
    if node.op_type != "DequantizeLinear":
        axis = 0 if node.op_type in CONVOLUTIONS else values.ndim - 1
    if point.size <= 1:
        return axis, point.reshape(())
    if point.ndim > 1:
        # One zero point a block of so many values along the axis, since operator set 21.
        block = _attribute(node, "block_size", 1)
        return axis, np.repeat(point, block, axis).take(range(values.shape[axis]), axis)
    return axis, along(point, axis, values.ndim)


def _packed(net: Net, name: str, packed: NDArray[Any], node: "onnx.NodeProto") -> Weight:
    """The weights of a MatMulNBits, `(channels, blocks, bytes)`, as `(channels, inputs)`.

    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
    """
    bits, block = _attribute(node, "bits", 4), _attribute(node, "block_size", 32)
    inputs, channels = _attribute(node, "K", 0), _attribute(node, "N", 0)
    values = _fields(packed, bits).reshape(channels, -1)[:, :inputs]
    point = _input(net, node, QUANTIZED_INPUTS["MatMulNBits"][2])
    if point is None:
        zero = np.array(2 ** (bits - 1))
    else:
        rows = point if point.dtype != np.uint8 else _fields(point.reshape(channels, -1), bits)
        zero = np.repeat(rows.reshape(channels, -1), block, axis=1)[:, :inputs]
    return Weight(name=name, values=values, axis=0, zero_point=zero, channels=0)


def _fields(packed: NDArray[Any], bits: int) -> NDArray[Any]:
    """The integers that a row of bytes holds, the first in the lowest bits."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    split = (packed[..., np.newaxis] >> shifts) & np.uint8(2**bits - 1)
    return split.reshape(*packed.shape[:-1], -1)


def _channels(net: Net, name: str, rank: int) -> int | None:
    """The axis of the output channels of the operation that reads this constant."""
    for node, place in net.uses.get(name, []):
        kind = node.op_type
        if place == 0 and kind in UNPACKS:
            found = _channels(net, node.output[0], rank)
            if found is not None:
                return found
        elif place == 1 and kind == "Gemm":
            return 0 if _attribute(node, "transB", 0) else 1
        # The channels of a ConvTranspose in groups lie along two axes.
        elif place == 1 and kind == "ConvTranspose" and _attribute(node, "group", 1) == 1:
            return 1
        elif place == QUANTIZED_INPUTS.get(kind, (1,))[0]:
            known = {"Conv": 0, "QLinearConv": 0, "ConvInteger": 0, "MatMul": rank - 1}
            if kind in known:
                return known[kind]
    return None


def _is_integer(net: Net, name: str) -> bool:
    """Whether a DequantizeLinear puts this out, but for what is only moved."""
    maker = net.makers.get(name)
    while maker is not None and maker.op_type in MOVES:
        maker = net.makers.get(maker.input[0])
    return maker is not None and maker.op_type == "DequantizeLinear"


def _input(net: Net, node: "onnx.NodeProto", place: int | None) -> NDArray[Any] | None:
    if place is None or len(node.input) <= place or node.input[place] not in net.constants:
        return None
    return _array(net.constants[node.input[place]])


def _array(tensor: "onnx.TensorProto") -> NDArray[Any]:
    """The numbers of a constant, in an element type that numpy itself knows."""
    import onnx

    array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
    if array.dtype.kind in "fiu":
        return array
    is_float = "FLOAT" in onnx.TensorProto.DataType.Name(tensor.data_type)
    return array.astype(np.float32 if is_float else np.int16)


def _attribute(node: "onnx.NodeProto", name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)
