"""The step `filters`: what a plan may say of it, and how many channels of a group stay."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.options import PICKING, TUNING, Common, Share, Whole, read_options
from edgebench.core import Step
from edgebench.errors import ConfigError

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]

# What `scope = "global"` leaves of every group: a layer without filters would cut the model in two.
LEAST_SHARE: Final = 1 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which channels of a model go.

    Attributes:
        share: Of the channels that are free to go, so many do.
        scope: The same share of every group, or the least of all groups together.
        score: What a channel is kept for: the size of all weights that go with it, of those that
            make it, its scale in the batch normalization that follows, what the loss would rise by,
            or how much it says.
        round: Widths become a multiple of this, for kernels work on so many channels at a time.
    """

    share: Share
    scope: Literal["layer", "global"] = "layer"
    score: Literal["group", "l1", "bn", "taylor", "activation"] = "group"
    round: Whole = 8


def read_filters(step: Step) -> tuple[Filters, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    own, common = read_options(step, Filters, value="share", common=TUNING | PICKING)
    if own.share == 0:
        msg = f"{str(step)!r} takes no channel away."
        raise ConfigError(msg, hint="Leave the step out.")
    if own.round < 1:
        msg = f"{step.name!r} has no round = {own.round}: widths are multiples of it."
        raise ConfigError(msg, hint="8 suits most kernels; 1 does not round.")
    return own, common


def check_filters(step: Step) -> None:
    """Raise ConfigError where value or options of a `filters` step are not its own."""
    read_filters(step)


def rounded_width(wanted: float, width: int, multiple: int) -> int:
    """The multiple nearest to what is wanted: at least one of it, at most the width there is.

    A width that is no multiple stays what it is where all of it is wanted.

    >>> [rounded_width(wanted, 20, 8) for wanted in (1.0, 11.0, 12.0, 19.0, 20.0)]
    [8, 8, 16, 16, 20]
    >>> rounded_width(2.5, 5, 8)
    5
    """
    if wanted >= width:
        return width
    nearest = math.floor(wanted / multiple + 0.5) * multiple
    return min(width, max(multiple, nearest))


def kept_by_layer(scores: Sequence[Scores], multiples: Sequence[int], share: float) -> list[Mask]:
    """Of every group take the same share, the lowest scores first.

    Args:
        scores: One array a group, one score a unit.
        multiples: What each group's number of units is rounded to.
        share: Of the units of every group, so many go.

    Returns:
        One mask a group, True where the unit stays. Of equal scores the first stays.

    >>> kept_by_layer([np.array([1.0, 9.0, 3.0, 2.0])], [1], 0.5)[0]
    array([False,  True,  True, False])
    """
    return [
        _best(own, rounded_width(own.size * (1 - share), own.size, multiple))
        for own, multiple in zip(scores, multiples, strict=True)
    ]


def kept_globally(scores: Sequence[Scores], multiples: Sequence[int], share: float) -> list[Mask]:
    """Of all groups together take the share, the lowest of all scores first.

    Scores must be comparable over groups: divided by their group's mean. The best units of every
    group, an eighth of it and at least one multiple, are not in the contest. Rounding to multiples
    comes after it.

    >>> kept_globally([np.array([5.0, 1.0]), np.array([2.0, 2.0])], [1, 1], 0.25)
    [array([ True, False]), array([ True,  True])]
    """
    if not scores:
        return []
    safe = [
        _best(own, min(own.size, max(multiple, math.ceil(own.size * LEAST_SHARE))))
        for own, multiple in zip(scores, multiples, strict=True)
    ]
    contest = np.concatenate(
        [np.where(best, np.inf, own) for own, best in zip(scores, safe, strict=True)]
    )
    count = min(round(share * contest.size), int(np.isfinite(contest).sum()))
    # Of equal scores the last goes first, as within a group.
    order = np.argsort(-contest, kind="stable")
    stays = np.ones(contest.size, np.bool_)
    stays[order[contest.size - count :]] = False
    ends = np.cumsum([own.size for own in scores])[:-1]
    return [
        _best(own, rounded_width(int(part.sum()), own.size, multiple))
        for own, part, multiple in zip(scores, np.split(stays, ends), multiples, strict=True)
    ]


def _best(scores: Scores, count: int) -> Mask:
    mask = np.zeros(scores.size, np.bool_)
    mask[np.argsort(-scores, kind="stable")[:count]] = True
    return mask
