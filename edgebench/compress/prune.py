"""The step `prune`: what a plan may say of it, whatever the format of the file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from edgebench.compress.linalg.masks import block_mask, global_masks, magnitude_mask, pattern_mask
from edgebench.compress.options import PICKING, TUNING, Common, Share, read_options
from edgebench.core import Step
from edgebench.errors import ConfigError

GROUPS: Final = re.compile(r"(\d+):(\d+)")
BLOCKS: Final = re.compile(r"block (\d+)x(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which weights live and die together: one of the two, or neither.

    Attributes:
        keep: Of each `group` consecutive inputs so many stay: `"2:4"` is two of four.
        block: Rows and columns of a block; rows are inputs, columns outputs.
    """

    keep: int | None = None
    group: int | None = None
    block: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.group is not None:
            return f"{self.keep}:{self.group}"
        return f"block {self.block[0]}x{self.block[1]}" if self.block else "none"


def _pattern(value: object) -> Pattern:
    text = value.strip() if isinstance(value, str) else ""
    if text == "none":
        return Pattern()
    if (found := GROUPS.fullmatch(text)) and 0 < int(found[1]) < int(found[2]):
        return Pattern(keep=int(found[1]), group=int(found[2]))
    if (found := BLOCKS.fullmatch(text)) and int(found[1]) and int(found[2]):
        return Pattern(block=(int(found[1]), int(found[2])))
    msg = "a pattern is 'none', '2:4' (two of four stay) or 'block 4x1' (inputs x outputs)"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """How weights are pruned.

    Attributes:
        share: Of the touched weights, so many are set to zero.
        scope: One ranking of the weights of all layers, one for each, or as much from each as its
            sensitivity allows.
        schedule: Whether the share grows while the model is tuned, or is there from the beginning.
    """

    share: Share
    scope: Literal["global", "layer", "sensitivity"] = "global"
    schedule: Literal["cubic", "constant"] = "cubic"
    pattern: Annotated[Pattern, BeforeValidator(_pattern)] = Pattern()


def read_prune(step: Step) -> tuple[Prune, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    own, common = read_options(step, Prune, value="share", common=TUNING | PICKING | {"keep"})
    return _sound(step, own), common


def check_prune(step: Step) -> None:
    """Raise ConfigError where value or options of a `prune` step are not its own."""
    read_prune(step)


def _sound(step: Step, own: Prune) -> Prune:
    pattern = own.pattern
    if own.share == 0:
        msg = f"{str(step)!r} sets no weight to zero."
        raise ConfigError(msg, hint="Leave the step out.")
    if pattern.group is not None and own.scope != "global":
        msg = f"{str(step)!r}: the pattern {pattern} leaves each layer just as many weights."
        raise ConfigError(msg, hint="Leave scope out: it decides nothing there.")
    if pattern.group is not None and pattern.keep is not None:
        share = 1 - pattern.keep / pattern.group
        if abs(share - own.share) > 1e-6:
            msg = f"{str(step)!r}: the pattern {pattern} sets {share:.0%} to zero."
            raise ConfigError(msg, hint=f"Write prune = '{100 * share:g} %'.")
    if pattern.block is not None and own.scope == "sensitivity":
        msg = f"{str(step)!r}: sensitivity is scanned weight by weight, not by blocks."
        raise ConfigError(msg, hint="Use scope = 'layer' with blocks.")
    return own


def masks_of(
    own: Prune, weights: Sequence[NDArray[np.float32]], share: float
) -> list[NDArray[np.bool_]]:
    """One mask a tensor, True where a weight stays, at `share` of the way to the plan's.

    A pattern takes as much from each layer. With `scope = "sensitivity"` the caller says how much
    of each layer, and asks layer by layer.
    """
    pattern = own.pattern
    if pattern.group is not None and pattern.keep is not None:
        return [pattern_mask(array, pattern.keep, pattern.group) for array in weights]
    if pattern.block is not None:
        return [block_mask(array, share, pattern.block) for array in weights]
    if own.scope == "global":
        return global_masks(weights, share)
    return [magnitude_mask(array, share) for array in weights]
