"""Channels by number: which of them stand and fall together, and which must stay."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

# The channels of a tensor's last axis, in order: `(channels,)`, a number each.
Channels = NDArray[np.int64]

FREE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Channels that one layer makes; `maker` is None where nobody could make fewer of them."""

    maker: "keras.Layer | None"
    channels: Channels


@dataclass(slots=True, eq=False)
class Ties:
    """Grows as a model is followed from its inputs to its outputs.

    Attributes:
        blocks: In the order in which they were numbered.
    """

    blocks: list[Block] = field(default_factory=list)
    _count: int = 0
    _pairs: list[tuple[Channels, Channels]] = field(default_factory=list)
    _held: list[tuple[Channels, str]] = field(default_factory=list)

    def number(self, count: int, maker: "keras.Layer | None" = None) -> Channels:
        """New channels, each with a number of its own."""
        channels = np.arange(self._count, self._count + count)
        self._count += count
        self.blocks.append(Block(maker=maker, channels=channels))
        return channels

    def tie(self, one: Channels, other: Channels) -> None:
        """Say of two rows of channels that they go in pairs, or not at all."""
        self._pairs.append((one.ravel(), other.ravel()))

    def hold(self, channels: Channels, why: str) -> None:
        """Say of channels that they stay, and all that is tied to them."""
        self._held.append((channels, why))

    def end(self, channels: Channels, why: str) -> None:
        """Hold channels that the model gives out: the reason that is told before any other."""
        self._held.insert(0, (channels, why))

    def units(self) -> Channels:
        """Of each channel the lowest number among those that it is tied to, however far around."""
        labels = np.arange(self._count)
        if not self._pairs:
            return labels
        ones = np.concatenate([one for one, _ in self._pairs])
        others = np.concatenate([other for _, other in self._pairs])
        while True:
            lowest = np.minimum(labels[ones], labels[others])
            before = labels.copy()
            # Not only the two learn of the lower number, but those as well that they speak for.
            for side in (ones, others):
                np.minimum.at(labels, before[side], lowest)
                np.minimum.at(labels, side, lowest)
            labels = labels[labels]
            if (labels == before).all():
                return labels

    def held(self, units: Channels) -> tuple[NDArray[np.int64], list[str]]:
        """Of each channel which reason holds its unit, FREE where none does; the reasons."""
        first = np.full(self._count, len(self._held))
        for index, (channels, _) in enumerate(self._held):
            np.minimum.at(first, units[channels], index)
        which = first[units]
        which[which == len(self._held)] = FREE
        return which, [why for _, why in self._held]

    def made(self) -> Iterator[tuple["keras.Layer", Channels]]:
        """The layers that make channels, and these."""
        for block in self.blocks:
            if block.maker is not None:
                yield block.maker, block.channels
