"""Batch normalizations folded into each kind of layer: what came of it goes to cases.json.

python -m tests.compress.keras.fold_checks FOLDER
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from edgebench.compress.keras.fold import fold_bn, left_over
from edgebench.compress.keras.kernels import weight_count, zero_count
from edgebench.compress.keras.surgery import flat

L = keras.layers
CHANCE = np.random.default_rng(0)
MAP, ROW, SERIES = (9, 9, 4), (6,), (9, 4)


def after(layer, shape, **norm):
    """A model of a layer, a normalization and something behind it."""
    source = keras.Input(shape, name="source")
    x = L.BatchNormalization(name="norm", **norm)(layer(source))
    return keras.Model(source, L.ReLU(name="relu")(x))


def kinds():
    """By name: a model whose one normalization can be folded."""
    same = {"padding": "same"}
    yield "dense", after(L.Dense(5), ROW)
    yield "dense on a map", after(L.Dense(5), MAP)
    yield "conv1d", after(L.Conv1D(5, 3, dilation_rate=2, padding="causal"), SERIES)
    yield "conv2d", after(L.Conv2D(5, 3, strides=2, **same), MAP)
    yield "without bias", after(L.Conv2D(5, 3, use_bias=False), MAP)
    yield "groups", after(L.Conv2D(6, 3, groups=2, dilation_rate=2), MAP)
    yield "depthwise", after(L.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), MAP)
    yield "depthwise1d", after(L.DepthwiseConv1D(3, depth_multiplier=2), SERIES)
    yield "transposed", after(L.Conv2DTranspose(5, 3, strides=2, **same), MAP)
    yield "transposed1d", after(L.Conv1DTranspose(5, 3, strides=2), SERIES)
    yield "separable", after(L.SeparableConv2D(5, 3, depth_multiplier=2), MAP)
    yield "separable1d", after(L.SeparableConv1D(5, 3, use_bias=False), SERIES)
    yield "volume", after(L.Conv3D(5, 2), (4, 4, 4, 2))
    yield "without scale", after(L.Conv2D(5, 3), MAP, scale=False)
    yield "without center", after(L.Conv2D(5, 3), MAP, center=False)
    yield "axis by number", after(L.Conv2D(5, 3), MAP, axis=3)
    yield "end", named_end()
    yield "nested", nested()


def named_end():
    source = keras.Input(MAP, name="source")
    return keras.Model(source, L.BatchNormalization(name="norm")(L.Conv2D(5, 3)(source)))


def nested():
    inner = after(L.Conv2D(5, 3), MAP)
    return keras.Sequential([keras.Input(MAP), inner, L.GlobalAveragePooling2D(), L.Dense(3)])


def obstacles():
    """By name: a model whose one normalization has to stay."""
    source = keras.Input(MAP, name="source")
    x = L.BatchNormalization(name="norm")(source)
    yield "first", keras.Model(source, L.Conv2D(5, 3)(x))
    x = L.ZeroPadding2D(1)(L.Conv2D(5, 3)(source))
    yield "padded", keras.Model(source, L.BatchNormalization(name="norm")(x))
    yield "activated", after(L.Conv2D(5, 3, activation="relu"), MAP)
    x = L.Conv2D(5, 3, name="conv")(source)
    yield "read twice", keras.Model(source, [L.BatchNormalization(name="norm")(x), L.ReLU()(x)])
    yield "also an output", keras.Model(source, [L.BatchNormalization(name="norm")(x), x])
    conv, small = L.Conv2D(4, 3, padding="same"), keras.Input(MAP)
    yield "shared", keras.Model(small, L.BatchNormalization(name="norm")(conv(conv(small))))
    yield "other axis", after(L.Conv2D(5, 3), MAP, axis=1)


def trained(model):
    """Weights and statistics as after some training."""
    for variable in model.weights:
        value = variable.numpy()
        noise = CHANCE.normal(0, 0.3, value.shape)
        is_variance = "variance" in variable.path
        variable.assign(np.abs(value + noise) + 0.1 if is_variance else value + noise)
    return model


def outputs(model, x):
    return [np.asarray(output) for output in keras.tree.flatten(model(x, training=False))]


def examined(model):
    whole = flat(trained(model))
    x = CHANCE.random((4, *model.inputs[0].shape[1:])).astype(np.float32)
    folded, count = fold_bn(whole)
    pairs = list(zip(outputs(model, x), outputs(folded, x), strict=True))
    return {
        "count": count,
        "error": max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs),
        "names": folded.output_names == whole.output_names,
        "norms": sum(isinstance(layer, L.BatchNormalization) for layer in folded.layers),
        "left": left_over(folded),
        "weights": [weight_count(whole), weight_count(folded)],
        "is_same": folded is whole,
    }


def frozen():
    model = after(L.Conv2D(5, 3, name="conv"), MAP)
    model.get_layer("conv").trainable = False
    folded, count = fold_bn(model)
    return {"count": count, "trainable": folded.get_layer("conv").trainable}


def pruned():
    model = trained(after(L.Conv2D(5, 3, name="conv"), MAP))
    kernel = model.get_layer("conv").kernel
    kernel.assign(np.where(CHANCE.random(kernel.shape) < 0.5, 0, kernel.numpy()))
    return {"zeros": [zero_count(model), zero_count(fold_bn(model)[0])]}


def main(folder):
    keras.utils.set_random_seed(0)
    cases = {name: examined(model) for name, model in (*kinds(), *obstacles())}
    cases |= {"frozen": frozen(), "pruned": pruned()}
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
