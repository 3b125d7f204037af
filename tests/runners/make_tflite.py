"""Make the TFLite files of the tests: `python make_tflite.py FOLDER`. TensorFlow stays in here."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from litert_quantizer import qtyping, quantizer, recipe, recipe_manager

CLASSES = 10


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images with one bright patch, whose place is the class."""
    random = np.random.default_rng(seed)
    images = random.random((count, 20, 20, 1), dtype=np.float32)
    labels = random.integers(0, CLASSES, count)
    for image, label in zip(images, labels, strict=True):
        row, column = 10 * (label // 5), 4 * (label % 5)
        image[row : row + 10, column : column + 4] += 0.5
    return images, labels


def classifier() -> keras.Model:
    layers = keras.layers
    x = keras.Input((20, 20, 1), name="image")
    h = layers.Conv2D(8, 3, activation="relu")(x)
    h = layers.MaxPool2D()(h)
    h = layers.Dense(32, activation="relu")(layers.Flatten()(h))
    model = keras.Model(x, layers.Dense(CLASSES, activation="softmax")(h))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*samples(1500, 0), epochs=4, batch_size=32, verbose=0)
    fixed = keras.Input(batch_shape=(1, 20, 20, 1), name="image")
    return keras.Model(fixed, model(fixed))


def from_function(function: tf.types.experimental.PolymorphicFunction) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.allow_custom_ops = True
    content: bytes = converter.convert()
    return content


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None], tf.float32, name="a"),
        tf.TensorSpec([None, None], tf.float32, name="b"),
        tf.TensorSpec([], tf.int64, name="k"),
    ]
)
def free_axes(a, b, k):
    return {"sum": a + b, "scaled": a * tf.cast(k, tf.float32)}


@tf.function(
    input_signature=[
        tf.TensorSpec([2, 3], tf.uint8, name="u"),
        tf.TensorSpec([3], tf.bool, name="m"),
        tf.TensorSpec([2], tf.int32, name="i"),
    ]
)
def integers(u, m, i):
    return {"p": tf.cast(u, tf.int32) + tf.cast(m, tf.int32), "q": i * 2, "r": tf.logical_not(m)}


@tf.function(input_signature=[tf.TensorSpec([4], tf.float32, name="x")])
def custom(x):
    return tf.math.erf(x)


@tf.function(input_signature=[tf.TensorSpec([2], tf.string, name="s")])
def text(s):
    return s


@tf.function(input_signature=[tf.TensorSpec([10], tf.int32, name="ids")])
def embedding(ids):
    return tf.gather(tf.reshape(tf.range(40, dtype=tf.float32), (10, 4)), ids)


@tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 4], tf.float32, name="x")])
def partly(x):
    """Between two convolutions an operation that XNNPACK does not take."""
    kernel = tf.ones([3, 3, 4, 4])
    inner = tf.cumsum(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), axis=3)
    return tf.nn.conv2d(inner, kernel, 1, "SAME")


@tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32, name="x")])
def cumulated(x):
    return tf.cumsum(x, axis=1)


def dynamic_int8(granularity: qtyping.QuantGranularity) -> list[dict[str, object]]:
    """Weights in int8 and inputs quantized as they come, dense layers by tensor or by channel."""
    manager = recipe_manager.RecipeManager()
    operation = qtyping.TFLOperationName
    manager.add_dynamic_config(regex=".*", operation_name=operation.CONV_2D, num_bits=8)
    manager.add_dynamic_config(
        regex=".*",
        operation_name=operation.FULLY_CONNECTED,
        num_bits=8,
        granularity=granularity,
    )
    steps: list[dict[str, object]] = manager.get_quantization_recipe()
    return steps


def main(folder: Path) -> None:
    keras.utils.set_random_seed(0)
    files = {
        "float": tf.lite.TFLiteConverter.from_keras_model(classifier()).convert(),
        "free_axes": from_function(free_axes),
        "integers": from_function(integers),
        "custom": from_function(custom),
        "text": from_function(text),
        "embedding": from_function(embedding),
        "partly": from_function(partly),
        "cumulated": from_function(cumulated),
    }
    for name, content in files.items():
        (folder / f"{name}.tflite").write_bytes(content)
    images, labels = samples(100, 1)
    np.savez(folder / "images.npz", image=images)
    np.save(folder / "labels.npy", labels)
    calibration = {"serving_default": [{"image": image[None]} for image in samples(100, 2)[0]]}
    recipes = {
        "dynamic_by_channel": dynamic_int8(qtyping.QuantGranularity.CHANNELWISE),
        "dynamic_by_tensor": dynamic_int8(qtyping.QuantGranularity.TENSORWISE),
        "static_int8": recipe.static_wi8_ai8(),
        "int16x8": recipe.static_wi8_ai16(),
        "int4_weights": recipe.weight_only_wi4_afp32(),
    }
    for name, steps in recipes.items():
        maker = quantizer.Quantizer(str(folder / "float.tflite"), steps)
        found = maker.calibrate(calibration) if maker.need_calibration else None
        maker.quantize(found).export_model(str(folder / f"{name}.tflite"), overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
