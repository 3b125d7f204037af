"""What a channel is kept for: scores of the channels that a layer makes.

* `group`: the magnitudes of all weights that go with a channel: those that make it, scale it and
  read it (Fang et al., https://arxiv.org/abs/2301.12900).
* `l1`: the sum of the magnitudes of a filter's weights (Li et al.,
  https://arxiv.org/abs/1608.08710).
* `bn`: the magnitude of its scale in the batch normalization that follows (Liu et al.,
  https://arxiv.org/abs/1708.06519).
* `taylor`: weight times gradient is to first order what the loss changes by where the weight goes;
  the squares of it, summed over a filter's weights (Molchanov et al.,
  https://arxiv.org/abs/1906.10771).
* `activation`: the mean magnitude of what comes out, behind normalization and activation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgebench.compress.filters import Scores
from edgebench.compress.keras.bench import Bench
from edgebench.compress.keras.channels import Group, Plan, name_of
from edgebench.compress.keras.material import Samples
from edgebench.compress.keras.slices import channel_axes, kernel_of
from edgebench.compress.keras.surgery import Call, Graph
from edgebench.compress.keras.ties import FREE, Channels
from edgebench.errors import CompressionError, ConfigError

if TYPE_CHECKING:
    import keras

BY_DATA: Final = frozenset({"taylor", "activation"})
# Scores settle with a few hundred samples.
SAMPLES: Final = 512
# What a layer's output passes on its way to what reads it, channel by channel.
FOLLOWERS: Final = frozenset(
    {"BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU"}
)

# One score for each channel that a layer makes, by the id of the layer: `(channels,)`.
ByLayer = Mapping[int, Scores]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """The scores of some groups, one for each unit.

    Attributes:
        by_l1: Layers that the asked score knows nothing of: they are scored by their weights.
    """

    scores: tuple[Scores, ...]
    by_l1: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vote:
    """What one layer, or one of its weights, says of channels.

    Attributes:
        name: Of the layer.
        units: The unit of each channel, `(channels,)`.
        scores: What each is worth, `(channels,)`.
    """

    name: str
    units: Channels
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """The layers to score, and all that a score may look at."""

    layers: Sequence["keras.Layer"]
    model: "keras.Model"
    plan: Plan
    bench: Bench


def rank_by_weights(groups: Sequence[Group], plan: Plan) -> Ranking:
    """Score by all weights that go with a channel, which needs neither data nor loss."""
    return Ranking(scores=tuple(_counted(groups, list(_votes_of_weights(plan)))))


def rank(
    score: str, groups: Sequence[Group], *, plan: Plan, model: "keras.Model", bench: Bench
) -> Ranking:
    """Score by what the plan names.

    The scores of a vote are divided by their mean over the group, and averaged over the votes on
    the group: each has the same say, and groups compare.

    Raises:
        ConfigError: There are no samples for a score that needs them.
        CompressionError: A score is no number.
    """
    if score == "group":
        return rank_by_weights(groups, plan)
    if score in BY_DATA:
        _check_taught(bench)
    layers = _layers(groups)
    own = SCORES[score](Subject(layers=layers, model=model, plan=plan, bench=bench))
    missing = [layer for layer in layers if id(layer) not in own]
    by_layer = {**_sizes_of(missing), **own}
    votes = [
        Vote(
            name=name_of(layer),
            units=plan.units[plan.makes[id(layer)]],
            scores=by_layer[id(layer)],
        )
        for layer in layers
    ]
    return Ranking(
        scores=tuple(_counted(groups, votes)), by_l1=tuple(name_of(layer) for layer in missing)
    )


def _layers(groups: Sequence[Group]) -> list["keras.Layer"]:
    found = {id(m.layer): m.layer for group in groups for m in group.members}
    return list(found.values())


def _votes_of_weights(plan: Plan) -> Iterator[Vote]:
    """All kernels that a channel passes, at either end, and the scales of its normalizations."""
    for layer in {id(call.layer): call.layer for call in plan.graph.calls}.values():
        if id(layer) not in plan.reads:
            continue
        rows = plan.units[plan.reads[id(layer)]], plan.units[plan.makes[id(layer)]]
        for variable, axis, units in channel_axes(layer, *rows):
            if len(variable.shape) >= 2 or variable.name == "gamma":
                yield Vote(name=name_of(layer), units=units, scores=_sizes_along(variable, axis))


def _counted(groups: Sequence[Group], votes: Sequence[Vote]) -> Iterator[Scores]:
    highest = max((int(vote.units.max()) for vote in votes), default=0)
    for group in groups:
        place = np.full(highest + 1, FREE)
        place[group.units] = np.arange(len(group.units))
        total, count = np.zeros(len(group.units)), 0
        for vote in votes:
            places = place[vote.units]
            on_it = places != FREE
            if not on_it.any():
                continue
            scores = np.bincount(places[on_it], vote.scores[on_it], len(group.units))
            mean = scores.mean()
            if not np.isfinite(mean):
                msg = f"The scores of the channels of {vote.name!r} are no numbers."
                raise CompressionError(msg, hint="Look for NaN in its weights and in the data.")
            total += scores / mean if mean > 0 else 0
            count += 1
        yield total / count


def _l1(subject: Subject) -> ByLayer:
    return _sizes_of(subject.layers)


def _sizes_of(layers: Sequence["keras.Layer"]) -> dict[int, Scores]:
    return {id(layer): _sizes_along(*kernel_of(layer)) for layer in layers}


def _sizes_along(variable: Any, axis: int) -> Scores:  # noqa: ANN401 - Keras' own
    return _over_filters(np.abs(np.asarray(variable.numpy(), np.float64)), axis)


def _over_filters(weights: Scores, axis: int) -> Scores:
    """Sum all that belongs to a filter: the filters are along `axis`."""
    others = tuple(i for i in range(weights.ndim) if i != axis % weights.ndim)
    return np.asarray(weights.sum(axis=others), np.float64)


def _scale(subject: Subject) -> ByLayer:
    found, graph = {}, subject.plan.graph
    for layer in subject.layers:
        after = graph.only_user(graph.calls_of(layer)[0])
        if after is None or type(after.layer).__name__ != "BatchNormalization":
            continue
        if after.layer.scale:
            found[id(layer)] = np.abs(np.asarray(after.layer.gamma.numpy(), np.float64))
    return found


def _taylor(subject: Subject) -> ByLayer:
    import keras
    import tensorflow as tf

    loss = subject.bench.material.loss_of(subject.model)
    kernels = [kernel_of(layer) for layer in subject.layers]
    total = [np.zeros(variable.shape[axis]) for variable, axis in kernels]
    variables = [variable.value for variable, _ in kernels]
    for batch in _batches(subject.bench):
        with tf.GradientTape() as tape:
            value = keras.ops.mean(loss(batch.y, subject.model(batch.fed(), training=False)))
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        for i, (variable, axis) in enumerate(kernels):
            terms = np.asarray(gradients[i], np.float64) * np.asarray(variable.numpy(), np.float64)
            total[i] += _over_filters(terms**2, axis)
    return {id(layer): own for layer, own in zip(subject.layers, total, strict=True)}


def _activation(subject: Subject) -> ByLayer:
    import keras
    import tensorflow as tf

    graph = subject.plan.graph
    taps = [_last_of(graph.calls_of(layer)[0], graph) for layer in subject.layers]
    means = [
        keras.ops.mean(keras.ops.absolute(tap), axis=tuple(range(1, len(tap.shape) - 1)))
        for tap in taps
    ]
    watched = keras.Model(subject.model.input, means)
    # Compiled, no activation is kept longer than it is read.
    answer = tf.function(lambda x: watched(x, training=False), reduce_retracing=True)
    total = [np.zeros(tap.shape[-1]) for tap in taps]
    for batch in _batches(subject.bench):
        # Of a single output Keras makes no list.
        for i, values in enumerate(keras.tree.flatten(answer(batch.fed()))):
            total[i] += np.asarray(values, np.float64).sum(axis=0)
    return {id(layer): own for layer, own in zip(subject.layers, total, strict=True)}


def _last_of(call: Call, graph: Graph) -> Any:  # noqa: ANN401 - Keras' own
    """The output of a layer behind its normalization and its activation."""
    after = graph.only_user(call)
    while after is not None and type(after.layer).__name__ in FOLLOWERS:
        call, after = after, graph.only_user(after)
    return call.node.output_tensors[0]


def _batches(bench: Bench) -> Iterator[Samples]:
    """Some training samples, drawn by the step's seed."""
    samples = bench.material.train
    assert samples is not None
    assert samples.y is not None
    chance = np.random.default_rng(bench.common.seed or 0)
    drawn = chance.permutation(samples.count)[:SAMPLES]
    for begin in range(0, len(drawn), bench.common.batch):
        chosen = drawn[begin : begin + bench.common.batch]
        x = {name: array[chosen] for name, array in samples.x.items()}
        yield Samples(x=x, y=samples.y[chosen])


def _check_taught(bench: Bench) -> None:
    samples = bench.material.train
    if samples is None or samples.y is None:
        msg = f"{str(bench.step)!r} scores channels by training samples, and there are none."
        raise ConfigError(msg, hint="Add x_train and y_train to the data, or use score = 'l1'.")


SCORES: Final[Mapping[str, Callable[[Subject], ByLayer]]] = {
    "l1": _l1,
    "bn": _scale,
    "taylor": _taylor,
    "activation": _activation,
}
