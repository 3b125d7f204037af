"""Take whole channels out of a Keras model: filters and neurons, and all that hangs on them.

What is left is a smaller model of the same kind, faster on every machine. Li et al., "Pruning
Filters for Efficient ConvNets", https://arxiv.org/abs/1608.08710.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import JsonValue

from edgebench.compress.filters import Mask, kept_by_layer, kept_globally, read_filters
from edgebench.compress.keras.bench import Bench, Change, carry, traits_of
from edgebench.compress.keras.channels import Group, Plan, name_of, plan_of
from edgebench.compress.keras.importance import BY_DATA, rank, rank_by_weights
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.macs import macs_of
from edgebench.compress.keras.slices import Cut, changes_of, cut_shapes, cut_weights
from edgebench.compress.keras.surgery import flat, rebuild, same_layer
from edgebench.compress.keras.ties import Channels
from edgebench.compress.quantize import pick
from edgebench.compress.technique import Needs, Outcome, Promises, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.errors import CompressionError, NoEffect

if TYPE_CHECKING:
    import keras

SHOWN: Final = 3


def filter_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Take away the channels that matter least.

    Raises:
        NoEffect: No channel is free to go, or rounding keeps all.
        CompressionError: The model is code and no graph.
    """
    return carry(task, progress, _work)


def narrowed(model: "keras.Model", width: float, *, round_to: int = 8) -> "keras.Model":
    """The model with its hidden layers at a share of their width: a student of its own kind.

    The channels with the largest weights stay, and keep them. Layers whose channels reach an
    output, a layer that is not followed or one that is frozen stay as wide as they are.

    Args:
        model: It is not changed.
        width: Above 0 and at most 1.
        round_to: Widths become a multiple of this.

    Raises:
        NoEffect: No layer becomes narrower.
        CompressionError: The model is code and no graph.
    """
    whole = flat(model)
    plan = plan_of(whole)
    ranking = rank_by_weights(plan.groups, plan)
    multiples = [group.multiple(round_to) for group in plan.groups]
    gone = _gone(plan.groups, kept_by_layer(ranking.scores, multiples, 1 - width))
    if width < 1 and not len(gone):
        msg = f"No layer of {model.name!r} becomes narrower at a width of {width:g}."
        raise NoEffect(msg, hint=_why_none(plan.groups, plan.frozen, round_to))
    return without(whole, plan, gone)


def without(model: "keras.Model", plan: Plan, gone: Channels) -> "keras.Model":
    """The model without some units of channels; the rest keeps its weights.

    Args:
        model: Flat; the plan is of it.
        plan: Its channels.
        gone: Numbers of units `(units,)`.

    Raises:
        CompressionError: The new model has not as many weights as arithmetic says.
    """
    cuts = plan.cuts(gone)
    made: list[tuple[Cut, keras.Layer]] = []

    def make(layer: "keras.Layer") -> "keras.Layer | None":
        cut = cuts.get(id(layer))
        if cut is None:
            return None
        fresh = same_layer(layer, **changes_of(cut))
        made.append((cut, fresh))
        return fresh

    smaller = rebuild(model, make=make)
    predicted = predict_counts(model, cuts.values())
    found = (int(smaller.count_params()), weight_count(smaller))
    if predicted != found:
        msg = f"The smaller model has {found[0]} parameters, {predicted[0]} were predicted."
        raise CompressionError(msg, hint="Leave layers out with skip until it is one less.")
    for cut, fresh in made:
        fresh.set_weights(cut_weights(cut))
    return smaller


def predict_counts(model: "keras.Model", cuts: Iterable[Cut]) -> tuple[int, int]:
    """How many parameters, and how many weights of rank 2 and more, cut layers leave a model."""
    parameters, weights = int(model.count_params()), weight_count(model)
    for cut in cuts:
        before = [tuple(variable.shape) for variable in cut.layer.weights]
        for old, new in zip(before, cut_shapes(cut), strict=True):
            lost = math.prod(old) - math.prod(new)
            parameters -= lost
            weights -= lost if len(old) >= 2 else 0
    return parameters, weights


def _work(bench: Bench) -> Change:
    own, _ = read_filters(bench.step)
    whole = flat(bench.model)
    plan = plan_of(whole)
    groups, frozen = _chosen(plan, bench)
    bench.progress(f"scoring {len(groups)} groups of channels by {own.score}")
    ranking = rank(own.score, groups, plan=plan, model=whole, bench=bench)
    keep = kept_by_layer if own.scope == "layer" else kept_globally
    gone = _gone(
        groups, keep(ranking.scores, [group.multiple(own.round) for group in groups], own.share)
    )
    if not len(gone):
        msg = f"{str(bench.step)!r} takes no channel away."
        raise NoEffect(msg, hint=_why_none(groups, frozen, own.round))
    smaller = without(whole, plan, gone)
    weights = weight_count(smaller)
    changed: dict[str, JsonValue] = {
        **_told(plan, groups, gone),
        "frozen": dict(frozen),
        "parameters": [int(whole.count_params()), int(smaller.count_params())],
        "macs": [macs_of(whole), macs_of(smaller)],
    }
    if ranking.by_l1:
        changed["scored_by_l1"] = list(ranking.by_l1)
    return Change(model=smaller, changed=changed, promises=lambda: Promises(weights=weights))


def _chosen(plan: Plan, bench: Bench) -> tuple[list[Group], dict[str, str]]:
    """The groups that the step may touch, and what holds the layers that it may not."""
    common = bench.common
    allowed = pick(plan.names, only=common.only, skip=common.skip, step=str(bench.step))
    groups, frozen = [], dict(plan.frozen)
    for group in plan.groups:
        names = [name_of(member.layer) for member in group.members]
        left_out = [name for name in names if name not in allowed]
        if not left_out:
            groups.append(group)
            continue
        for name in names:
            frozen.setdefault(name, f"{left_out[0]!r} is left out by the plan")
    return groups, frozen


def _gone(groups: Sequence[Group], kept: Sequence[Mask]) -> Channels:
    gone = [group.units[~mask] for group, mask in zip(groups, kept, strict=True)]
    return np.concatenate(gone) if gone else np.zeros(0, np.int64)


def _told(plan: Plan, groups: Sequence[Group], gone: Channels) -> dict[str, JsonValue]:
    """For the ledger: channels before and after, tied ones counted once, and the layers' widths."""
    members = {id(m.layer): m.layer for group in groups for m in group.members}
    cuts = plan.cuts(gone)
    widths: dict[str, JsonValue] = {
        name_of(layer): [cuts[key].makes.size, int(cuts[key].makes.sum())]
        for key, layer in members.items()
        if key in cuts and not cuts[key].makes.all()
    }
    before = sum(len(group.units) for group in groups)
    return {"groups": len(groups), "channels": [before, before - len(gone)], "widths": widths}


def _why_none(groups: Sequence[Group], frozen: Mapping[str, str], multiple: int) -> str:
    if groups:
        widest = max(len(group.units) for group in groups)
        return f"The widest of {len(groups)} groups has {widest}; round = {multiple} keeps it."
    held = "; ".join(f"{name!r}: {why}" for name, why in list(frozen.items())[:SHOWN])
    return f"No channel is free to go. {held}." if held else "There are no filters in it."


def _traits(step: Step | None) -> Traits:
    assert step is not None
    own, _ = read_filters(step)
    traits = traits_of(step)
    if own.score not in BY_DATA:
        return traits
    # The loss may be that which the user's own model was compiled with.
    reads_loss = traits.reads_origin or own.score == "taylor"
    return replace(traits, needs=Needs.TUNING, reads_origin=reads_loss)


WAY: Final = Way(
    name="filters keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=filter_keras,
    tools=("tensorflow", "keras"),
    traits=_traits,
    revision=2,
)
