"""Small Keras models by seed: whatever a user may have put together, weights and statistics drawn.

Run with the interpreter of the tests, never imported into their process: it imports TensorFlow.
"""

import keras
import numpy as np

L = keras.layers
WIDTHS = (8, 12, 16, 24)


@keras.saving.register_keras_serializable("tests")
def turned(x):
    return keras.ops.flip(x, axis=-1)


class Builder:
    """Draws blocks of layers; `chance` decides everything."""

    def __init__(self, seed):
        self.chance = np.random.default_rng(seed)
        self.loose = []

    def one_of(self, *choices):
        return choices[self.chance.integers(len(choices))]

    def width(self):
        return int(self.one_of(*WIDTHS))

    def conv(self, x, filters=None, **settings):
        given = {
            "kernel_size": self.one_of(1, 3),
            "padding": "same",
            "use_bias": self.one_of(True, False),
            "activation": self.one_of(None, "relu", "silu", "tanh"),
            **settings,
        }
        return L.Conv2D(filters or self.width(), **given)(x)

    def normed(self, x):
        x = L.BatchNormalization(
            scale=self.one_of(True, True, False), center=self.one_of(True, True, False)
        )(x)
        return self.one_of(
            L.ReLU(6.0),
            L.Activation("hard_swish"),
            L.LeakyReLU(),
            L.PReLU(shared_axes=[1, 2]),
            L.PReLU(),
        )(x)

    def plain(self, x):
        if min(x.shape[1:3]) < 6:
            return self.normed(self.conv(x))
        strided = self.one_of({"strides": 2}, {"dilation_rate": 2}, {"padding": "valid"}, {})
        return self.normed(self.conv(x, kernel_size=3, **strided))

    def residual(self, x):
        y = self.normed(self.conv(x))
        y = self.conv(y, x.shape[-1], activation=None)
        if self.one_of(True, False):
            x = self.conv(x, x.shape[-1], activation=None)
        merge = self.one_of(L.Add, L.Add, L.Subtract, L.Average, L.Maximum, L.Minimum)
        return merge()([x, y])

    def branches(self, x):
        joined = L.Concatenate()([self.conv(x), x, self.normed(self.conv(x))])
        if self.one_of(True, False):
            joined = L.Add()([joined, self.conv(x, joined.shape[-1])])
        return joined

    def stacked(self, x):
        return L.Concatenate(axis=1)([x, self.conv(x, x.shape[-1])])

    def depthwise(self, x):
        x = L.DepthwiseConv2D(
            3,
            padding="same",
            depth_multiplier=self.one_of(1, 2),
            activation=self.one_of(None, "relu"),
        )(x)
        return self.conv(self.normed(x))

    def separable(self, x):
        return L.SeparableConv2D(
            self.width(), 3, padding="same", depth_multiplier=self.one_of(1, 2)
        )(x)

    def grouped(self, x):
        x = self.conv(x, self.one_of(8, 16))
        groups = int(self.one_of(2, 4, x.shape[-1]))
        return self.conv(x, x.shape[-1] * self.one_of(1, 2), groups=groups)

    def squeezed(self, x):
        """A squeeze-and-excitation block, in the three ways that people write it."""
        width = x.shape[-1]
        s = L.GlobalAveragePooling2D(keepdims=self.one_of(True, False))(x)
        if len(s.shape) == 4:
            s = L.Conv2D(width, 1, activation="sigmoid")(L.Conv2D(8, 1, activation="relu")(s))
        else:
            s = L.Dense(width, activation="sigmoid")(L.Dense(8, activation="relu")(s))
            s = L.Reshape((1, 1, self.one_of(width, -1)))(s)
        return L.Multiply()([x, s]) if self.one_of(True, False) else x * s

    def attended(self, x):
        return L.Multiply()([x, self.conv(x, 1, activation="sigmoid")])

    def operated(self, x):
        x = self.conv(x, activation=None)
        gate = L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
        return keras.ops.relu(x * gate - 0.1)

    def resized(self, x):
        if min(x.shape[1:3]) < 6:
            return L.UpSampling2D()(x)
        x = L.ZeroPadding2D(1)(x)
        return self.one_of(L.MaxPooling2D(), L.AveragePooling2D(2), L.Cropping2D(1))(x)

    def transposed(self, x):
        return L.Conv2DTranspose(self.width(), 3, padding="same")(x)

    def reshaped(self, x):
        height, width, channels = x.shape[1:]
        y = L.Reshape((height * width, channels))(x)
        y = L.Conv1D(channels, 1)(L.Dropout(0.5)(y))
        y = L.Permute((1, 2))(y)
        return L.Add()([x, L.Reshape((height, width, channels))(y)])

    def shared(self, x):
        layer = L.Conv2D(x.shape[-1], 3, padding="same")
        return self.conv(layer(layer(x)))

    def frozen(self, x):
        layer = self.one_of(
            L.Conv2D(self.width(), 1, trainable=False), L.BatchNormalization(trainable=False)
        )
        return self.conv(layer(self.conv(x)))

    def held(self, x):
        layer = self.one_of(
            L.LayerNormalization(), L.Softmax(), L.Lambda(turned), L.Permute((3, 1, 2))
        )
        return self.conv(layer(self.conv(x)))

    def nested(self, x):
        inside = keras.Input(x.shape[1:])
        y = self.residual(self.plain(inside))
        return keras.Model(inside, y)(x)

    def sequential(self, x):
        return keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                L.Conv2D(self.width(), 3, padding="same"),
                L.BatchNormalization(),
                L.ReLU(),
                L.DepthwiseConv2D(3, padding="same"),
            ]
        )(x)

    def head(self, x):
        x = self.one_of(
            L.Flatten(), L.GlobalAveragePooling2D(), L.GlobalMaxPooling2D(), L.Flatten()
        )(x)
        x = L.Dense(self.width(), activation="relu")(x)
        if self.one_of(True, False):
            x = L.Add()([x, L.Dense(x.shape[-1])(x)])
        return x


BLOCKS = (
    *(Builder.plain, Builder.residual, Builder.branches, Builder.stacked, Builder.depthwise),
    *(Builder.separable, Builder.grouped, Builder.squeezed, Builder.attended, Builder.operated),
    *(Builder.resized, Builder.transposed, Builder.reshaped, Builder.shared, Builder.frozen),
    *(Builder.held, Builder.nested, Builder.sequential),
)


def images(seed):
    """Two or three blocks of those above: over twenty seeds each comes more than twice."""
    builder = Builder(seed)
    image = keras.Input((9, 8, 3), name="image")
    x = builder.conv(image)
    # Blocks follow each other round by round, so that none is left to luck.
    for step in range(3):
        x = BLOCKS[(seed * 3 + step) % len(BLOCKS)](builder, x)
    inputs, outputs = [image], []
    if builder.one_of(True, False):
        outputs.append(L.GlobalAveragePooling2D()(builder.conv(x)))
    x = builder.head(x)
    if builder.one_of(True, False):
        facts = keras.Input((5,), name="facts")
        inputs.append(facts)
        x = L.Concatenate()([x, L.Dense(8, activation="relu")(facts)])
    outputs.append(L.Dense(4, name="kind")(x))
    return keras.Model(inputs if len(inputs) > 1 else image, outputs)


def series(seed):
    """One dimension: convolutions of a series, and layers that keep their channels."""
    builder = Builder(seed)
    x = series = keras.Input((12, 6), name="series")
    if builder.one_of(True, False):
        series = keras.Input((12,), dtype="int32", name="series")
        x = L.Embedding(5, 6)(series)
    x = L.Conv1D(16, 3, padding="causal", activation="relu")(x)
    x = L.BatchNormalization()(L.DepthwiseConv1D(3, padding="same")(x))
    y = L.SeparableConv1D(16, 3, padding="same", activation="relu")(x)
    x = L.MaxPooling1D()(L.Add()([x, y]))
    x = L.Conv1DTranspose(8, 2)(x)
    tail = builder.one_of("lstm", "gru", "flat", "dense")
    if tail == "flat":
        x = L.Flatten()(L.Conv1D(16, 1)(x))
    elif tail == "dense":
        x = L.GlobalAveragePooling1D()(L.Dense(16, activation="gelu")(x))
    else:
        x = (L.LSTM if tail == "lstm" else L.GRU)(8)(x)
    return keras.Model(series, L.Dense(3)(L.Dense(24, activation="relu")(x)))


def generators(seed):
    """Rows of channels made into maps."""
    builder = Builder(seed)
    row = keras.Input((7,), name="row")
    x = L.Dense(4 * 4 * 16)(L.Dense(24, activation="elu")(row))
    x = L.Reshape((4, 4, builder.one_of(16, -1)))(x)
    x = L.Conv2DTranspose(16, 3, strides=2, padding="same", use_bias=False)(x)
    x = builder.normed(x)
    x = L.Concatenate()(
        [x, L.RepeatVector(8)(L.Dense(8)(row))[:, :, None, :] * keras.ops.ones((1, 8, 8, 1))]
    )
    return keras.Model(row, L.Conv2D(1, 3, activation="sigmoid")(builder.conv(x)))


def net_of(seed):
    """A model with weights, scales and statistics that are none of an untrained one."""
    keras.utils.set_random_seed(seed)
    kinds = {6: series, 7: generators}
    model = kinds.get(seed % 8, images)(seed)
    chance = np.random.default_rng(seed)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, (L.BatchNormalization, L.PReLU, L.Dense, L.Conv2D)):
            layer.set_weights(
                [
                    chance.uniform(0.5, 1.5, w.shape) if w.ndim == 1 or min(w.shape[:2]) == 1 else w
                    for w in layer.get_weights()
                ]
            )
    return model


def inputs_of(model, count=3, seed=0):
    """Samples that fit: numbers, and indices below 5 where integers are read."""
    chance = np.random.default_rng(seed)
    arrays = {}
    for tensor in model.inputs:
        shape = (count, *tensor.shape[1:])
        if "int" in str(tensor.dtype):
            arrays[tensor.name] = chance.integers(0, 5, shape).astype(np.int32)
        else:
            arrays[tensor.name] = chance.standard_normal(shape).astype(np.float32)
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays
