"""Low rank, Tucker and CP on Keras: a layer becomes a chain of smaller ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.factor import Factor, factors_of, method_of, read_factor, told_of
from edgebench.compress.keras.bench import Bench, Change, carry, check_changed, traits_of
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.model import leaves
from edgebench.compress.keras.surgery import flat, rebuild
from edgebench.compress.linalg.factor import Factors
from edgebench.compress.quantize import pick
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras
    from pydantic import JsonValue

SERIES_RANK: Final = 3
# What each factor is to the image: a convolution as the layer was, along one axis, at each point.
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "dense": ("dense", "dense"),
    "channel": ("whole", "point"),
    "spatial": ("rows", "columns"),
    "tucker": ("point", "whole", "point"),
    "cp": ("point", "depthwise", "point"),
}
# The axes along which a factor neither strides nor spreads: another one does.
STILL: Final[Mapping[str, tuple[int, ...]]] = {"point": (0, 1), "rows": (1,), "columns": (0,)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """What stands in a layer's place, and the kernels of each."""

    layers: Sequence["keras.Layer"]
    kernels: Sequence[NDArray[np.float32]]
    bias: NDArray[np.float32] | None


def factor_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Factorize the kernels of dense layers and convolutions.

    Raises:
        NoEffect: No layer would become smaller.
        CompressionError: A rank is larger than its layer, or a layer holds NaN.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_factor(bench.step)
    model = flat(bench.model)
    before = weight_count(model)
    chains: dict[str, Chain] = {}
    told: dict[str, JsonValue] = {}
    left: dict[str, JsonValue] = {}
    for layer in _chosen(model, own, bench):
        bench.progress(f"factorizing {layer.name}")
        factors = _hindrance(layer, own) or _factorize(layer, own, bench)
        if isinstance(factors, str):
            left[layer.name] = factors
            continue
        chains[layer.name] = _chain(layer, factors)
        told[layer.name] = told_of(factors, int(np.prod(layer.kernel.shape)))
    check_changed(len(chains), bench)
    fresh = _rebuilt(model, chains)
    # What the arithmetic says, whatever was built.
    saved = sum(
        int(np.prod(layer.kernel.shape)) - sum(array.size for array in chains[layer.name].kernels)
        for layer in leaves(model)
        if layer.name in chains
    )
    after = weight_count(fresh)
    if after != before - saved:
        msg = f"The model has {after} weights, {before - saved} were to be left."
        raise CompressionError(msg, hint="Report this with the model: it should not be.")
    return Change(
        model=fresh,
        changed={"layers": told, "left": left, "weights": [before, after]},
        promises=lambda: Promises(weights=after),
    )


def _chosen(model: "keras.Model", own: Factor, bench: Bench) -> list["keras.Layer"]:
    """The layers that the step can be done to, and the plan means."""
    import keras

    convolutions = (keras.layers.Conv1D, keras.layers.Conv2D)
    kinds: tuple[Any, ...] = convolutions
    if method_of(own, is_dense=True) is not None:
        kinds = (keras.layers.Dense, *convolutions)
    found = [
        layer
        for layer in leaves(model)
        if type(layer) in kinds and layer.trainable and getattr(layer, "groups", 1) == 1
    ]
    chosen = pick(
        [layer.name for layer in found],
        only=bench.common.only,
        skip=bench.common.skip,
        step=str(bench.step),
    )
    return [layer for layer in found if layer.name in chosen]


def _hindrance(layer: "keras.Layer", own: Factor) -> str | None:
    """Why the chain of a layer cannot be built."""
    config = layer.get_config()
    strides = config.get("strides", (1,))
    if config.get("data_format") == "channels_first":
        return "its channels come first"
    if config.get("padding") == "causal":
        return "its padding is causal"
    if method_of(own, is_dense=False) == "cp" and len(set(np.ravel(strides))) > 1:
        return "TensorFlow strides a depthwise convolution alike in both directions"
    return None


def _factorize(layer: "keras.Layer", own: Factor, bench: Bench) -> Factors | str:
    kernel = np.asarray(layer.kernel.numpy(), np.float32)
    if kernel.ndim == SERIES_RANK:
        kernel = kernel[:, np.newaxis]
    return factors_of(layer.name, kernel, own, bench.common.seed or 0)


def _chain(layer: "keras.Layer", factors: Factors) -> Chain:
    """One layer for each factor; the last has the bias and the activation."""
    is_series = len(layer.kernel.shape) == SERIES_RANK
    arrays = [a[:, 0] if is_series and a.ndim == 4 else a for a in factors.arrays]
    roles = ROLES[factors.method]
    made = []
    for number, (role, array) in enumerate(zip(roles, arrays, strict=True)):
        ends: dict[str, Any] = {"name": f"{layer.name}_{number}", "use_bias": False}
        if number == len(arrays) - 1:
            ends |= {"use_bias": layer.use_bias, "activation": layer.activation}
        made.append(_link(layer, role, array, ends))
    bias = np.asarray(layer.bias.numpy()) if layer.use_bias else None
    return Chain(layers=made, kernels=arrays, bias=bias)


def _link(
    layer: "keras.Layer", role: str, array: NDArray[np.float32], ends: dict[str, Any]
) -> "keras.Layer":
    import keras

    if role == "dense":
        return keras.layers.Dense(array.shape[1], **ends)
    config = layer.get_config()
    options = {name: config[name] for name in ("strides", "padding", "dilation_rate")}
    if role in STILL:
        for name in ("strides", "dilation_rate"):
            whole = tuple(np.broadcast_to(config[name], array.ndim - 2))
            options[name] = tuple(
                1 if axis in STILL[role] else int(step) for axis, step in enumerate(whole)
            )
    if role == "depthwise":
        is_series = array.ndim == SERIES_RANK
        kind = keras.layers.DepthwiseConv1D if is_series else keras.layers.DepthwiseConv2D
        return kind(array.shape[:-2], **options, **ends)
    return type(layer)(array.shape[-1], array.shape[:-2], **options, **ends)


def _rebuilt(model: "keras.Model", chains: dict[str, Chain]) -> "keras.Model":
    def apply(old: Any, new: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Keras' own
        chain = chains.get(getattr(old, "name", ""))
        if chain is None:
            return new(*args, **kwargs)
        x = args[0]
        for link in chain.layers:
            x = link(x)
        return x

    fresh = rebuild(model, make=lambda _: None, apply=apply)
    for chain in chains.values():
        for number, (link, kernel) in enumerate(zip(chain.layers, chain.kernels, strict=True)):
            is_last = number == len(chain.layers) - 1
            link.set_weights(
                [kernel, chain.bias] if is_last and chain.bias is not None else [kernel]
            )
    return fresh


def _way(step: str) -> Way:
    return Way(
        name=f"{step} keras",
        source=Format.KERAS,
        target=Format.KERAS,
        function=factor_keras,
        tools=("tensorflow", "keras", "numpy"),
        traits=traits_of,
    )


WAYS: Final = {step: _way(step) for step in ("lowrank", "tucker", "cp")}
