"""Put a chain of smaller nodes in the place of one that multiplies by a large kernel."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.linalg.factor import Factors
from edgebench.compress.linalg.unfold import Method
from edgebench.compress.onnx.kernels import Kernel, Use, number
from edgebench.compress.onnx.net import Net

if TYPE_CHECKING:
    import onnx

# What each factor is to the image: a convolution as the node was, along one axis, at each point.
ROLES: Final[Mapping[Method, Sequence[str]]] = {
    "dense": ("dense", "dense"),
    "channel": ("whole", "point"),
    "spatial": ("rows", "columns"),
    "tucker": ("point", "whole", "point"),
    "cp": ("point", "depthwise", "point"),
}
# The axes along which a factor strides, spreads and pads as the node did.
MOVING: Final[Mapping[str, Sequence[int]]] = {
    "whole": (0, 1),
    "depthwise": (0, 1),
    "rows": (0,),
    "columns": (1,),
    "point": (),
}
# By the number of factors: what their names end in.
ENDINGS: Final[Mapping[int, Sequence[str]]] = {2: ("first", "last"), 3: ("first", "core", "last")}
BIAS: Final = 2


def why_not(kernel: Kernel) -> str | None:
    """Why factors cannot take the place of a kernel, or None."""
    if kernel.others:
        return f"{kernel.others[0]} reads its weights too"
    if len({(use.node.op_type, use.place, use.axes) for use in kernel.uses}) > 1:
        return "nodes of different kinds share its weights"
    kind, rank = kernel.uses[0].node.op_type, kernel.stored.ndim
    if kind == "Conv":
        return _why_no_convolution(kernel, rank)
    if kind not in {"MatMul", "Gemm"}:
        return f"there are no factors for {kind}"
    if rank > 2:
        return "its weights are a stack of matrices"
    is_turned = any(number(use.node, "transA", 0) for use in kernel.uses)
    if kind == "Gemm" and (is_turned or kernel.uses[0].place == 0):
        return "its input is the transposed one, or the second"
    return None


def as_kernel(kernel: Kernel) -> NDArray[np.float32]:
    """Weights as `(in, out)` or `(height, width, in, out)`: one axis is as wide as 1."""
    values = kernel.values
    return values[:, np.newaxis] if values.ndim == 3 else values


def replace(kernel: Kernel, factors: Factors) -> None:
    """Put factors in the place of a kernel, in every node that uses it."""
    net, endings = kernel.net, ENDINGS[len(factors.arrays)]
    names = [
        net.add(f"{kernel.weight}_{ending}", _stored(kernel, factors, place))
        for place, ending in enumerate(endings)
    ]
    for use in kernel.uses:
        chain = _chain(net, use, names, endings)
        for node, role in zip(chain, ROLES[factors.method], strict=True):
            if role in MOVING:
                _set_attributes(node, net.arrays[node.input[1]].shape, role)
        _insert(use, chain)
    net.drop_unused({kernel.weight})


def _why_no_convolution(kernel: Kernel, rank: int) -> str | None:
    groups = max(number(use.node, "group", 1) for use in kernel.uses)
    if groups > 1:
        return f"its channels are in {groups} groups"
    return f"it convolves over {rank - 2} axes" if rank > 4 else None


def _stored(kernel: Kernel, factors: Factors, place: int) -> NDArray[np.float32]:
    """A factor in the order of axes that its node takes."""
    array, use = factors.arrays[place], kernel.uses[0]
    if array.ndim == 2:
        # The first of two is always a MatMul, which turns nothing.
        is_plain = use.node.op_type == "Gemm" and place == 0
        return array if is_plain else array.transpose(use.axes)
    # Of a depthwise factor `(height, width, channels, 1)` each channel is a group of its own.
    is_depthwise = factors.method == "cp" and place == 1
    turned = array.transpose(2, 3, 0, 1) if is_depthwise else array.transpose(3, 2, 0, 1)
    return turned[..., 0] if kernel.stored.ndim == 3 else turned


def _chain(
    net: Net, use: Use, names: Sequence[str], endings: Sequence[str]
) -> list["onnx.NodeProto"]:
    """One node for each factor; the last has the bias, the attributes and the output."""
    import onnx

    node, chain = use.node, []
    value = node.input[1 - use.place]
    for name, ending in zip(names, endings, strict=True):
        is_last = name == names[-1]
        one = onnx.NodeProto()
        if is_last or node.op_type == "Conv":
            one.CopyFrom(node)
        else:
            one.op_type = "MatMul"
        inputs = [value, name] if use.place == 1 else [name, value]
        rest = list(node.input[BIAS:]) if is_last else []
        value = node.output[0] if is_last else net.free(f"{node.output[0]}_{ending}")
        one.name = f"{node.name or node.output[0]}_{ending}"
        one.input[:], one.output[:] = [*inputs, *rest], [value]
        chain.append(one)
    return chain


def _set_attributes(node: "onnx.NodeProto", shape: tuple[int, ...], role: str) -> None:
    """Of what the original does along each axis leave a factor its part."""
    import onnx

    axes = range(len(shape) - 2)
    # Along other axes it steps by one and pads nothing.
    idle = {
        "strides": [1 for _ in axes],
        "dilations": [1 for _ in axes],
        "pads": [0, 0] * len(axes),
    }
    said = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    changed = {
        name: [
            mine if place % len(axes) in MOVING[role] else other
            for place, (mine, other) in enumerate(zip(said[name], others, strict=True))
        ]
        for name, others in idle.items()
        if name in said
    }
    groups = shape[0] if role == "depthwise" else 1
    kept = {**said, **changed, "kernel_shape": list(shape[2:]), "group": groups}
    del node.attribute[:]
    node.attribute.extend(onnx.helper.make_attribute(*item) for item in kept.items())


def _insert(use: Use, chain: Sequence["onnx.NodeProto"]) -> None:
    """Where the original was now stands the last of the chain, and the others before it."""
    nodes, (*others, last) = use.graph.node, chain
    place = next(i for i, node in enumerate(nodes) if node.output[:1] == use.node.output[:1])
    use.node.CopyFrom(last)
    for other in reversed(others):
        nodes.insert(place, other)
