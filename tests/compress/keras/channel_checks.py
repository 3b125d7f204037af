"""What becomes of random nets when channels go: a line of JSON for each seed.

python -m tests.compress.keras.channel_checks FIRST LAST FOLDER
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from edgebench.compress.keras.channels import name_of, plan_of
from edgebench.compress.keras.filters import narrowed, without
from edgebench.compress.keras.slices import kernel_of
from edgebench.compress.keras.surgery import flat, rebuild
from tests.compress.keras.random_nets import inputs_of, net_of

NOTHING = np.zeros(0, np.int64)


def outputs(model, x):
    return [np.asarray(y) for y in keras.tree.flatten(model(x, training=False))]


def apart(some, others):
    """How far outputs are from each other, as a part of how large they are."""
    assert [y.shape for y in some] == [y.shape for y in others]
    return max(
        float(np.abs(a - b).max() / (np.abs(b).max() or 1.0))
        for a, b in zip(some, others, strict=True)
    )


def drawn(plan, chance):
    """Any units but one of each group: the graph must be right whatever the scores say."""
    gone = [
        chance.permutation(group.units)[: chance.integers(1, len(group.units))]
        for group in plan.groups
        if len(group.units) > 1
    ]
    return np.concatenate(gone) if gone else NOTHING


def deafened(model, plan, gone):
    """The model at full width, deaf to the channels that go: their weights are zero where read."""
    deaf = rebuild(model, make=lambda layer: None)
    by_name = {layer.name: layer for layer in deaf.layers}
    for cut in plan.cuts(gone).values():
        layer, dead = by_name[cut.layer.name], ~cut.reads
        kind = type(layer).__name__
        if kind == "Dense":
            silence(layer.kernel, (dead,))
        elif kind.endswith("Transpose"):
            silence(layer.kernel, (..., dead))
        elif kind.startswith("Separable"):
            silence(layer.depthwise_kernel, (..., dead, slice(None)))
        elif kind.startswith("Conv") and layer.kernel.shape[-2] == len(dead):
            silence(layer.kernel, (..., dead, slice(None)))
        elif kind.startswith("Conv") and layer.groups < len(dead):
            read, made = len(dead) // layer.groups, layer.filters // layer.groups
            for group in range(layer.groups):
                rows = np.flatnonzero(dead[group * read : (group + 1) * read])
                columns = np.arange(group * made, (group + 1) * made)
                silence(layer.kernel, (..., rows[:, None], columns[None, :]))
    return deaf


def silence(variable, place):
    values = variable.numpy().copy()
    values[place] = 0
    variable.assign(values)


def check(seed, folder):
    model = net_of(seed)
    x = inputs_of(model, seed=seed)
    whole, before = flat(model), outputs(model, x)
    plan = plan_of(whole)
    gone = drawn(plan, np.random.default_rng(seed))
    smaller = without(whole, plan, gone)
    cuts = plan.cuts(gone)
    half = narrowed(model, 0.5, round_to=(1, 4, 8)[seed % 3])
    half.save(folder / f"{seed}.keras")
    return {
        "seed": seed,
        "groups": len(plan.groups),
        "frozen": dict(plan.frozen),
        "gone": len(gone),
        "parameters": [model.count_params(), smaller.count_params(), half.count_params()],
        "untouched": apart(outputs(without(whole, plan, NOTHING), x), before),
        "original": apart(outputs(model, x), before),
        "smaller": apart(outputs(smaller, x), outputs(deafened(whole, plan, gone), x)),
        "moved": apart(outputs(smaller, x), before),
        "reloaded": apart(
            outputs(keras.models.load_model(folder / f"{seed}.keras"), x), outputs(half, x)
        ),
        "misnamed": [
            name_of(member.layer)
            for group in plan.groups
            for member in group.members
            if kernel_of(member.layer)[0].path.rpartition("/")[0] != name_of(member.layer)
        ],
        "cut_but_held": [
            cut.layer.name for cut in cuts.values() if cut.layer.weights and not cut.layer.trainable
        ],
    }


def main():
    first, last, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    for seed in range(first, last):
        print(json.dumps(check(seed, folder)), flush=True)  # noqa: T201 - what the tests read


if __name__ == "__main__":
    main()
