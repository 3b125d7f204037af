"""Small Keras models of the kinds that users bring, made in a process of their own.

python tests/compress/keras/nets.py FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

OBJECTS = '''
import keras


@keras.saving.register_keras_serializable("mine")
class Scale(keras.layers.Layer):
    """Multiplies by what it has learned."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


@keras.saving.register_keras_serializable("mine")
class Own(keras.Model):
    """A model of code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(16, activation="relu", name="first")
        self.last = keras.layers.Dense(4, activation="softmax", name="last")

    def call(self, x):
        return self.last(self.first(x))
'''


def residual(name="residual"):
    """Convolutions with normalization, a residual addition, and dense layers: 8x8x1 to 4."""
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(name="relu0")(layers.BatchNormalization(name="norm0")(x))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv1")(x)
    y = layers.ReLU(name="relu1")(layers.BatchNormalization(name="norm1")(y))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv2")(y)
    y = layers.BatchNormalization(name="norm2")(y)
    x = layers.ReLU(name="relu2")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(16, activation="relu", name="dense")(x)
    return keras.Model(image, layers.Dense(4, activation="softmax", name="kind")(x), name=name)


def text():
    """Tokens to classes by an embedding and recurrent layers."""
    layers = keras.layers
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(20, 8, name="words")(ids)
    x = layers.LSTM(8, return_sequences=True, name="lstm")(x)
    x = layers.GRU(8, name="gru")(x)
    return keras.Model(ids, layers.Dense(4, activation="softmax", name="kind")(x), name="text")


def signal():
    """A series to classes by one-dimensional convolutions, in a Sequential."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 2), name="series"),
            layers.Conv1D(16, 3, activation="relu", name="first"),
            layers.Conv1D(16, 3, activation="relu", name="second"),
            layers.Flatten(name="flat"),
            layers.Dense(4, activation="softmax", name="kind"),
        ],
        name="signal",
    )


def two():
    """Two inputs and two outputs."""
    layers = keras.layers
    image, facts = keras.Input((8, 8, 1), name="image"), keras.Input((6,), name="facts")
    x = layers.Flatten(name="flat")(layers.Conv2D(8, 3, activation="relu", name="conv")(image))
    x = layers.Concatenate(name="both")([x, facts])
    kind = layers.Dense(4, activation="softmax", name="kind")(x)
    return keras.Model([image, facts], [kind, layers.Dense(1, name="size")(x)], name="two")


def twice():
    """One layer that is called two times, and one that is frozen."""
    layers = keras.layers
    row = keras.Input((16,), name="row")
    shared = layers.Dense(16, activation="relu", name="shared")
    frozen = layers.Dense(16, activation="relu", name="frozen")
    x = frozen(shared(shared(row)))
    model = keras.Model(row, layers.Dense(4, activation="softmax", name="kind")(x), name="twice")
    frozen.trainable = False
    return model


def nested():
    """A Sequential in which a model is a layer, as transfer learning makes them."""
    inner = residual("inner")
    body = keras.Model(inner.input, inner.get_layer("pool").output, name="body")
    head = keras.layers.Dense(4, activation="softmax", name="head")
    return keras.Sequential([keras.Input((8, 8, 1), name="image"), body, head], name="nested")


def half():
    """A model that was trained in mixed precision."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = residual("half")
    keras.mixed_precision.set_global_policy("float32")
    return model


def lambda_():
    """Python code out of a file: what edgebench does not run."""
    row = keras.Input((16,), name="row")
    x = keras.layers.Lambda(lambda x: x * 2.0, output_shape=(16,), name="code")(row)
    return keras.Model(row, keras.layers.Dense(4, name="kind")(x), name="lambda")


def shaken(model):
    """Weights and statistics as after some training."""
    random = np.random.default_rng(0)
    for variable in model.weights:
        value = variable.numpy()
        noise = random.normal(0, 0.1, value.shape).astype(value.dtype)
        variable.assign(np.abs(value + noise) if "variance" in variable.path else value + noise)
    return model


def main(folder):
    keras.utils.set_random_seed(0)
    for make in (residual, text, signal, two, twice, nested, half, lambda_):
        model = shaken(make())
        model.save(folder / f"{model.name}.keras")
    (folder / "layers.py").write_text(OBJECTS)
    space: dict[str, Any] = {}
    exec(compile(OBJECTS, "layers.py", "exec"), space)
    row = keras.Input((16,), name="row")
    x = space["Scale"](name="scale")(keras.layers.Dense(16, activation="relu", name="dense")(row))
    out = keras.layers.Dense(4, activation="softmax", name="kind")(x)
    keras.Model(row, out, name="custom").save(folder / "custom.keras")
    own = space["Own"](name="own")
    own(np.zeros((1, 16), np.float32))
    own.save(folder / "own.keras")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
