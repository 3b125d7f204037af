"""Rebuild a model with some of its layers replaced: the only place that knows Keras' graph.

A model is seen as calls: one layer that turns tensors into tensors, each in order. Layers are
called more than once where a user shares them.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgebench.compress.keras.model import is_functional
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras

# How a layer of the old model becomes one of the new; None to make the same anew.
Make = Callable[["keras.Layer"], "keras.Layer | None"]
# What the new layer is called with, and what comes of it.
Apply = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One use of a layer or of an operation.

    Attributes:
        inputs: Ids of the tensors that go in; `outputs` of those that come out.
        node: Keras' own record of it: the tensors themselves, and the other arguments.
    """

    layer: Any
    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A flat functional model as its calls, in an order in which they can be computed.

    Attributes:
        users: By the id of a tensor, the calls that read it.
        makers: By the id of a tensor, the call that makes it.
        ends: Ids of the model's outputs.
    """

    calls: tuple[Call, ...]
    users: Mapping[int, Sequence[Call]]
    makers: Mapping[int, Call]
    ends: frozenset[int]

    def calls_of(self, layer: "keras.Layer") -> list[Call]:
        """Every use of a layer: more than one where it is shared."""
        return [call for call in self.calls if call.layer is layer]

    def only_user(self, call: Call) -> Call | None:
        """The one call that reads what this one makes; None where an output of the model does."""
        users = [user for output in call.outputs for user in self.users.get(output, ())]
        is_end = bool(self.ends.intersection(call.outputs))
        return users[0] if len(users) == 1 and not is_end else None


def graph_of(model: "keras.Model") -> Graph:
    """The calls of a model that `flat` has made."""
    # The nodes of a model by depth: layers have other nodes too, of other models that share them.
    by_depth = model._nodes_by_depth
    calls = [
        Call(
            layer=node.operation,
            node=node,
            inputs=tuple(id(tensor) for tensor in node.input_tensors),
            outputs=tuple(id(tensor) for tensor in node.output_tensors),
        )
        for depth in sorted(by_depth, reverse=True)
        for node in by_depth[depth]
    ]
    users: dict[int, list[Call]] = defaultdict(list)
    for call in calls:
        for tensor in call.inputs:
            users[tensor].append(call)
    return Graph(
        calls=tuple(calls),
        users=users,
        makers={tensor: call for call in calls for tensor in call.outputs},
        ends=frozenset(id(tensor) for tensor in model.outputs),
    )


def flat(model: "keras.Model") -> "keras.Model":
    """The same layers in one functional model without models in it.

    Raises:
        CompressionError: The model is code and no graph: its layers cannot be replaced.
    """
    if not is_functional(model):
        msg = f"The model is a {type(model).__name__}, whose own code says how layers are called."
        hint = "Only steps that leave all layers in place can be done to it; or build it as Model."
        raise CompressionError(msg, hint=hint)
    if not any(_is_model(layer) for layer in model.layers) and not _is_sequential(model):
        return model
    names: set[str] = set()

    def keep(layer: "keras.Layer") -> "keras.Layer | None":
        # Two models in one may each have a layer "conv": the second is made anew, and renamed.
        if layer.name in names:
            return None
        names.add(layer.name)
        return layer

    return rebuild(model, make=keep)


def rebuild(model: "keras.Model", *, make: Make, apply: Apply | None = None) -> "keras.Model":
    """The model anew: new layers, with the weights of the old where their shapes agree.

    Args:
        model: Functional; models in it are dissolved.
        make: Asked once for each layer. None makes the same layer anew; what it returns otherwise
            keeps the weights that it has.
        apply: Called as `apply(old, new, *args, **kwargs)` for each call; None just calls `new`.
    """
    import keras

    works = Works(make, apply)
    whole = model._functional if _is_sequential(model) else model
    inputs = keras.tree.map_structure(_input_like, whole.input)
    outputs = whole._run_through_graph(inputs, operation_fn=works.renew, call_fn=works.call)
    fresh = keras.Model(inputs, outputs, name=model.name)
    for old, new in works.copied:
        copy_weights(old, new)
    return fresh


class Works:
    """What is made anew while a graph is walked, once for each layer however often it is called."""

    def __init__(self, make: Make, apply: Apply | None) -> None:
        self.make, self.apply = make, apply
        self.made: dict[int, Any] = {}
        self.old_of: dict[int, Any] = {}
        self.copied: list[tuple[Any, Any]] = []
        self.names: set[str] = set()

    def renew(self, layer: Any) -> Any:  # noqa: ANN401 - Keras' own
        """The new layer of an old one; a model in the model stays, for `call` to walk into."""
        import keras

        if _is_model(layer):
            return layer
        if id(layer) not in self.made:
            own = self.make(layer) if isinstance(layer, keras.Layer) else None
            own = self._alike(layer) if own is None else own
            self.names.add(own.name)
            self.made[id(layer)] = own
            self.old_of[id(own)] = layer
        return self.made[id(layer)]

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Keras' own
        """Call a new layer, or what is in a model."""
        if _is_model(layer):
            inner = layer._functional if _is_sequential(layer) else layer
            # Keras has no public way to walk a graph: clone_model does it so, but with new inputs.
            return inner._run_through_graph(args[0], operation_fn=self.renew, call_fn=self.call)
        if self.apply is None:
            return layer(*args, **kwargs)
        return self.apply(self.old_of[id(layer)], layer, *args, **kwargs)

    def _alike(self, layer: Any) -> Any:  # noqa: ANN401 - Keras' own
        config = layer.get_config()
        if config.get("name") in self.names:
            config["name"] = f"{config['name']}_{len(self.names)}"
        own = type(layer).from_config(config)
        self.copied.append((layer, own))
        return own


def copy_weights(old: Any, new: Any) -> None:  # noqa: ANN401 - Keras' own
    """Give a layer the weights and the frozenness of another, where it has the same."""
    if getattr(old, "weights", None):
        if [w.shape for w in old.weights] == [w.shape for w in new.weights]:
            new.set_weights(old.get_weights())
        new.trainable = old.trainable


def same_layer(layer: "keras.Layer", **changes: Any) -> "keras.Layer":  # noqa: ANN401 - Keras' own
    """A layer of the same configuration but for these, without weights yet."""
    fresh: keras.Layer = type(layer).from_config({**layer.get_config(), **changes})
    fresh.trainable = layer.trainable
    return fresh


def _input_like(tensor: "keras.KerasTensor") -> "keras.KerasTensor":
    import keras

    name = str(tensor.name).partition(":")[0]
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _is_model(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    import keras

    return isinstance(layer, keras.Model) and is_functional(layer)


def _is_sequential(layer: Any) -> bool:  # noqa: ANN401 - Keras' own
    import keras

    return isinstance(layer, keras.Sequential)
