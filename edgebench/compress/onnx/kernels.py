"""The weights that a step may touch: which there are, and which of them the plan means."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.onnx.graph import WEIGHT_RANK
from edgebench.compress.onnx.net import Net
from edgebench.compress.options import Common
from edgebench.compress.quantize import pick

if TYPE_CHECKING:
    import onnx

OWN_DOMAINS: Final = ("", "ai.onnx")
OUTPUT: Final = "the output"
CONVOLUTIONS: Final = frozenset({"Conv", "ConvTranspose"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Use:
    """A node that multiplies by the weights.

    Attributes:
        place: Which of its inputs they are.
        axes: The order of their axes that gives `(..., in, out)`.
    """

    graph: "onnx.GraphProto"
    node: "onnx.NodeProto"
    place: int
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """One constant that multiplies what goes in, however many nodes use it.

    Attributes:
        name: Of its first node, for the ledger; with that of the constant where the node has more
            kernels than one.
        weight: Of the constant.
        label: All names among which a user may look for the layer: those of the nodes, of their
            constants and of their outputs.
        others: Operations that read it in another way, or that it is an output.
    """

    net: Net
    name: str
    weight: str
    label: str
    uses: tuple[Use, ...]
    others: tuple[str, ...]

    @property
    def stored(self) -> NDArray[np.float32]:
        """Its weights in the order of axes that the graph has."""
        return self.net.arrays[self.weight]

    @property
    def values(self) -> NDArray[np.float32]:
        """Its weights as a view `(..., in, out)`."""
        return self.stored.transpose(self.uses[0].axes)

    @property
    def out_axis(self) -> int:
        """Which axis of what is stored counts the outputs."""
        return self.uses[0].axes[-1]

    def store(self, weights: NDArray[np.float32]) -> None:
        """Give it other weights, in the order of axes that the graph has."""
        self.net.arrays[self.weight] = weights

    def replace(self, values: NDArray[np.float32]) -> None:
        """Give it other weights `(..., in, out)`."""
        self.store(values.transpose(np.argsort(self.uses[0].axes)))


def kernels(net: Net, common: Common, *, step: str) -> list[Kernel]:
    """The kernels that a step of this wording touches.

    Depthwise convolutions are left alone, which have few weights and are hurt most, unless `only`
    names them.

    Raises:
        CompressionError: A regular expression of the plan matches no layer.
    """
    found = all_kernels(net)
    labels = [kernel.label for kernel in found]
    chosen = pick(labels, only=common.only, skip=common.skip, step=step)
    return [
        kernel
        for kernel in found
        if kernel.label in chosen and (common.only or not is_depthwise(kernel))
    ]


def all_kernels(net: Net) -> list[Kernel]:
    """All of them, in the order in which nodes use them first."""
    uses: dict[str, list[Use]] = {}
    others: dict[str, list[str]] = {}
    for graph in net.graphs():
        for value in graph.output:
            others.setdefault(value.name, []).append(OUTPUT)
        for node in graph.node:
            for place, name in enumerate(node.input):
                axes = _axes(net, node, place) if _is_weight(net, name) else None
                if axes is not None:
                    use = Use(graph=graph, node=node, place=place, axes=axes)
                    uses.setdefault(name, []).append(use)
                else:
                    others.setdefault(name, []).append(node.op_type)
    firsts = Counter(_title(found[0].node) for found in uses.values())
    return [
        _kernel(net, weight, found, others.get(weight, []), firsts)
        for weight, found in uses.items()
    ]


def is_depthwise(kernel: Kernel) -> bool:
    """Whether some node convolves each channel by itself."""
    for use in kernel.uses:
        groups = number(use.node, "group", 1)
        shape = kernel.stored.shape
        is_one = shape[0] == groups if use.node.op_type == "ConvTranspose" else shape[1] == 1
        if use.node.op_type in CONVOLUTIONS and groups > 1 and is_one:
            return True
    return False


def number(node: "onnx.NodeProto", name: str, default: int) -> int:
    """An attribute that is one whole number."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def _title(node: "onnx.NodeProto") -> str:
    return str(node.name or next(iter(node.output)))


def _kernel(
    net: Net, weight: str, uses: list[Use], others: list[str], firsts: Counter[str]
) -> Kernel:
    labels: dict[str, None] = {}
    for use in uses:
        constants = [name for name in use.node.input if name in net.arrays]
        labels |= dict.fromkeys([use.node.name, *constants, *use.node.output])
    title = _title(uses[0].node)
    return Kernel(
        net=net,
        name=title if firsts[title] == 1 else f"{title}/{weight}",
        weight=weight,
        label=";".join(filter(None, labels)),
        uses=tuple(uses),
        others=tuple(others),
    )


def _is_weight(net: Net, name: str) -> bool:
    array = net.arrays.get(name)
    return array is not None and array.ndim >= WEIGHT_RANK and array.size > 0


def _axes(net: Net, node: "onnx.NodeProto", place: int) -> tuple[int, ...] | None:
    """The order of axes that gives `(..., in, out)`; None where a node does not multiply by it."""
    if node.domain not in OWN_DOMAINS:
        return None
    rank = net.arrays[node.input[place]].ndim
    plain = tuple(range(rank))
    swapped = (*plain[:-2], plain[-1], plain[-2])
    match node.op_type, place:
        case "Conv", 1:
            return (*plain[2:], 1, 0)
        case "ConvTranspose", 1:
            return (*plain[2:], 0, 1)
        case "Gather", 0:
            return plain
        case (("LSTM" | "GRU" | "RNN"), (1 | 2)):
            return swapped
        case (("MatMul" | "Gemm"), (0 | 1)) if not _is_weight(net, node.input[1 - place]):
            is_turned = number(node, ("transA", "transB")[place], 0) != 0
            return swapped if is_turned != (place == 0) else plain
        case _:
            return None
