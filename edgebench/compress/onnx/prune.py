"""Prune the weights of an ONNX graph by magnitude, in one shot."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from pydantic import JsonValue

from edgebench.compress.onnx.bench import (
    Bench,
    Change,
    carry,
    check_changed,
    check_finite_weights,
    refuse_training,
)
from edgebench.compress.onnx.kernels import Kernel, kernels
from edgebench.compress.prune import Prune, masks_of, read_prune
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format, Step
from edgebench.errors import CompressionError


def prune_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Set the smallest weights to zero.

    Raises:
        NoEffect: There is no weight to prune, or all that would be are zero already.
        CompressionError: Fewer zeros came of it than were asked for.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_prune(bench.step)
    found = kernels(bench.net, bench.common, step=str(bench.step))
    check_finite_weights(found)
    bench.progress(f"pruning {len(found)} layers")
    before = sum(_zeros(kernel) for kernel in found)
    masks = masks_of(own, [kernel.values for kernel in found], own.share) if found else []
    for kernel, mask in zip(found, masks, strict=True):
        kernel.replace(np.where(mask, kernel.values, np.float32(0)))
    zeros = [_zeros(kernel) for kernel in found]
    check_changed(sum(zeros) - before, bench)
    _check_reached(found, zeros, own)
    return Change(changed=_told(found, zeros), promises=Promises(zeros=sum(zeros)))


def _zeros(kernel: Kernel) -> int:
    return kernel.stored.size - int(np.count_nonzero(kernel.stored))


def _check_reached(found: Sequence[Kernel], zeros: Sequence[int], own: Prune) -> None:
    """Zeros must be as many as the plan asks for."""
    sizes = [kernel.stored.size for kernel in found]
    reached = sum(zeros) / sum(sizes)
    # A group that does not fill up stays dense; a share of weights is rounded to whole ones.
    if own.pattern.group is None and reached < own.share - 1 / min(sizes):
        msg = f"{reached:.2%} of the weights are zero, {own.share:.0%} were asked for."
        raise CompressionError(msg, hint="Ask for smaller blocks, or for less.")


def _told(found: Sequence[Kernel], zeros: Sequence[int]) -> dict[str, JsonValue]:
    weights = sum(kernel.stored.size for kernel in found)
    by_layer: dict[str, JsonValue] = {
        kernel.name: round(count / kernel.stored.size, 4)
        for kernel, count in zip(found, zeros, strict=True)
    }
    return {
        "zeros_share": round(sum(zeros) / weights, 5),
        "weights": weights,
        "zeros_share_of": by_layer,
    }


def _refuse(step: Step) -> str | None:
    if step.options.get("scope") == "sensitivity":
        return "the sensitivity of its layers is scanned in Keras only"
    if "schedule" in step.options:
        return "a schedule is for training, and an ONNX graph is pruned in one shot"
    return refuse_training(step)


WAY: Final = Way(
    name="prune onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=prune_onnx,
    tools=("onnx", "numpy"),
    refuse=_refuse,
    revision=2,
)
