"""An ONNX graph opened to be changed: its nodes apart from the numbers of its weights.

A ModelProto keeps whatever was ever written into it until it is dropped as a whole, and is written
by way of two copies. So the weights are taken out, held once, and written one by one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.onnx.graph import WEIGHT_RANK, graphs
from edgebench.compress.onnx.lift import lift_constants, name_nodes

if TYPE_CHECKING:
    import onnx

# From this version of the format on a constant need not stand among the inputs of its graph.
IR_VERSION: Final = 4
# Numbers of fields that hold bytes, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
MODEL_GRAPH: Final = 7
GRAPH_INITIALIZER: Final = 5
TENSOR_RAW_DATA: Final = 9
LENGTH_DELIMITED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Net:
    """A graph whose constants are all initializers of the main graph.

    Attributes:
        model: Initializers of float32 are there by name, type and shape only.
        arrays: The numbers of those, by name. They may be read-only: give a name another array.
        lifted: How many constants were nodes, or stood in subgraphs.
    """

    model: "onnx.ModelProto"
    arrays: dict[str, NDArray[np.float32]]
    lifted: int

    def graphs(self) -> Iterator["onnx.GraphProto"]:
        """The main graph and all its subgraphs."""
        return graphs(self.model.graph)

    def free(self, name: str) -> str:
        """The name, or one like it that nothing has yet."""
        return _free(name, names(self.model))

    def add(self, name: str, array: NDArray[np.float32]) -> str:
        """Add a constant under this name, or one like it that is free; returns the name."""
        free = self.free(name)
        head = self.model.graph.initializer.add()
        head.name, head.data_type = free, head.FLOAT
        head.dims.extend(array.shape)
        self.arrays[free] = array
        return free

    def drop_unused(self, among: Collection[str]) -> None:
        """Remove those of the constants that no node reads any more and that are no outputs."""
        used = {name for graph in self.graphs() for node in graph.node for name in node.input}
        used |= {value.name for graph in self.graphs() for value in graph.output}
        gone = set(among) - used
        heads, inputs = self.model.graph.initializer, self.model.graph.input
        for head in [head for head in heads if head.name in gone]:
            heads.remove(head)
            self.arrays.pop(head.name, None)
        # Old exports list their weights among the inputs as well.
        for value in [value for value in inputs if value.name in gone]:
            inputs.remove(value)

    def drop_nodes(self, graph: "onnx.GraphProto", outputs: Collection[str]) -> None:
        """Remove the nodes of a graph whose first output is one of these."""
        for index in reversed(range(len(graph.node))):
            if not set(outputs).isdisjoint(graph.node[index].output[:1]):
                del graph.node[index]

    def weight_count(self) -> int:
        """How many float32 weights lie in constants of rank 2 and more."""
        return sum(a.size for a in self.arrays.values() if a.ndim >= WEIGHT_RANK)


def open_net(path: Path) -> Net:
    """Read a file."""
    import onnx

    whole, lifted = lift_constants(onnx.load(str(path)))
    hoisted = _hoist(whole)
    _see_through_loops(whole)
    whole.ir_version = max(whole.ir_version, IR_VERSION)
    arrays = {}
    for tensor in whole.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            arrays[tensor.name] = np.asarray(onnx.numpy_helper.to_array(tensor), np.float32)
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    # What was cleared is given back once the model is dropped of which this is a copy.
    return Net(model=name_nodes(whole), arrays=arrays, lifted=lifted + hoisted)


def save_net(net: Net, path: Path) -> None:
    """Write a file, without a second copy of the weights."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(net.model)
    arrays = [net.arrays.get(head.name) for head in bare.graph.initializer]
    fronts = [
        _front(head.SerializeToString(), array)
        for head, array in zip(bare.graph.initializer, arrays, strict=True)
    ]
    del bare.graph.initializer[:]
    graph = bare.graph.SerializeToString()
    bare.ClearField("graph")
    size = len(graph) + sum(map(len, fronts)) + sum(a.nbytes for a in arrays if a is not None)
    with path.open("wb") as stream:
        stream.write(bare.SerializeToString())
        stream.write(_tag(MODEL_GRAPH, size))
        stream.write(graph)
        for front, array in zip(fronts, arrays, strict=True):
            stream.write(front)
            _write_numbers(stream, array)


def names(model: "onnx.ModelProto") -> set[str]:
    """All that has a name in the graph and its subgraphs, nodes aside."""
    found = {name for graph in graphs(model.graph) for n in graph.node for name in n.output}
    for graph in graphs(model.graph):
        found |= {value.name for value in (*graph.input, *graph.initializer)}
    return found


def _hoist(model: "onnx.ModelProto") -> int:
    """Move initializers of subgraphs to the main graph, whose names their nodes see as well."""
    moved = 0
    for graph in list(graphs(model.graph))[1:]:
        outputs = {value.name for value in graph.output}
        for tensor in [t for t in graph.initializer if t.name not in outputs]:
            others = [t.name for other in graphs(model.graph) for t in other.initializer]
            name = tensor.name
            if others.count(name) > 1:
                # Two branches may give one name to two constants.
                name = _free(name, names(model))
                _rename(graph, tensor.name, name)
            hoisted = model.graph.initializer.add()
            hoisted.CopyFrom(tensor)
            hoisted.name = name
            graph.initializer.remove(tensor)
            moved += 1
    return moved


def _see_through_loops(model: "onnx.ModelProto") -> None:
    """Let the body of a Loop read constants by their own names, where it hands them on unchanged.

    So tf2onnx writes a GRU: its weights are variables of the loop that no round of it changes.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    loops = [node for graph in graphs(model.graph) for node in graph.node if node.op_type == "Loop"]
    for node in loops:
        (body,) = (attribute.g for attribute in node.attribute if attribute.name == "body")
        # A round takes its number and a condition first, and puts out a condition.
        rounds = zip(node.input[2:], body.input[2:], body.output[1:], strict=False)
        for outer, taken, given in rounds:
            if outer in constants and taken.name == given.name:
                _rename(body, taken.name, outer)


def _rename(graph: "onnx.GraphProto", old: str, new: str) -> None:
    for inner in graphs(graph):
        for node in inner.node:
            node.input[:] = [new if name == old else name for name in node.input]


def _free(name: str, taken: set[str]) -> str:
    """The name, or the first of `name_2`, `name_3`, ... that is not taken.

    >>> _free("w", {"w", "w_2"})
    'w_3'
    """
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _front(head: bytes, array: NDArray[np.float32] | None) -> bytes:
    """All of an initializer but its numbers, which are to follow."""
    if array is None:
        return _tag(GRAPH_INITIALIZER, len(head)) + head
    body = head + _tag(TENSOR_RAW_DATA, array.nbytes)
    return _tag(GRAPH_INITIALIZER, len(body) + array.nbytes) + body


def _tag(field: int, size: int) -> bytes:
    """How protobuf begins a field of `size` bytes.

    https://protobuf.dev/programming-guides/encoding

    >>> _tag(7, 300).hex()
    '3aac02'
    """
    written = bytearray()
    for number in (field << 3 | LENGTH_DELIMITED, size):
        left = number
        while left > 0x7F:
            written.append(left & 0x7F | 0x80)
            left >>= 7
        written.append(left)
    return bytes(written)


def _write_numbers(stream: BinaryIO, array: NDArray[np.float32] | None) -> None:
    if array is not None and array.size:
        stream.write(np.ascontiguousarray(array, "<f4").data)
