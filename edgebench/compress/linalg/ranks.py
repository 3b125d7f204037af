"""The ranks of a decomposition, by what a plan says of them."""

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pydantic import JsonValue

from edgebench.compress.linalg.arrays import Float64s, Floats
from edgebench.compress.linalg.evbmf import rank_of
from edgebench.compress.linalg.spectrum import singular_values
from edgebench.compress.linalg.unfold import Method as Method
from edgebench.compress.linalg.unfold import check_method, unfold

SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
ENERGY: Final = re.compile(r"energy\s+(\d+(?:\.\d+)?|\.\d+)")
WHOLE: Final = re.compile(r"\d+")
# A sum of squares in floating point ends so near to what it should be.
ROUNDING: Final = 1e-12
# EVBMF takes for noise what a small kernel has learned in little training: of one of 3x3x16x32,
# after three epochs, it left a rank of 1 and 4 % of the squared norm.
NOISE_SHARE: Final = 0.5
FALLBACK_ENERGY: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRule:
    """How a rank is found.

    Attributes:
        kind: `share` of the kernel's weights, `energy` of its squared singular values, `evbmf`, or
            `fixed`.
        amount: The share or the energy, at most 1; the rank; 0 for `evbmf`.
    """

    kind: Literal["share", "energy", "evbmf", "fixed"]
    amount: float | int = 0


def parse_rank(value: JsonValue) -> RankRule:
    """Read `"50 %"`, `"energy 0.9"`, `"evbmf"`, or a rank such as 16 or `"16"`.

    Raises:
        ValueError: It is none of them, in words that a plan's author can use.

    >>> parse_rank("energy 0.9")
    RankRule(kind='energy', amount=0.9)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _fixed(value)
    words = value.strip() if isinstance(value, str) else ""
    if words == "evbmf":
        return RankRule(kind="evbmf")
    if WHOLE.fullmatch(words):
        return _fixed(int(words))
    if found := SHARE.fullmatch(words):
        if not 0 < float(found[1]) <= 100:
            msg = f"a share of the parameters is above 0 and at most 100 %, not {value!r}"
            raise ValueError(msg)
        return RankRule(kind="share", amount=float(found[1]) / 100)
    if found := ENERGY.fullmatch(words):
        if not 0 < float(found[1]) <= 1:
            msg = f"an energy is above 0 and at most 1, not {value!r}"
            raise ValueError(msg)
        return RankRule(kind="energy", amount=float(found[1]))
    msg = f"ranks are given as '50 %', 'energy 0.9', 'evbmf' or a number such as 16, not {value!r}"
    raise ValueError(msg)


def parameters(shape: tuple[int, ...], method: Method, ranks: tuple[int, ...]) -> int:
    """How many weights the factors of a kernel of this shape have.

    >>> parameters((3, 3, 64, 128), "tucker", (16, 32))
    9728
    """
    check_method(shape, method)
    if method == "dense":
        return ranks[0] * sum(shape)
    height, width, inputs, outputs = shape
    if method == "tucker":
        rank_in, rank_out = ranks
        core = height * width * rank_in * rank_out
        return inputs * rank_in + core + rank_out * outputs
    by_rank = {
        "channel": height * width * inputs + outputs,
        "spatial": height * inputs + width * outputs,
        "cp": inputs + height * width + outputs,
    }
    return ranks[0] * by_rank[method]


def ranks_for(kernel: Floats, method: Method, rule: RankRule) -> tuple[int, ...]:
    """The ranks of a kernel's decomposition by a rule: two for Tucker, in and out, else one.

    * `share`: the largest whose factors have at most this share of the kernel's weights; Tucker's
      two in proportion to the channels.
    * `energy`: the smallest that hold this share of the squared singular values of the unfolding.
    * `evbmf`: what `evbmf_rank` finds in the unfolding, Kim et al. 2016,
      https://arxiv.org/abs/1511.06530, for Tucker; where it calls most of a kernel noise, the rank
      of an energy of 0.9.
    * `fixed`: as given; for Tucker no more than the channels on either side.

    Tucker has an unfolding for each side, and CP takes the larger of those two ranks. The least
    rank is 1, whether or not it keeps the rule.

    Raises:
        ValueError: A fixed rank is more than the kernel allows, or the method is not for its shape.
    """
    check_method(kernel.shape, method)
    if rule.kind == "fixed":
        return _allowed(kernel.shape, method, int(rule.amount))
    if rule.kind == "share":
        return _affordable(kernel.shape, method, rule.amount)
    if rule.kind == "energy":
        matrices = unfold(kernel, method)
        found = [_energy_rank(singular_values(matrix), rule.amount) for matrix in matrices]
    else:
        found = [_variational_rank(matrix) for matrix in unfold(kernel, method)]
    if method == "cp":
        return (max(found),)
    return _met(kernel.shape, found) if method == "tucker" else tuple(found)


def largest_rank(shape: tuple[int, ...], method: Method) -> int:
    """The rank beyond which no kernel of this shape has need of more; for Tucker of either side.

    >>> largest_rank((3, 3, 8, 128), "channel")
    72
    """
    check_method(shape, method)
    if method == "dense":
        return min(shape)
    height, width, inputs, outputs = shape
    return {
        "channel": min(height * width * inputs, outputs),
        "spatial": min(height * inputs, width * outputs),
        "tucker": max(inputs, outputs),
        "cp": math.prod(shape) // max(height * width, inputs, outputs),
    }[method]


def _fixed(rank: int) -> RankRule:
    if rank < 1:
        msg = f"a rank is at least 1, not {rank}"
        raise ValueError(msg)
    return RankRule(kind="fixed", amount=rank)


def _allowed(shape: tuple[int, ...], method: Method, rank: int) -> tuple[int, ...]:
    limit = largest_rank(shape, method)
    if not 1 <= rank <= limit:
        msg = f"Rank {rank} is not between 1 and {limit}, which a kernel {shape} allows {method!r}."
        raise ValueError(msg)
    return (min(rank, shape[2]), min(rank, shape[3])) if method == "tucker" else (rank,)


def _affordable(shape: tuple[int, ...], method: Method, share: float) -> tuple[int, ...]:
    budget = share * math.prod(shape) * (1 + ROUNDING)
    if method != "tucker":
        rank = int(budget // parameters(shape, method, (1,)))
        return (min(max(1, rank), largest_rank(shape, method)),)
    low, high = 1, max(shape[2:])
    while low < high:
        middle = (low + high + 1) // 2
        fits = parameters(shape, method, _proportional(shape, middle)) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return _proportional(shape, low)


def _proportional(shape: tuple[int, ...], larger: int) -> tuple[int, int]:
    channels = shape[2:]
    return _met(shape, [max(1, side * larger // max(channels)) for side in channels])


def _met(shape: tuple[int, ...], ranks: list[int]) -> tuple[int, int]:
    """Tucker's ranks without what the other side leaves no place for in the core."""
    area = shape[0] * shape[1]
    rank_in = min(ranks[0], area * ranks[1])
    return rank_in, min(ranks[1], area * rank_in)


def _variational_rank(matrix: Floats) -> int:
    values = singular_values(matrix)
    rank, squares = rank_of(values, max(matrix.shape)), np.square(values)
    is_most = squares[:rank].sum() >= NOISE_SHARE * squares.sum()
    return max(1, rank) if is_most else _energy_rank(values, FALLBACK_ENERGY)


def _energy_rank(values: Float64s, share: float) -> int:
    held = np.cumsum(np.square(values))
    return int(np.searchsorted(held, share * held[-1] * (1 - ROUNDING))) + 1
