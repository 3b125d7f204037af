"""The step `fold`: what a plan may say of it, whatever the format of the file."""

from dataclasses import dataclass
from typing import Literal

from edgebench.compress.options import read_options
from edgebench.core import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What is folded.

    Attributes:
        what: Batch normalizations into the weights before them, or all that is constant.
    """

    what: Literal["bn", "constants"]


def read_fold(step: Step) -> Fold:
    """Read the step; raises ConfigError where value or options are not its own."""
    own, _ = read_options(step, Fold, value="what", common=frozenset())
    return own


def check_fold(step: Step) -> None:
    """Raise ConfigError where value or options of a `fold` step are not its own."""
    read_fold(step)
