"""A teacher: any model that runs, seen as a Keras model of logits."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.inspect import format_of
from edgebench.compress.keras.material import Samples, is_shares, outputs_of
from edgebench.compress.keras.model import is_functional, open_model
from edgebench.compress.technique import UserCode
from edgebench.core import Format
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras

# Below this a probability is as good as none; its logarithm must stay finite.
LEAST: Final = 1e-7
LOOKED_AT: Final = 256

Run = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]


def open_teacher(path: Path, code: UserCode, samples: Samples) -> "keras.Model":
    """A model of any format that gives logits `(batch, classes)`.

    Raises:
        CompressionError: It has more than one output, or none of classes.
    """
    form = format_of(path)
    if form is Format.KERAS:
        return logits_of(open_model(path, code), samples)
    return logits_of(_foreign(_RUNS[form](path), samples), samples)


def logits_of(model: "keras.Model", samples: Samples) -> "keras.Model":
    """The model, with the logarithm of its outputs where these are probabilities.

    The softmax of logits divided by a temperature forgets what is added to all of them, so that the
    logarithm of a probability is as good as the logit it came from.

    Raises:
        CompressionError: It has more than one output, or none of classes.
    """
    import keras

    outputs = outputs_of(model, samples.first(LOOKED_AT))
    first = next(iter(outputs.values()))
    if len(outputs) != 1 or first.ndim != 2 or first.shape[1] < 2:
        shapes = {name: output.shape[1:] for name, output in outputs.items()}
        msg = f"{model.name!r} has the outputs {shapes}: no scores of classes to teach or learn."
        raise CompressionError(msg, hint="distil knows one output of two and more classes.")
    if not is_shares(first):
        return model
    log = keras.layers.Lambda(
        lambda p: keras.ops.log(keras.ops.maximum(p, LEAST)), name="log_of_shares"
    )
    if is_functional(model):
        return keras.Model(model.inputs, log(model.outputs[0]), name=f"{model.name}_logits")
    return _Wrapped.of(model, log)


class _Wrapped:
    """A model of code with one more layer behind it."""

    @staticmethod
    def of(model: "keras.Model", layer: Any) -> "keras.Model":  # noqa: ANN401 - Keras' own
        import keras

        class Logits(keras.Model):  # type: ignore[misc]  # Keras has no types
            def __init__(self) -> None:
                super().__init__()
                self.inner, self.last = model, layer

            def call(self, x: Any, training: bool = False) -> Any:  # noqa: ANN401 - Keras' own
                return self.last(self.inner(x, training=training))

        return Logits()


def _foreign(run: Run, samples: Samples) -> "keras.Model":
    """A model of another runtime, as a Keras model that no gradient enters."""
    import keras
    import tensorflow as tf

    names = sorted(samples.x)
    classes = run({name: samples.x[name][:1] for name in names}).shape[-1]

    def compute(*arrays: Any) -> NDArray[np.float32]:  # noqa: ANN401 - Keras' own
        return run({n: np.asarray(a) for n, a in zip(names, arrays, strict=True)})

    class Foreign(keras.Model):  # type: ignore[misc]  # Keras has no types
        def call(self, x: Any, training: bool = False) -> Any:  # noqa: ANN401, ARG002 - as Keras calls it
            fed = [x[name] for name in names] if isinstance(x, Mapping) else [x]
            answer = tf.numpy_function(compute, fed, tf.float32)
            answer.set_shape((None, classes))
            return answer

    return Foreign(name="teacher")


def _by_sample(one: Run, batch: int | None) -> Run:
    """Feed a model of fixed batch 1 sample by sample."""

    def run(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        if batch != 1:
            return one(arrays)
        count = len(next(iter(arrays.values())))
        parts = [one({n: a[i : i + 1] for n, a in arrays.items()}) for i in range(count)]
        return np.concatenate(parts)

    return run


def _onnx(path: Path) -> Run:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, output = session.get_inputs(), session.get_outputs()[0].name

    def one(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        fed = {i.name: arrays.get(i.name, arrays.get("")) for i in inputs}
        return np.asarray(session.run([output], fed)[0], np.float32)

    first = inputs[0].shape[0]
    return _by_sample(one, first if isinstance(first, int) else None)


def _tflite(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    names = list(runner.get_input_details())

    def one(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        answer = runner(**{name: arrays.get(name, arrays.get("")) for name in names})
        return np.asarray(next(iter(answer.values())), np.float32)

    return _by_sample(one, 1)


def _saved_model(path: Path) -> Run:
    from edgebench.compress.keras.source import open_saved_model

    source = open_saved_model(path)
    names = [spec.name for spec in source.specs]

    def one(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        answer = source.function(*(arrays.get(name, arrays.get("")) for name in names))
        return np.asarray(next(iter(answer.values())), np.float32)

    return _by_sample(one, 1)


_RUNS: Final[Mapping[Format, Callable[[Path], Run]]] = {
    Format.ONNX: _onnx,
    Format.TFLITE: _tflite,
    Format.SAVED_MODEL: _saved_model,
}
