"""One set of weights in the place of several: a layer that is called more than once.

Exporters write the weights of such a layer once. A normalization behind it would be folded into
them, differently for every call: it is folded first.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgebench.compress.keras.bench import Bench, Change, carry, traits_of
from edgebench.compress.keras.fold import fold_bn
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.surgery import flat, rebuild, same_layer
from edgebench.compress.quantize import pick
from edgebench.compress.share import read_share
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format
from edgebench.errors import CompressionError, NoEffect

if TYPE_CHECKING:
    import keras
    from pydantic import JsonValue

# What two layers may differ in and still be one.
OWN_NAME: Final = frozenset({"name", "trainable", "kernel_initializer", "bias_initializer"})

Group = list["keras.Layer"]


def share_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Make one layer of several.

    Raises:
        NoEffect: No two layers are the same.
        CompressionError: The layers that the plan names differ in shape or options.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_share(bench.step)
    model, folded = fold_bn(flat(bench.model))
    layers = [layer for layer in model.layers if layer.weights]
    groups = _identical(layers) if own.layers is None else [_named(layers, own.layers, bench)]
    if not groups:
        msg = "No two layers of the model have the same weights."
        raise NoEffect(msg, hint="Name those that are to share: share = ['conv2', 'conv3'].")
    tied = _tie(model, groups)
    before, after = weight_count(model), weight_count(tied)
    named: dict[str, JsonValue] = {
        group[0].name: [layer.name for layer in group[1:]] for group in groups
    }
    # All of a group but one are gone, and nothing else.
    predicted = before - sum(_weights(layer) for group in groups for layer in group[1:])
    if after != predicted:
        msg = f"The model stores {after} weights, {predicted} were to be left."
        raise CompressionError(msg, hint="Report this with the model: it should not be.")
    return Change(
        model=tied,
        changed={"shared": named, "bn_folded": folded, "weights": [before, after]},
        promises=lambda: Promises(weights=after),
    )


def _tie(model: "keras.Model", groups: Sequence[Group]) -> "keras.Model":
    """One new layer a group, with the mean of its members' weights."""
    shared: dict[int, Any] = {}
    for group in groups:
        one = same_layer(group[0])
        shared |= dict.fromkeys(map(id, group), one)
    tied = rebuild(model, make=lambda layer: shared.get(id(layer)))
    for group in groups:
        means = [np.mean(weights, axis=0) for weights in zip(*_values(group), strict=True)]
        shared[id(group[0])].set_weights(means)
    return tied


def _values(group: Group) -> list[list[Any]]:
    return [layer.get_weights() for layer in group]


def _weights(layer: "keras.Layer") -> int:
    return sum(int(np.prod(v.shape)) for v in layer.weights if len(v.shape) >= 2)


def _identical(layers: Sequence["keras.Layer"]) -> list[Group]:
    """Layers whose options and weights are the same, byte for byte."""
    groups: dict[str, Group] = defaultdict(list)
    for layer in layers:
        whole = hashlib.sha256(json.dumps(_options(layer), sort_keys=True, default=str).encode())
        for array in layer.get_weights():
            whole.update(array.tobytes())
        groups[whole.hexdigest()].append(layer)
    return [group for group in groups.values() if len(group) > 1]


def _named(layers: Sequence["keras.Layer"], asked: Sequence[str], bench: Bench) -> Group:
    names = [layer.name for layer in layers]
    chosen = pick(names, only=asked, skip=(), step=str(bench.step))
    group = [layer for layer in layers if layer.name in chosen]
    first = group[0]
    if len(group) < 2:
        msg = f"{list(asked)!r} is one layer: it has nobody to share with."
        raise CompressionError(msg, hint=f"Layers with weights: {', '.join(names)}.")
    for other in group[1:]:
        _check_alike(first, other)
    return group


def _check_alike(first: "keras.Layer", other: "keras.Layer") -> None:
    shapes = [[tuple(v.shape) for v in layer.weights] for layer in (first, other)]
    if shapes[0] != shapes[1]:
        msg = f"{first.name!r} has weights {shapes[0]}, {other.name!r} has {shapes[1]}."
        raise CompressionError(msg, hint="Only layers of one shape can share their weights.")
    mine, its = _options(first), _options(other)
    for key in mine:
        if mine[key] != its.get(key):
            msg = f"{first.name!r} has {key} = {mine[key]!r}, {other.name!r} has {its.get(key)!r}."
            raise CompressionError(msg, hint="Only layers of the same options can be one layer.")


def _options(layer: "keras.Layer") -> dict[str, Any]:
    config = {k: v for k, v in layer.get_config().items() if k not in OWN_NAME}
    return {"class": type(layer).__name__, **config}


WAY: Final = Way(
    name="share keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=share_keras,
    tools=("tensorflow", "keras"),
    traits=traits_of,
)
