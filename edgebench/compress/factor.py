"""The steps `lowrank`, `tucker` and `cp`: what a plan may say of them, in whatever format."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

from edgebench.compress.linalg.ranks import RankRule, parse_rank
from edgebench.compress.linalg.unfold import Method
from edgebench.compress.options import PICKING, TUNING, Common, read_options
from edgebench.core import Step

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
