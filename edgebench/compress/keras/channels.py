"""The dependency graph of a Keras model's channels: which can go, and what goes with them.

After the idea of DepGraph (https://arxiv.org/abs/2301.12900), followed channel by channel and not
layer by layer: every channel has a number, a tensor is the row of numbers on its last axis, and
what adds two tensors ties their channels pairwise. A flattened map is a row said again for each
pixel, a concatenation one row behind another; there is nothing else to them.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.follow import Use, channels_out
from edgebench.compress.keras.slices import Cut
from edgebench.compress.keras.surgery import Call, Graph, graph_of
from edgebench.compress.keras.ties import FREE, Channels, Ties

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A layer that makes channels of a group.

    Attributes:
        places: Which of its channels each unit takes with it, `(units, channels)`.
    """

    layer: "keras.Layer"
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Units of channels, alike in what makes them and free to go one by one.

    Attributes:
        units: The number of each, `(units,)`.
        members: Every layer that makes some of the channels.
    """

    units: Channels
    members: tuple[Member, ...]

    def multiple(self, width: int) -> int:
        """Of how many units a multiple must stay, for every member's to be one of `width`."""
        return math.lcm(*(width // math.gcd(width, m.places.shape[1]) for m in self.members))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """All channels of a flat model.

    Attributes:
        groups: Of channels that are free to go.
        frozen: Layers that make channels which are not, by name; each with what holds them.
        names: Of all layers that make channels.
        reads: By the id of a layer the channels that go into it; `makes` those that come out.
        units: The unit of each channel.
    """

    graph: Graph
    groups: tuple[Group, ...]
    frozen: Mapping[str, str]
    names: tuple[str, ...]
    reads: Mapping[int, Channels]
    makes: Mapping[int, Channels]
    units: Channels

    def cuts(self, gone: Channels) -> dict[int, Cut]:
        """What becomes of each layer, by its id, when these units go: those alone that change."""
        stays = ~np.isin(self.units, gone)
        found: dict[int, Cut] = {}
        for call in self.graph.calls:
            key = id(call.layer)
            if key not in self.reads:
                continue
            reads, makes = self.reads[key], self.makes[key]
            cut = Cut(layer=call.layer, reads=stays[reads], makes=stays[makes])
            if not cut.is_whole:
                found[key] = cut
        return found


def plan_of(model: "keras.Model") -> Plan:
    """Follow the channels of a model that `flat` has made."""
    import keras

    graph, ties = graph_of(model), Ties()
    uses = Counter(id(call.layer) for call in graph.calls)
    tensors: dict[int, Channels] = {}
    reads: dict[int, Channels] = {}
    makes: dict[int, Channels] = {}
    for call in graph.calls:
        inputs = tuple(tensors[tensor] for tensor in call.inputs)
        outputs = _follow(call, inputs, ties, is_shared=uses[id(call.layer)] > 1)
        tensors.update(zip(call.outputs, outputs, strict=True))
        if isinstance(call.layer, keras.Layer) and inputs and len(outputs) == 1:
            reads[id(call.layer)], makes[id(call.layer)] = inputs[0], outputs[0]
    for tensor, channels in tensors.items():
        if tensor in graph.ends:
            maker = graph.makers[tensor].layer
            ties.end(channels, f"{maker.name!r} makes an output of the model")
    units = ties.units()
    which, reasons = ties.held(units)
    frozen = {
        name_of(layer): reasons[min(held)]
        for layer, channels in ties.made()
        if (held := set(which[channels].tolist()) - {FREE})
    }
    return Plan(
        graph=graph,
        groups=_groups(ties, units, which),
        frozen=frozen,
        names=tuple(name_of(layer) for layer, _ in ties.made()),
        reads=reads,
        makes=makes,
        units=units,
    )


def name_of(layer: "keras.Layer") -> str:
    """How a plan speaks of a layer: as other steps name its kernel."""
    return str(layer.path or layer.name)


def _follow(
    call: Call, inputs: tuple[Channels, ...], ties: Ties, *, is_shared: bool
) -> list[Channels]:
    """The channels of each tensor that a call makes."""
    shapes = [tuple(tensor.shape) for tensor in call.node.output_tensors]
    if not inputs:
        made = [ties.number(_width(shape)) for shape in shapes]
        for channels in made:
            ties.hold(channels, f"{call.layer.name!r} is an input of the model")
        return made
    use = Use(
        layer=call.layer,
        inputs=inputs,
        shapes=tuple(tuple(tensor.shape) for tensor in call.node.input_tensors),
        shape=shapes[0] if len(shapes) == 1 else None,
        constants=_constants(call),
        is_shared=is_shared,
    )
    found = channels_out(use, ties)
    if not isinstance(found, str):
        return [found]
    maker = call.layer if getattr(call.layer, "weights", None) else None
    made = [ties.number(_width(shape), maker) for shape in shapes]
    for channels in (*inputs, *made):
        ties.hold(channels, found)
    return made


def _width(shape: tuple[int | None, ...]) -> int:
    """The length of the last axis; a free one, and no axis at all, counts as one channel."""
    return (shape[-1] if shape else None) or 1


def _constants(call: Call) -> tuple[Any, ...]:
    """What a call is given beside tensors of the model."""
    import keras

    arguments = call.node.arguments
    given = keras.tree.flatten((arguments.args, arguments.kwargs))
    return tuple(value for value in given if not isinstance(value, keras.KerasTensor))


def _groups(ties: Ties, units: Channels, which: NDArray[np.int64]) -> tuple[Group, ...]:
    """The free units, sorted by who makes their channels: alike are those that the same layers do.

    Of two layers that are concatenated and added to a third, each has a group with it. So the width
    of a layer is a sum of widths of groups, and a multiple where they are.
    """
    makers: list[keras.Layer] = []
    maker_of = np.full(len(units), FREE)
    place_of = np.zeros(len(units), np.int64)
    for layer, channels in ties.made():
        maker_of[channels] = len(makers)
        place_of[channels] = np.arange(channels.size)
        makers.append(layer)
    channels_of: dict[int, list[int]] = defaultdict(list)
    for channel in np.flatnonzero(which == FREE).tolist():
        channels_of[int(units[channel])].append(channel)
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for unit, own in channels_of.items():
        alike[tuple(maker_of[own].tolist())].append(unit)
    groups = []
    for signature, members in alike.items():
        # Of each unit, in each row, the place of each of its channels in the layer that makes it.
        places = np.array([place_of[channels_of[unit]] for unit in members])
        index = np.array(signature)
        groups.append(
            Group(
                units=np.array(members),
                members=tuple(
                    Member(layer=makers[maker], places=places[:, index == maker])
                    for maker in dict.fromkeys(signature)
                ),
            )
        )
    return tuple(groups)
