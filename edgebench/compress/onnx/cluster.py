"""Make the weights of each layer of an ONNX graph share a few values."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.cluster import Cluster, read_cluster
from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.codebook import fit_codebook, fit_codebooks
from edgebench.compress.onnx.bench import (
    Bench,
    Change,
    carry,
    check_changed,
    check_finite_weights,
    refuse_training,
    traits_of,
)
from edgebench.compress.onnx.kernels import Kernel, kernels
from edgebench.compress.stored import count_different
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format

if TYPE_CHECKING:
    from pydantic import JsonValue


# Operations whose weights lie by output channels in any case.
CHANNELED: Final = frozenset({"Conv", "Gemm", "MatMul"})


def cluster_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Give each kernel a codebook.

    Raises:
        NoEffect: There is no kernel with more values than that.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, common = read_cluster(bench.step)
    found = kernels(bench.net, bench.common, step=str(bench.step))
    check_finite_weights(found)
    errors: dict[str, JsonValue] = {}
    values: dict[str, JsonValue] = {}
    changed = 0
    for number, kernel in enumerate(found, start=1):
        bench.progress(f"clustering {kernel.name}, {number} of {len(found)}")
        fitted, values[kernel.name] = _clustered(kernel, bench, own, keep="zeros" in common.keep)
        error = relative_error(kernel.stored, fitted)
        kernel.store(fitted)
        changed += error > 0
        errors[kernel.name] = round(error, 5)
    check_changed(changed, bench)
    return Change(
        changed={
            "weights": sum(kernel.stored.size for kernel in found),
            "values": values,
            "error_of": errors,
        },
        promises=_promises(found, own),
        settings={"init": own.init, "scope": own.scope},
    )


def _clustered(
    kernel: Kernel, bench: Bench, own: Cluster, *, keep: bool
) -> tuple[NDArray[np.float32], int]:
    """The weights, and how many different values a tensor or the richest channel of it holds."""
    weights = kernel.stored
    if own.scope == "channel":
        axis = kernel.out_axis
        fitted = fit_codebooks(
            weights, own.values, axis, init=own.init, keep_zeros=keep, seed=bench.seed
        )
        return fitted, count_different(fitted, axis)
    book = fit_codebook(weights, own.values, init=own.init, keep_zeros=keep, seed=bench.seed)
    return book.decode(), book.values.size


def _promises(found: Sequence[Kernel], own: Cluster) -> Promises:
    """Codebooks of channels are promised where the channels are seen on the file."""
    seen = [
        kernel.stored.size
        for kernel in found
        if own.scope == "tensor" or {use.node.op_type for use in kernel.uses} <= CHANNELED
    ]
    return Promises(values=own.values, clustered=sum(size for size in seen if size > own.values))


WAY: Final = Way(
    name="cluster onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=cluster_onnx,
    tools=("onnx", "numpy"),
    traits=traits_of,
    refuse=refuse_training,
)
