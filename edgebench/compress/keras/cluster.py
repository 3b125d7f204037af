"""Make the weights of each layer share a few values, and tune the values.

Han, Mao and Dally, "Deep Compression", https://arxiv.org/abs/1510.00149, section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.cluster import Cluster, read_cluster
from edgebench.compress.keras.bench import Bench, Change, carry, check_changed, traits_of
from edgebench.compress.keras.fold import fold_bn
from edgebench.compress.keras.hold import holds_of
from edgebench.compress.keras.kernels import Kernel, kernels
from edgebench.compress.keras.model import is_functional
from edgebench.compress.keras.surgery import flat
from edgebench.compress.linalg.codebook import fit_codebook, fit_codebooks
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras


def cluster_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Give each kernel a codebook.

    A normalization behind a convolution is folded into it first: the exporters would do it later,
    and scale the values of every channel apart.

    Raises:
        NoEffect: There is no kernel with more values than that.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, common = read_cluster(bench.step)
    model, folded = bench.model, 0
    if is_functional(model):
        model, folded = fold_bn(flat(model))
    found = kernels(model, bench.common, step=str(bench.step))
    distinct = [len(np.unique(kernel.values)) for kernel in found]
    check_changed(sum(count > own.values for count in distinct), bench)
    for number, kernel in enumerate(found, start=1):
        bench.progress(f"clustering {kernel.name}, {number} of {len(found)}")
        kernel.variable.assign(_clustered(kernel.values, own, bench, keep="zeros" in common.keep))

    def finish() -> Mapping[str, JsonValue]:
        return _told(found, own)

    return Change(
        model=model,
        changed={"bn_folded": folded, **_told(found, own)},
        holds=holds_of(model, ("clusters",)) if common.tune else (),
        finish=finish,
        promises=lambda: _promises(model, found, own),
        settings={"init": own.init, "scope": own.scope},
    )


def _clustered(
    weights: NDArray[np.float32], own: Cluster, bench: Bench, *, keep: bool
) -> NDArray[np.float32]:
    seed = bench.common.seed or 0
    if own.scope == "channel":
        last = weights.ndim - 1
        return fit_codebooks(weights, own.values, last, init=own.init, keep_zeros=keep, seed=seed)
    return fit_codebook(weights, own.values, init=own.init, keep_zeros=keep, seed=seed).decode()


def _most(weights: NDArray[np.float32], own: Cluster) -> int:
    """Different values of the tensor, or of its richest output channel."""
    if own.scope == "tensor":
        return len(np.unique(weights))
    return max(len(np.unique(weights[..., i])) for i in range(weights.shape[-1]))


def _told(found: Sequence[Kernel], own: Cluster) -> dict[str, JsonValue]:
    values = {kernel.name: _most(kernel.values, own) for kernel in found}
    over = {name: count for name, count in values.items() if count > own.values}
    if over:
        name, count = next(iter(over.items()))
        msg = f"{name!r} has {count} different values, {own.values} were asked for."
        raise CompressionError(msg, hint="Report this with the model: it should not be.")
    zeros = sum(int((kernel.values == 0).sum()) for kernel in found)
    total = sum(kernel.values.size for kernel in found)
    named: dict[str, JsonValue] = dict(values)
    return {"values": named, "weights": total, "zeros_share": round(zeros / total, 5)}


def _promises(model: "keras.Model", found: Sequence[Kernel], own: Cluster) -> Promises:
    del model
    whole = Promises(values=own.values)
    counted = [k.values.size for k in found if k.values.size > own.values]
    return replace(whole, clustered=sum(counted))


WAY: Final = Way(
    name="cluster keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=cluster_keras,
    tools=("tensorflow", "keras"),
    traits=traits_of,
)
