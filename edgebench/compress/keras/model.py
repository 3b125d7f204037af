"""Open a user's Keras model for a step, and put it away again."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgebench.compress.technique import UserCode
from edgebench.data import load_objects
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras

HALF: Final = frozenset({"float16", "bfloat16"})


def open_model(path: Path, code: UserCode) -> "keras.Model":
    """Load a `.keras` model that computes in float32, whatever it was trained in.

    Raises:
        CompressionError: It holds a class that nobody registered, or code that is not run unasked.
    """
    import keras

    if code.objects is not None:
        load_objects(code.objects, base=code.base)
    _register_own()
    try:
        model = keras.models.load_model(path, compile=False)
    except ValueError as error:
        if "lambda" not in str(error).lower():
            msg = f"{path.name!r} cannot be opened: {str(error).splitlines()[0]}"
            raise CompressionError(msg, hint="Was it written by a newer Keras?") from error
        msg = f"{path.name!r} holds a Lambda layer, whose Python code is not run out of a file."
        hint = "Make it a registered layer of your own, and name its file: [model] objects."
        raise CompressionError(msg, hint=hint) from error
    except TypeError as error:
        # Keras says what it did first, then all it read, and at last what went wrong.
        said = str(error).rpartition("Exception encountered: ")[2]
        msg = f"{path.name!r} cannot be opened: {said.partition('. ')[0]}."
        hint = "Name the .py file that registers your classes: [model] objects = 'layers.py'."
        raise CompressionError(msg, hint=hint) from error
    return _in_float32(model)


def save_model(model: "keras.Model", folder: Path) -> Path:
    """Write the model as `model.keras` without anything that training left."""
    path = folder / "model.keras"
    model.save(path)
    return path


def compiled_loss(path: Path) -> Any | None:  # noqa: ANN401 - Keras' own
    """The loss that a `.keras` file was compiled with; None where it was not."""
    import keras

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    loss = (config.get("compile_config") or {}).get("loss")
    if loss is None or isinstance(loss, (list, tuple)):
        return None
    if isinstance(loss, dict) and "class_name" not in loss:
        return None
    return keras.losses.get(loss)


def is_functional(model: "keras.Model") -> bool:
    """Whether the model is a graph of layers, which can be changed, and no code of its own."""
    import keras

    functional = keras.src.models.functional.Functional
    return isinstance(model, (functional, keras.Sequential)) and bool(model.inputs)


def leaves(model: "keras.Model") -> Iterator["keras.Layer"]:
    """The layers that hold weights of their own, nested models and wrappers looked into."""
    for layer in model._flatten_layers(include_self=False, recursive=True):
        inner = list(layer._flatten_layers(include_self=False, recursive=False))
        if not any(child.weights for child in inner):
            yield layer


def _register_own() -> None:
    """The layers that steps leave in a model must be known before it is opened."""
    import importlib

    for name in ("fake_quant",):
        module = f"edgebench.compress.keras.{name}"
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module).register()


def _in_float32(model: "keras.Model") -> "keras.Model":
    """The same weights in a model of one precision.

    A float16 kernel of TensorFlow has no counterpart in TFLite, and small models gain nothing.
    """
    halves = [leaf for leaf in leaves(model) if leaf.compute_dtype in HALF]
    if not halves and model.compute_dtype not in HALF:
        return model
    config = _without_half(model.get_config())
    fresh: keras.Model = type(model).from_config(config)
    fresh.set_weights(model.get_weights())
    return fresh


def _without_half(config: Any) -> Any:  # noqa: ANN401 - Keras' own
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32"
        return {key: _without_half(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [_without_half(value) for value in config]
    half = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
    return "float32" if isinstance(config, str) and config in half else config
