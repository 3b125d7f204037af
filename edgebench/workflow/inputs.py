"""The own inputs of `bench`: a file of arrays, and what each input of a model takes of it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Artifact
from edgebench.errors import ConfigError


def read_inputs(path: Path) -> dict[str, NDArray[np.generic]]:
    """The user's arrays by input name."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError as error:
        msg = f"There is no file {str(path)!r}."
        raise ConfigError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{str(path)!r} is no .npz of plain arrays: {error}."
        raise ConfigError(msg, hint="numpy.savez('inputs.npz', image=array) writes one.") from error


def samples_of(
    arrays: Mapping[str, NDArray[np.generic]],
    artifact: Artifact,
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, NDArray[np.generic]]:
    """The user's arrays with the sample as their first axis.

    An array of just the input's shape is one sample; one with an axis more in front, or with a
    longer first axis than the input's batch of 1, is a sample each.
    """
    samples = {}
    for spec in artifact.inputs:
        name = spec.name if spec.name in arrays else ""
        if len(artifact.inputs) == 1 and len(arrays) == 1:
            name = next(iter(arrays))
        if name not in arrays:
            msg = f"The inputs file has no array for the input {spec.name!r}."
            raise ConfigError(msg, hint=f"It has: {', '.join(arrays)}.")
        array = arrays[name]
        shape = _resolved(spec.shape, shapes.get(spec.name))
        if shape is None or _fits(array.shape, shape):
            samples[spec.name] = array[None]
        elif _fits(array.shape[1:], shape) or (
            shape[:1] == (1,) and _fits(array.shape[1:], shape[1:])
        ):
            samples[spec.name] = array
        else:
            msg = (
                f"The array {name!r} is {array.shape}; the input {spec.name!r} takes {spec.shape}."
            )
            raise ConfigError(msg, hint="A free axis is 1 unless --shape says otherwise.")
    return samples


def _resolved(
    shape: tuple[int | None, ...] | None, asked: tuple[int, ...] | None
) -> tuple[int | None, ...] | None:
    """A free first axis is a batch of 1; other free axes take what the array has."""
    if asked is not None:
        return asked
    if shape and shape[0] is None:
        return (1, *shape[1:])
    return shape


def _fits(have: tuple[int, ...], want: tuple[int | None, ...]) -> bool:
    return len(have) == len(want) and all(
        w is None or h == w for h, w in zip(have, want, strict=True)
    )
