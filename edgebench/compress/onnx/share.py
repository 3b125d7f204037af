"""Store equal weights of an ONNX graph once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from edgebench.compress.onnx.bench import Bench, Change, carry, refuse_training
from edgebench.compress.onnx.graph import WEIGHT_RANK
from edgebench.compress.onnx.kernels import Kernel, all_kernels
from edgebench.compress.onnx.net import Net
from edgebench.compress.quantize import pick
from edgebench.compress.share import read_share
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format
from edgebench.errors import CompressionError, NoEffect

if TYPE_CHECKING:
    import onnx
    from pydantic import JsonValue


def share_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Let nodes with equal constants read one of them.

    Raises:
        NoEffect: No two weights are equal.
        CompressionError: The plan names layers that are not: nothing can be retrained here.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_share(bench.step)
    net = bench.net
    if own.layers is None:
        groups = list(_equal(net, net.model.graph.initializer))
    else:
        groups = _named(net, own.layers, str(bench.step))
    before = net.weight_count()
    spared = sum(_weights(net, name) for _, *copies in groups for name in copies)
    if not spared:
        msg = f"{str(bench.step)!r} found no two weights in the model that are equal."
        raise NoEffect(msg, hint="Leave the step out, or cluster first: { cluster = 16 }.")
    _merge(net, {name: first for first, *copies in groups for name in copies})
    shared: dict[str, JsonValue] = {first: list(copies) for first, *copies in groups}
    return Change(
        changed={"shared": shared, "weights": [before, before - spared]},
        promises=Promises(weights=before - spared),
    )


def _equal(net: Net, heads: Iterable["onnx.TensorProto"]) -> Iterator[list[str]]:
    """Names of constants that are the same, type and shape among it; the first of a group stays."""
    outputs = {value.name for graph in net.graphs() for value in graph.output}
    kinds: dict[tuple[int, ...], list[onnx.TensorProto]] = {}
    for head in heads:
        if head.name not in outputs:
            kinds.setdefault((head.data_type, *head.dims), []).append(head)
    # A constant whose type and shape no other has is not read at all.
    for alike in (alike for alike in kinds.values() if len(alike) > 1):
        found: dict[bytes, list[str]] = {}
        for head in alike:
            found.setdefault(_digest(net, head), []).append(head.name)
        yield from (names for names in found.values() if len(names) > 1)


def _digest(net: Net, head: "onnx.TensorProto") -> bytes:
    array = net.arrays.get(head.name)
    if array is None:
        import onnx

        bare = onnx.TensorProto()
        bare.CopyFrom(head)
        bare.ClearField("name")
        bare.ClearField("doc_string")
        return hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
    return hashlib.sha256(np.ascontiguousarray(array).data).digest()


def _named(net: Net, layers: Sequence[str], step: str) -> list[list[str]]:
    """The weights of the layers that the plan names, as one group."""
    kernels = all_kernels(net)
    chosen = pick([kernel.label for kernel in kernels], only=layers, skip=(), step=step)
    named = [kernel for kernel in kernels if kernel.label in chosen]
    for first, other in pairwise(named):
        _check_equal(first, other, step)
    return [[kernel.weight for kernel in named]]


def _check_equal(first: Kernel, other: Kernel, step: str) -> None:
    names = f"{first.name!r} and {other.name!r}"
    shapes = first.stored.shape, other.stored.shape
    if shapes[0] != shapes[1]:
        msg = f"{step!r}: {names} have weights of the shapes {shapes[0]} and {shapes[1]}."
        raise CompressionError(msg, hint="Name layers of one shape.")
    if not np.array_equal(first.stored, other.stored):
        apart = np.abs(first.stored - other.stored).max()
        msg = f"{step!r}: the weights of {names} differ by up to {apart:.3g}."
        hint = "An ONNX graph cannot be retrained: begin with the Keras model."
        raise CompressionError(msg, hint=hint)


def _weights(net: Net, name: str) -> int:
    array = net.arrays.get(name)
    return array.size if array is not None and array.ndim >= WEIGHT_RANK else 0


def _merge(net: Net, kept: Mapping[str, str]) -> None:
    for graph in net.graphs():
        for node in graph.node:
            if not kept.keys().isdisjoint(node.input):
                node.input[:] = [kept.get(name, name) for name in node.input]
    net.drop_unused(kept)


WAY: Final = Way(
    name="share onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=share_onnx,
    tools=("onnx", "numpy"),
    refuse=refuse_training,
)
