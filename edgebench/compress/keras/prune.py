"""Prune the weights of a Keras model by magnitude, and retrain what is left.

Zhu and Gupta, "To prune, or not to prune", https://arxiv.org/abs/1710.01878: the share grows along
a cubic while the model is trained, so that what is lost is learned again on the way.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.keras.bench import Bench, Change, carry, check_changed, traits_of
from edgebench.compress.keras.hold import hold_mask
from edgebench.compress.keras.kernels import Kernel, kernels
from edgebench.compress.keras.sensitivity import scan, spread
from edgebench.compress.linalg.masks import cubic_share, magnitude_mask
from edgebench.compress.prune import Prune, masks_of, read_prune
from edgebench.compress.technique import Needs, Outcome, Promises, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import tensorflow as tf

# The share has grown to its end after this part of the training; the rest of it heals.
RAMP: Final = 0.6
# Masks are made anew so often on the way.
UPDATES: Final = 40

Masks = list[NDArray[np.bool_]]


def prune_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Set the smallest weights to zero.

    Raises:
        NoEffect: There is no weight to prune.
        CompressionError: Fewer zeros came of it than were asked for.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_prune(bench.step)
    found = kernels(bench.model, bench.common, step=str(bench.step))
    check_changed(len(found), bench)
    masks_at, told = _rule(own, found, bench)
    before = [kernel.values for kernel in found]
    _apply(found, masks_at(own.share))
    if bench.common.tune is None:
        return Change(
            model=bench.model,
            changed={**told, **_told(found, own)},
            promises=lambda: Promises(zeros=_zeros(found)),
        )
    factors = _variables(found)
    grows = own.schedule == "cubic" and own.pattern.group is None
    on_step = _ramp(found, factors, masks_at, own.share) if grows else _nothing

    def begin() -> None:
        if grows:
            for kernel, values in zip(found, before, strict=True):
                kernel.variable.assign(values)
                factors[kernel.name].assign(np.ones_like(values))

    def finish() -> Mapping[str, JsonValue]:
        # Training may have been stopped on the way there.
        _apply(found, masks_at(own.share))
        return _told(found, own)

    return Change(
        model=bench.model,
        changed=told,
        begin=begin,
        holds=[hold_mask(kernel, factors[kernel.name]) for kernel in found],
        on_step=[on_step],
        finish=finish,
        promises=lambda: Promises(zeros=_zeros(found)),
    )


def _rule(
    own: Prune, found: Sequence[Kernel], bench: Bench
) -> tuple[Callable[[float], Masks], dict[str, JsonValue]]:
    """How masks are made of a share, and what was found out for it."""
    if own.scope != "sensitivity":
        return lambda share: masks_of(own, [kernel.values for kernel in found], share), {}
    curves = scan(found, bench)
    shares = spread(curves, [kernel.values.size for kernel in found], own.share)

    def masks_at(share: float) -> Masks:
        part = share / own.share
        return [
            magnitude_mask(kernel.values, most * part)
            for kernel, most in zip(found, shares, strict=True)
        ]

    lost: dict[str, JsonValue] = {
        kernel.name: [[point, round(loss, 5)] for point, loss in curve]
        for kernel, curve in zip(found, curves, strict=True)
    }
    return masks_at, {"sensitivity": lost}


def _variables(found: Sequence[Kernel]) -> dict[str, "tf.Variable"]:
    import tensorflow as tf

    return {k.name: tf.Variable((k.values != 0).astype(np.float32)) for k in found}


def _ramp(
    found: Sequence[Kernel],
    factors: Mapping[str, "tf.Variable"],
    masks_at: Callable[[float], Masks],
    share: float,
) -> Callable[[int, int], None]:
    def on_step(step: int, steps: int) -> None:
        ramp = max(1, round(RAMP * steps))
        if step > ramp or (step % max(1, ramp // UPDATES) and step != ramp):
            return
        masks = masks_at(cubic_share(step, ramp, share))
        for kernel, mask in zip(found, masks, strict=True):
            factors[kernel.name].assign(mask.astype(np.float32))

    return on_step


def _nothing(step: int, steps: int) -> None:
    """What is pruned at once needs no schedule."""


def _apply(found: Sequence[Kernel], masks: Masks) -> None:
    for kernel, mask in zip(found, masks, strict=True):
        kernel.variable.assign(kernel.values * mask)


def _zeros(found: Sequence[Kernel]) -> int:
    return sum(int((kernel.values == 0).sum()) for kernel in found)


def _told(found: Sequence[Kernel], own: Prune) -> dict[str, JsonValue]:
    """The zeros of each layer; they must be as many as the plan asks for."""
    sizes = [kernel.values.size for kernel in found]
    reached = _zeros(found) / sum(sizes)
    # A group that does not fill up stays dense, and blocks at an edge are not whole.
    if own.pattern.group is None and reached < own.share - 1 / min(sizes):
        msg = f"{reached:.2%} of the weights are zero, {own.share:.0%} were asked for."
        raise CompressionError(msg, hint="Ask for smaller blocks, or for less.")
    by_layer: dict[str, Any] = {
        kernel.name: round(float((kernel.values == 0).mean()), 4) for kernel in found
    }
    return {"zeros_share": round(reached, 5), "weights": sum(sizes), "zeros_share_of": by_layer}


def _traits(step: Step | None) -> Traits:
    traits = traits_of(step)
    assert step is not None
    needs_labels = step.options.get("scope") == "sensitivity"
    return Traits(
        needs=Needs.TUNING if needs_labels else traits.needs,
        is_seeded=True,
        reads_origin=traits.reads_origin,
    )


WAY: Final = Way(
    name="prune keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=prune_keras,
    tools=("tensorflow", "keras"),
    traits=_traits,
    revision=2,
)
