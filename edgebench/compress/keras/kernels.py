"""The weights that a step may touch: which there are, and which of them the plan means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.model import leaves
from edgebench.compress.options import Common
from edgebench.compress.quantize import pick

if TYPE_CHECKING:
    import keras

WEIGHTS: Final = frozenset({"kernel", "recurrent_kernel", "embeddings", "pointwise_kernel"})
DEPTHWISE: Final = frozenset({"depthwise_kernel"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """One variable that multiplies what goes in, `(..., in, out)`.

    Attributes:
        name: Path of its layer, and the variable's own name where the layer has several.
    """

    name: str
    layer: "keras.Layer"
    variable: Any

    @property
    def values(self) -> NDArray[np.float32]:
        """Its weights as they are."""
        return np.asarray(self.variable.numpy(), np.float32)


def kernels(model: "keras.Model", common: Common, *, step: str) -> list[Kernel]:
    """The kernels that a step of this wording touches, each once however often it is used.

    Frozen layers are left alone. So are depthwise convolutions, which have few weights and are hurt
    most, unless `only` names them.

    Raises:
        CompressionError: A regular expression of the plan matches no layer.
    """
    found = list(_all(model))
    chosen = pick([kernel.name for kernel in found], only=common.only, skip=common.skip, step=step)
    return [
        kernel
        for kernel in found
        if kernel.name in chosen
        and kernel.layer.trainable
        and (common.only or not _is_depthwise(kernel))
    ]


def weight_count(model: "keras.Model") -> int:
    """How many weights of rank 2 and more the model stores, shared ones counted once.

    The bias of a GRU has two rows, which exporters store apart: no bias is counted.
    """
    unique = {id(variable): variable for variable in model.weights}
    return sum(int(np.prod(v.shape)) for v in unique.values() if _is_weight(v))


def zero_count(model: "keras.Model") -> int:
    """How many of those are exactly zero."""
    unique = {id(variable): variable for variable in model.weights}
    return sum(int((v.numpy() == 0).sum()) for v in unique.values() if _is_weight(v))


def _is_weight(variable: Any) -> bool:  # noqa: ANN401 - Keras' own
    is_float = str(variable.dtype).startswith("float")
    return len(variable.shape) >= 2 and is_float and variable.name != "bias"


def _all(model: "keras.Model") -> Iterator[Kernel]:
    seen: set[int] = set()
    for layer in leaves(model):
        own = [v for v in layer.weights if v.name in WEIGHTS | DEPTHWISE and len(v.shape) >= 2]
        for variable in own:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            path, _, last = variable.path.rpartition("/")
            name = path or layer.name
            if len(own) > 1:
                name = f"{name}/{last}"
            yield Kernel(name=name, layer=layer, variable=variable)


def _is_depthwise(kernel: Kernel) -> bool:
    # DepthwiseConv2D calls its variable `kernel`, as a plain convolution does.
    name = type(kernel.layer).__name__
    return kernel.variable.name in DEPTHWISE or name.startswith("Depthwise")
