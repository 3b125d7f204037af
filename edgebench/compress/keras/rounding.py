"""Put the rounding of an integer graph into a plain float model.

Weights are rounded, inputs, and what each operation puts out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edgebench.compress.keras.fake_quant import Ends, Granularity, layers
from edgebench.compress.keras.fold import kind_of
from edgebench.compress.keras.integer import ACTIVATIONS, CLAMPED, FIXED, Role, is_affine, role_of
from edgebench.compress.keras.surgery import Call, Graph, copy_weights, graph_of, rebuild

if TYPE_CHECKING:
    import keras

# A factor a channel maps steps to steps. Of images from 0 to 1 that become -1 to 1 every pixel lies
# midway between two of them, and kernels do not agree on which one to take. The biases of such a
# layer are off by some hundredths of a step at most, so that a hundredth of the range will do.
MARGIN: Final = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounding:
    """What is rounded, and how.

    Attributes:
        chosen: Names of the layers that compute on integers; the others stay float.
        granularity: Of a layer's weights.
        ends: What the `FakeQuant` layers of the inputs carry to the export.
    """

    chosen: AbstractSet[str]
    granularity: Callable[["keras.Layer"], Granularity]
    ends: Ends


def unknown(model: "keras.Model", chosen: AbstractSet[str]) -> dict[str, str]:
    """The chosen layers of a plain model that integer kernels do not know, name to kind."""
    return {
        call.layer.name: _described(call.layer)
        for call in graph_of(model).calls
        if call.layer.name in chosen and not _is_input(call.layer) and role_of(call) is None
    }


def named(model: "keras.Model") -> list[str]:
    """The names of a model's layers, in the order in which they are called."""
    calls = graph_of(model).calls
    return list(dict.fromkeys(call.layer.name for call in calls if not _is_input(call.layer)))


def rounded(model: "keras.Model", rounding: Rounding) -> "keras.Model":
    """The model with `FakeQuant` layers whose ranges are still to be found.

    Args:
        model: As `plain.plain` makes it.
        rounding: Which of its layers compute on integers: `unknown` knows them all.
    """
    graph = graph_of(model)
    roles = {
        id(call): role
        for call in graph.calls
        if call.layer.name in rounding.chosen and (role := role_of(call)) is not None
    }
    state = _State(graph=graph, roles=roles, rounding=rounding)
    fresh = rebuild(model, make=state.make, apply=state.apply)
    for old, new in state.kernels:
        copy_weights(old, new)
    return fresh


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """What is known while the new model grows.

    Attributes:
        kernels: Layers of the old model, and those with rounded weights that take their place.
        turns: By the id of an old layer, its calls that are still to come: in the order of the
            graph, in which the model is rebuilt as well.
        pasts: By the id of a new tensor: the `FakeQuant` whose range it has.
        rounded: By the id of a new tensor that is float: the tensor that is its rounded self.
        clamped: Ids of new tensors that only a clamp reads.
        tensors: All of those, so that no id is given twice.
    """

    graph: Graph
    roles: Mapping[int, Role]
    rounding: Rounding
    kernels: list[tuple[Any, Any]] = field(default_factory=list)
    turns: dict[int, Iterator[Call]] = field(default_factory=dict)
    pasts: dict[int, Any] = field(default_factory=dict)
    rounded: dict[int, Any] = field(default_factory=dict)
    clamped: set[int] = field(default_factory=set)
    tensors: list[Any] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)

    def make(self, layer: "keras.Layer") -> "keras.Layer | None":
        """The layer with rounded weights, or under another name where a FakeQuant takes its own."""
        calls = self.graph.calls_of(layer)
        roles = [self.roles.get(id(call)) for call in calls]
        is_end = any(self._puts_out(call) and self._is_rounded(call) for call in calls)
        kind, changes = type(layer), {"name": _core_name(layer) if is_end else layer.name}
        if roles and all(role is Role.KERNEL for role in roles):
            kind = layers().kernels[kind_of(layer)]
            changes["granularity"] = self.rounding.granularity(layer)
        elif not is_end:
            return None
        new = kind.from_config({**layer.get_config(), **changes})
        self.kernels.append((layer, new))
        return new

    def apply(self, old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Keras' own
        """Call the new layer on rounded tensors, and round what it puts out."""
        import keras

        turns = self.turns.setdefault(id(old), iter(self.graph.calls_of(old)))
        call = next(turns)
        role = self.roles.get(id(call))
        if role is not None:
            args = keras.tree.map_structure(self._input, args)
        answer = new(*args, **kwargs)
        if role is None:
            return answer
        return self._output(call, role, new, args, answer)

    def _input(self, tensor: Any) -> Any:  # noqa: ANN401 - Keras' own
        """The tensor rounded, unless it is already, or a clamp is about to read it."""
        import keras

        is_real = isinstance(tensor, keras.KerasTensor) and str(tensor.dtype).startswith("float")
        if not is_real or id(tensor) in self.pasts or id(tensor) in self.clamped:
            return tensor
        if id(tensor) not in self.rounded:
            maker = tensor._keras_history.operation
            ends = asdict(self.rounding.ends) if _is_input(maker) else None
            self.tensors.append(tensor)
            self.rounded[id(tensor)] = self._round(tensor, maker.name, ends=ends)
        return self.rounded[id(tensor)]

    def _output(self, call: Call, role: Role, new: Any, args: Any, answer: Any) -> Any:  # noqa: ANN401
        import keras

        self.tensors.append(answer)
        if self._is_clamped(call):
            self.clamped.add(id(answer))
        elif self._is_rounded(call):
            if self._puts_out(call) and not isinstance(call.layer, keras.Layer):
                new.name = _core_name(new)
            return self._round(
                answer,
                call.layer.name,
                name=call.layer.name if self._puts_out(call) else None,
                fixed=FIXED.get(role),
                margin=MARGIN if is_affine(call.layer) else 0.0,
            )
        elif role is Role.AVERAGE and not self._puts_out(call):
            past = self.pasts[id(keras.tree.flatten(args)[0])]
            answer = past(answer)
            self.tensors.append(answer)
            self.pasts[id(answer)] = past
        else:
            # What only moves values keeps their range; a prescribed one needs none at the end.
            self.pasts[id(answer)] = self.pasts.get(id(keras.tree.flatten(args)[0]))
        return answer

    def _round(self, tensor: Any, of: str, *, name: str | None = None, **config: Any) -> Any:  # noqa: ANN401 - Keras' own
        if name is None:
            self.names[of] += 1
            count = self.names[of]
            name = f"{of}_range" if count == 1 else f"{of}_range_{count}"
        past = layers().range(name=name, **config)
        answer = past(tensor)
        self.tensors.append(answer)
        self.pasts[id(answer)] = past
        return answer

    def _is_rounded(self, call: Call) -> bool:
        """Whether what the call puts out gets a range of its own."""
        role = self.roles.get(id(call))
        if role in (None, Role.PASS, Role.AVERAGE):
            return False
        # The kernel prescribes the scale: rounding would only keep a loss from the logarithm of 0.
        if role in FIXED and self._puts_out(call):
            return False
        return not self._is_clamped(call)

    def _is_clamped(self, call: Call) -> bool:
        """Whether a clamp alone reads it, and becomes a part of it."""
        role = self.roles.get(id(call))
        if role is not Role.KERNEL and kind_of(call.layer) not in CLAMPED:
            return False
        user = self.graph.only_user(call)
        return role is not None and user is not None and self.roles.get(id(user)) is Role.CLAMP

    def _puts_out(self, call: Call) -> bool:
        return not self.graph.ends.isdisjoint(call.outputs)


def _described(layer: Any) -> str:  # noqa: ANN401 - a layer or an operation
    kind = type(layer).__name__
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return kind if activation in ACTIVATIONS else f"{kind} with {activation}"


def _core_name(layer: Any) -> str:  # noqa: ANN401 - a layer or an operation
    """What it is called where a FakeQuant takes its name, which is that of the model's output."""
    return f"{layer.name}_core"


def _is_input(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    return kind_of(layer) == "InputLayer"
