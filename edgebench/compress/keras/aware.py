"""Train a Keras model to be quantized: its weights and activations are rounded as it learns.

Jacob et al., https://arxiv.org/abs/1712.05877. What comes of it is a Keras model with `FakeQuant`
layers, which `export` makes integer files of, without data.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.keras.bench import Bench, Change, carry, check_changed, traits_of
from edgebench.compress.keras.fake_quant import (
    ONE_SCALE,
    Ends,
    Granularity,
    layers,
    ranges_of,
    settle,
    watch,
)
from edgebench.compress.keras.fold import fold_bn, foldable, kind_of
from edgebench.compress.keras.hold import CODEBOOK_MAX
from edgebench.compress.keras.integer import KINDS, Role, is_affine
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.material import Samples
from edgebench.compress.keras.plain import plain
from edgebench.compress.keras.rounding import Rounding, named, rounded, unknown
from edgebench.compress.keras.surgery import flat
from edgebench.compress.quantize import Aware, pick, read_aware, refuse_end
from edgebench.compress.technique import Needs, Outcome, Promises, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras

# Where the plan names none: the model is trained already, and only has to get used to rounding.
LEARNING_RATE: Final = 3e-4
# The ranges begin as the mean of the lowest and highest values of so many batches.
BATCHES: Final = 32
# While it is trained they follow, by one batch in so many, each of which counts for a tenth...
WATCH_EVERY: Final = 8
MOMENTUM: Final = 0.9
# ... and stand still in the end, so that the weights settle on steps that do not move any more.
# Krishnamoorthi, https://arxiv.org/abs/1806.08342, section 3.2.
FREEZE_AT: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranges:
    """The ranges of a rounded model, and the samples that they are found by."""

    model: "keras.Model"
    samples: Samples
    batch: int
    random: np.random.Generator

    def find(self) -> None:
        """Take them from batches that pass through unrounded."""
        count = min(BATCHES, -(-self.samples.count // self.batch))
        for number in range(count):
            self._see(rounds=False, momentum=number / (number + 1))

    def follow(self, step: int, steps: int) -> None:
        """Move them with the weights, after every batch of training."""
        if step % WATCH_EVERY == 0 and step <= FREEZE_AT * steps:
            self._see(rounds=True, momentum=MOMENTUM)

    def _see(self, *, rounds: bool, momentum: float) -> None:
        picked = self.random.integers(0, self.samples.count, self.batch)
        x = {name: array[picked] for name, array in self.samples.x.items()}
        watched = list(ranges_of(self.model))
        for layer in watched:
            watch(layer, rounds=rounds)
        try:
            self.model(Samples(x=x, y=None).fed(), training=False)
        finally:
            for layer in watched:
                settle(layer, momentum)


def quantize_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Make a model of integers that is trained in float.

    Raises:
        NoEffect: It has no layer that can be quantized.
        CompressionError: It has one that has no integer form.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own = read_aware(bench.step)
    whole = flat(bench.model)
    if "clusters" in bench.common.keep:
        _check_clusters(whole)
    folded, count = fold_bn(whole)
    model = plain(folded)
    names = named(model)
    chosen = pick(
        list(dict.fromkeys([*named(whole), *names])),
        only=bench.common.only,
        skip=bench.common.skip,
        step=str(bench.step),
    )
    _check_known(unknown(model, chosen), bench.step)
    kernels = [
        layer
        for layer in model.layers
        if layer.name in chosen and KINDS.get(kind_of(layer)) is Role.KERNEL
    ]
    check_changed(len(kernels), bench)
    keeps = "clusters" in bench.common.keep
    rounding = Rounding(
        chosen=chosen,
        granularity=lambda layer: _granularity(layer, own, keeps_clusters=keeps),
        ends=Ends(io=own.io, scheme=own.scheme),
    )
    model = rounded(model, rounding)
    ranges = _find_ranges(model, bench)
    left = [name for name in names if name not in chosen]
    changed: dict[str, JsonValue] = {
        "bn_folded": count,
        "kernels": len(kernels),
        "ranges": len(list(ranges_of(model))),
        "weight_scales": _scales(model),
        "left_float": list(left),
    }
    return Change(
        model=model,
        changed=changed,
        on_step=[ranges.follow],
        promises=lambda: Promises(is_integer=not left or None, weights=_weights(model)),
        learning_rate=LEARNING_RATE,
        settings={"io": own.io, "scheme": own.scheme},
    )


def _find_ranges(model: "keras.Model", bench: Bench) -> Ranges:
    assert bench.material.train is not None
    bench.progress("finding the ranges of activations")
    ranges = Ranges(
        model=model,
        samples=bench.material.train,
        batch=bench.common.batch,
        random=np.random.default_rng(bench.common.seed),
    )
    ranges.find()
    return ranges


def _granularity(layer: Any, own: Aware, *, keeps_clusters: bool) -> Granularity:  # noqa: ANN401 - Keras' own
    """One scale a channel, unless that would make many integers of few values."""
    if kind_of(layer) in ONE_SCALE:
        return "tensor"
    if own.granularity is not None:
        return own.granularity
    return "tensor" if keeps_clusters and _is_clustered(np.asarray(layer.kernel)) else "channel"


def _scales(model: "keras.Model") -> dict[str, JsonValue]:
    """How many kernels have one scale a channel, and how many one alone."""
    rounded_kernels = tuple(layers().kernels.values())
    found = Counter(
        layer.granularity for layer in model.layers if isinstance(layer, rounded_kernels)
    )
    return dict(sorted(found.items()))


def _weights(model: "keras.Model") -> int:
    """How many weights the files hold, without those of layers that scale each channel.

    In integers those are 127 or -127 everywhere, and a file may store several such layers once.
    """
    alone = [layer.kernel for layer in model.layers if is_affine(layer)]
    return weight_count(model) - sum(int(np.prod(kernel.shape)) for kernel in alone)


def _is_clustered(weights: NDArray[Any]) -> bool:
    return 2 * len(np.unique(weights)) <= min(weights.size, 2 * CODEBOOK_MAX)


def _check_clusters(model: "keras.Model") -> None:
    """Raise CompressionError where folding a normalization would take clusters apart."""
    for layer in foldable(model):
        clustered = [w for w in layer.weights if len(w.shape) > 1 and _is_clustered(np.asarray(w))]
        if clustered:
            msg = f"The clusters of {layer.name!r} cannot be kept: a normalization follows it."
            raise CompressionError(msg, hint="Put `fold bn` before the step that makes clusters.")


def _check_known(found: Mapping[str, str], step: Step) -> None:
    if not found:
        return
    listed = ", ".join(f"{name} ({kind})" for name, kind in found.items())
    msg = f"{str(step)!r}: there is no integer form of {listed}."
    regexes = ", ".join(f'"{name}"' for name in found)
    hint = f"skip = [{regexes}] leaves them float; or quantize after training, without `aware`."
    raise CompressionError(msg, hint=hint)


def _traits(step: Step | None) -> Traits:
    traits = traits_of(step)
    return Traits(needs=Needs.TUNING, is_seeded=True, reads_origin=traits.reads_origin)


WAY: Final = Way(
    name="quantize keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=quantize_keras,
    tools=("tensorflow", "keras"),
    traits=_traits,
    takes=lambda step: step.options.get("aware") is True,
    ends=refuse_end,
)
