"""How much accuracy each layer loses when it alone is pruned, and what follows from it.

Han et al., "Learning both Weights and Connections", https://arxiv.org/abs/1506.02626, section 4.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from edgebench.compress.keras.bench import Bench
from edgebench.compress.keras.kernels import Kernel
from edgebench.compress.keras.material import Material
from edgebench.compress.linalg.masks import magnitude_mask
from edgebench.errors import CompressionError

SHARES: Final = (0.3, 0.5, 0.7, 0.9, 0.97)
SAMPLES: Final = 1000
HALVINGS: Final = 60

# Points of share pruned and accuracy lost, rising in both.
Curve = tuple[tuple[float, float], ...]


def scan(found: Sequence[Kernel], bench: Bench) -> list[Curve]:
    """Prune each kernel alone at each of SHARES, and put it back.

    Raises:
        CompressionError: There is nothing to judge by.
    """
    material = bench.material
    if material.validation is not None:
        few = material.validation.first(SAMPLES)
        material = Material(
            train=material.train,
            validation=few,
            metric=material.metric,
            code=material.code,
            origin=material.origin,
        )
    whole = material.judge(bench.model)
    if whole is None:
        msg = "Sensitivity cannot be scanned: there are no labelled samples to validate on."
        raise CompressionError(msg, hint="Add y_validation to the data, or use scope = 'global'.")
    assert material.metric is not None
    sign = 1 if material.metric.kind == "share" else -1
    curves = []
    for number, kernel in enumerate(found, start=1):
        bench.progress(f"sensitivity of {kernel.name}, {number} of {len(found)}")
        kept, worst, curve = kernel.values, 0.0, [(0.0, 0.0)]
        for share in SHARES:
            kernel.variable.assign(kept * magnitude_mask(kept, share))
            value = material.judge(bench.model)
            lost = np.inf if value is None else sign * (whole - value)
            # What a layer loses does not shrink when more of it goes: the rest is noise.
            worst = max(worst, lost)
            curve.append((share, worst))
        kernel.variable.assign(kept)
        curves.append(tuple(curve))
    return curves


def spread(curves: Sequence[Curve], sizes: Sequence[int], share: float) -> list[float]:
    """Shares of each layer that make up `share` of all weights, each costing as much accuracy.

    Raises:
        CompressionError: Not even the largest share of all layers is enough.

    >>> sturdy, frail = ((0.0, 0.0), (0.9, 0.01)), ((0.0, 0.0), (0.9, 0.09))
    >>> [round(s, 2) for s in spread([sturdy, frail], [100, 100], 0.5)]
    [0.9, 0.1]
    """
    total = sum(sizes)

    def shares_at(loss: float) -> list[float]:
        return [_share_at(curve, loss) for curve in curves]

    def reached(shares: Sequence[float]) -> float:
        return sum(s * n for s, n in zip(shares, sizes, strict=True)) / total

    finite = [loss for curve in curves for _, loss in curve if np.isfinite(loss)]
    low, high = 0.0, max(finite, default=0.0)
    if reached(shares_at(high)) < share:
        most = reached(shares_at(high))
        msg = f"At most {most:.0%} of the weights can be pruned layer by layer, not {share:.0%}."
        raise CompressionError(msg, hint="Ask for less, or use scope = 'global'.")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(shares_at(middle)) >= share else (middle, high)
    shares = shares_at(high)
    # Curves with flat parts jump over the aim: what is too much is taken back from all alike.
    factor = share / reached(shares)
    return [s * factor for s in shares]


def _share_at(curve: Curve, loss: float) -> float:
    """The largest share that costs no more than `loss`, linear between points."""
    best = 0.0
    for (share_a, loss_a), (share_b, loss_b) in pairwise(curve):
        if loss >= loss_b:
            best = share_b
        elif loss >= loss_a and np.isfinite(loss_b):
            best = share_a + (share_b - share_a) * (loss - loss_a) / (loss_b - loss_a)
            break
        else:
            break
    return best
