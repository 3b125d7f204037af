"""The steps `lowrank`, `tucker` and `cp`: what a plan may say of them, in whatever format."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, JsonValue

from edgebench.compress.linalg.factor import Factors, factorize
from edgebench.compress.linalg.ranks import RankRule, parse_rank
from edgebench.compress.linalg.unfold import Method
from edgebench.compress.options import PICKING, TUNING, Common, read_options
from edgebench.core import Step
from edgebench.errors import CompressionError

Rank = Annotated[RankRule, BeforeValidator(parse_rank)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What `tucker` and `cp` take."""

    rank: Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """What `lowrank` takes.

    Attributes:
        kind: The two convolutions that it makes of one: one of the same area and a pointwise one,
            or a column and a row.
    """

    rank: Rank
    kind: Literal["channel", "spatial"] = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """How kernels are replaced by factors.

    Attributes:
        rank: How the rank of each layer is found.
        method: Of a convolution.
    """

    rank: RankRule
    method: Method


def read_factor(step: Step) -> tuple[Factor, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    if step.name == "lowrank":
        own, common = read_options(step, LowRank, value="rank", common=TUNING | PICKING)
        return Factor(rank=own.rank, method=own.kind), common
    tensor, common = read_options(step, Tensor, value="rank", common=TUNING | PICKING)
    return Factor(rank=tensor.rank, method="tucker" if step.name == "tucker" else "cp"), common


def check_factor(step: Step) -> None:
    """Raise ConfigError where value or options are not those of the step."""
    read_factor(step)


def method_of(own: Factor, *, is_dense: bool) -> Method | None:
    """The decomposition of a dense layer or a convolution; None where there is none.

    >>> method_of(Factor(rank=RankRule(kind="evbmf"), method="spatial"), is_dense=True)
    'dense'
    """
    if not is_dense:
        return own.method
    return "dense" if own.method in {"channel", "spatial"} else None


def factors_of(name: str, kernel: NDArray[np.float32], own: Factor, seed: int) -> Factors | str:
    """The factors of a layer's kernel, `(in, out)` or `(..., in, out)`, or why it is left alone.

    Raises:
        CompressionError: The rank is larger than the layer, or it holds NaN.
    """
    method = method_of(own, is_dense=kernel.ndim == 2)
    if method is None:
        return "it is no convolution"
    try:
        factors = factorize(kernel, method, own.rank, seed=seed)
    except ValueError as error:
        msg = f"{name!r} cannot be factorized: {error}"
        raise CompressionError(msg, hint="Leave it out with skip = [...].") from error
    return "it would not become smaller" if factors is None else factors


def told_of(factors: Factors, weights: int) -> dict[str, JsonValue]:
    """What the ledger says of a layer that had so many weights."""
    smaller = sum(array.size for array in factors.arrays)
    return {
        "ranks": list(factors.ranks),
        "weights": [weights, smaller],
        "error": round(factors.error, 6),
    }
