"""Samples by input name, and how they are made to fit a model's inputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.core import TensorSpec
from edgebench.errors import ConfigError

Arrays = Mapping[str, NDArray[Any]]
"""Samples by input name, first axis the sample; `""` is the input of a one-input model."""


def inputs_for(x: Arrays, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[Any]]:
    """Name the samples after the model's inputs and give them its element types.

    Floats for a quantized input stay floats: the runner takes them through the input's scale.

    Raises:
        ConfigError: Names, shapes or element types do not fit the model.
    """
    named = {specs[0].name: x[""]} if set(x) == {""} and len(specs) == 1 else dict(x)
    wanted = {spec.name for spec in specs}
    if wanted != set(named):
        have = ", ".join(repr(key) for key in sorted(named))
        msg = f"The data has the inputs {have}, the model wants {sorted(wanted)}."
        raise ConfigError(msg, hint="Name the arrays 'x_train/<input name>', one for each input.")
    return {spec.name: _fit(named[spec.name], spec) for spec in specs}


def _fit(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """The samples as the input takes them: with the batch axis or one axis less."""
    if spec.shape is not None:
        sample = array.shape[1:]
        full = sample if len(sample) == len(spec.shape) else (1, *sample)
        matches = len(full) == len(spec.shape) and all(
            want in (None, have) for have, want in zip(full, spec.shape, strict=True)
        )
        if not matches:
            msg = f"A sample has the shape {sample}, the input {spec.name!r} takes {spec.shape}."
            raise ConfigError(msg, hint="The first axis of an array of data is the sample.")
    if spec.dtype == "string" or (spec.quantization is not None and array.dtype.kind == "f"):
        return array
    wanted = np.dtype(spec.dtype)
    if array.dtype.kind == wanted.kind or np.can_cast(array.dtype, wanted, "same_kind"):
        cast = array.astype(wanted)
        if wanted.kind == "f" or np.array_equal(cast, array):
            return cast
    msg = f"The data is {array.dtype}, the input {spec.name!r} takes {spec.dtype}."
    raise ConfigError(msg, hint="Convert the array in the data source: only you know the scale.")
