"""Fold normalizations, and what exporters make of them, into the weights before them.

A normalization whose statistics are fixed multiplies each channel by a number and adds one, and so
can the weights and the bias of the layer before it: https://arxiv.org/abs/1712.05877, section 3.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.onnx.affine import Affine, Float64s, per_channel, read_affine
from edgebench.compress.onnx.bench import Bench, Change, check_changed
from edgebench.compress.onnx.kernels import CONVOLUTIONS, Kernel, all_kernels, number
from edgebench.compress.onnx.net import Net

if TYPE_CHECKING:
    import onnx
    from pydantic import JsonValue

LINEAR: Final = CONVOLUTIONS | {"Gemm", "MatMul"}
BIAS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wires:
    """Who reads what.

    Attributes:
        readers: By name: the nodes of the same graph, once for each input.
        elsewhere: Names that another graph reads than that which makes them, and all outputs.
        ranks: Of values, as far as they are known.
    """

    readers: Mapping[str, Sequence["onnx.NodeProto"]]
    elsewhere: frozenset[str]
    ranks: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A node whose weights can take up what follows.

    Attributes:
        bias: What it adds to each channel by itself.
        axis: Of its channels in what it puts out; -1 for the last.
        rank: Of what it puts out.
    """

    kernel: Kernel
    node: "onnx.NodeProto"
    bias: Float64s
    axis: int
    rank: int | None


def fold_bn(bench: Bench) -> Change:
    """Fold all that can be folded.

    Raises:
        NoEffect: There is nothing to fold.
    """
    net = bench.net
    wires = _wires(net)
    folded: dict[str, JsonValue] = {}
    for kernel in all_kernels(net):
        layer = _layer(kernel, wires)
        if layer is None:
            continue
        chain, affine = _chain(net, layer, wires)
        if affine is not None and not _is_bias(layer, chain):
            folded[kernel.name] = [node.op_type for node in chain]
            _absorb(layer, chain, affine)
    check_changed(len(folded), bench)
    return Change(changed={"folded": folded})


def _wires(net: Net) -> Wires:
    import onnx

    readers: dict[str, list[onnx.NodeProto]] = {}
    elsewhere: set[str] = set()
    for graph in net.graphs():
        made = {name for node in graph.node for name in node.output}
        elsewhere |= {value.name for value in graph.output}
        for node in graph.node:
            elsewhere |= set(node.input) - made
            for name in node.input:
                readers.setdefault(name, []).append(node)
    inferred = onnx.shape_inference.infer_shapes(net.model)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in inferred.graph.value_info
        if value.type.tensor_type.HasField("shape")
    }
    return Wires(readers=readers, elsewhere=frozenset(elsewhere), ranks=ranks)


def _layer(kernel: Kernel, wires: Wires) -> Layer | None:
    """None where weights or bias cannot be changed for this node alone."""
    (use, *more), stored = kernel.uses, kernel.stored
    node = use.node
    if more or kernel.others or node.op_type not in LINEAR or use.place != 1:
        return None
    is_convolution = node.op_type in CONVOLUTIONS
    if not is_convolution and stored.ndim != 2:
        return None
    rank = stored.ndim if node.op_type != "MatMul" else wires.ranks.get(node.output[0])
    axis = 1 if is_convolution else -1
    bias = _bias(kernel, node, axis=axis)
    if bias is None:
        return None
    return Layer(kernel=kernel, node=node, bias=bias, axis=axis, rank=rank)


def _channels(kernel: Kernel, node: "onnx.NodeProto") -> int:
    groups = number(node, "group", 1) if node.op_type == "ConvTranspose" else 1
    return int(kernel.stored.shape[kernel.out_axis]) * groups


def _bias(kernel: Kernel, node: "onnx.NodeProto", *, axis: int) -> Float64s | None:
    """What the node adds; None where it is no constant for each channel."""
    channels = _channels(kernel, node)
    if len(node.input) <= BIAS or not node.input[BIAS]:
        return np.zeros(channels)
    array = kernel.net.arrays.get(node.input[BIAS])
    if array is None:
        return None
    if node.op_type in CONVOLUTIONS:
        return array.astype(np.float64)
    factor = next((a.f for a in node.attribute if a.name == "beta"), 1.0)
    found = per_channel(array, channels, axis=axis, rank=2)
    return None if found is None else found * factor


def _chain(net: Net, layer: Layer, wires: Wires) -> tuple[list["onnx.NodeProto"], Affine | None]:
    """The nodes after a layer that can be folded into it, and what they come to."""
    value, channels = layer.node.output[0], layer.bias.size
    chain: list[onnx.NodeProto] = []
    total: Affine | None = None
    while value not in wires.elsewhere and len(wires.readers.get(value, ())) == 1:
        node = wires.readers[value][0]
        found = read_affine(net, node, value, channels=channels, axis=layer.axis, rank=layer.rank)
        if found is None:
            break
        chain.append(node)
        total = total.then(found) if total else found
        value = node.output[0]
    return chain, total


def _is_bias(layer: Layer, chain: Sequence["onnx.NodeProto"]) -> bool:
    """A product of matrices has no bias of its own: one addition behind it is that."""
    kinds = [node.op_type for node in chain]
    return layer.node.op_type == "MatMul" and kinds in (["Add"], ["Sub"])


def _absorb(layer: Layer, chain: Sequence["onnx.NodeProto"], affine: Affine) -> None:
    kernel, node = layer.kernel, layer.node
    net, graph = kernel.net, kernel.uses[0].graph
    before = {name for old in (node, *chain) for name in old.input}
    kernel.store(_scaled(kernel, node, affine.scale))
    shift = (layer.bias * affine.scale + affine.shift).astype(np.float32)
    gone = [old.output[0] for old in chain]
    end = gone[-1]
    if node.op_type == "MatMul" and shift.any():
        bias = net.add(f"{kernel.weight}_bias", shift)
        _make_addition(chain[-1], [node.output[0], bias], gone.pop())
    elif node.op_type != "MatMul":
        _set_bias(node, net.add(f"{kernel.weight}_bias", shift))
    net.drop_nodes(graph, gone)
    if end in gone:
        node.output[0] = end
    net.drop_unused(before)


def _scaled(kernel: Kernel, node: "onnx.NodeProto", scale: Float64s) -> NDArray[np.float32]:
    stored = kernel.stored
    if node.op_type == "ConvTranspose":
        # Its output channels are shared out over the groups, which its input channels are made of.
        groups = number(node, "group", 1)
        grouped = stored.reshape(groups, -1, *stored.shape[1:])
        factor = scale.reshape(groups, 1, -1, *[1] * (stored.ndim - 2))
        return (grouped * factor).astype(np.float32).reshape(stored.shape)
    shape = [-1 if axis == kernel.out_axis else 1 for axis in range(stored.ndim)]
    return (stored * scale.reshape(shape)).astype(np.float32)


def _set_bias(node: "onnx.NodeProto", name: str) -> None:
    del node.input[BIAS:]
    node.input.append(name)
    for attribute in node.attribute:
        # The factor of a Gemm's bias is in the bias now.
        if attribute.name == "beta":
            attribute.f = 1.0


def _make_addition(node: "onnx.NodeProto", inputs: Sequence[str], output: str) -> None:
    import onnx

    node.CopyFrom(onnx.helper.make_node("Add", inputs, [output], name=node.name))
