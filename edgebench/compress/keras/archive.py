"""What a `.keras` archive says of its inputs, without importing Keras."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edgebench.core import TensorSpec
from edgebench.errors import ConfigError

MEMBERS: Final = ("config.json", "model.weights.h5")


def read_keras_signature(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs that a `.keras` file declares; outputs are known only once Keras has built it.

    Raises:
        ConfigError: The file is no archive of Keras 3, or is cut off.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in MEMBERS if name not in archive.namelist()]
            if missing:
                msg = f"{str(path)!r} is an archive without {missing[0]!r}."
                raise ConfigError(msg, hint="Write it with model.save('x.keras') of Keras 3.")
            damaged = archive.testzip()
            config = json.loads(archive.read("config.json")) if damaged is None else None
    except (zipfile.BadZipFile, ValueError, EOFError, zipfile.LargeZipFile) as error:
        msg = f"{str(path)!r} is no whole .keras file: {error}."
        raise ConfigError(msg, hint="Was its download cut off, or is it an .h5 file?") from error
    if damaged is not None:
        msg = f"{str(path)!r} is damaged: {damaged!r} in it does not match its checksum."
        raise ConfigError(msg, hint="Copy the file again.")
    return tuple(_inputs(config)), ()


def _inputs(config: object) -> Iterator[TensorSpec]:
    for layer in _layers(config):
        if layer.get("class_name") == "InputLayer":
            inner = layer["config"]
            shape = inner.get("batch_shape") or inner.get("batch_input_shape")
            dtype = inner.get("dtype", "float32")
            yield TensorSpec(
                name=inner["name"],
                shape=None if shape is None else tuple(shape),
                dtype=dtype if isinstance(dtype, str) else "float32",
            )


def _layers(config: object) -> list[dict[str, Any]]:
    """The layers of a model's outermost graph; a nested model's inputs are not the model's."""
    inner = config.get("config") if isinstance(config, Mapping) else None
    layers = inner.get("layers") if isinstance(inner, Mapping) else None
    return [layer for layer in layers or [] if isinstance(layer, dict)]
