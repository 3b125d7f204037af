"""tensorflow-model-optimization on tf_keras, and the converter's own int8; run by `peers`."""

import json
import os
import sys
from pathlib import Path

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_ENABLE_ONEDNN_OPTS": "0"}

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from edgebench.zoo.resnet8 import build_resnet8

# The zoo builds with whatever `keras` is: here that of Keras 2.
sys.modules["keras"] = tf_keras
todo = json.loads(sys.argv[1])
folder, base = Path(todo["folder"]), Path(todo["base"])
arrays = dict(np.load(base / "arrays.npz"))
count, batch = len(arrays["x_train"]), todo["batch"]
epoch = -(-count // batch)
STEPS = todo["steps"] or todo["epochs"] * epoch


def fresh():
    """The trained ResNet-8 as a model of Keras 2."""
    model = build_resnet8((28, 28, 1), 10)
    with np.load(base / "weights.npz") as stored:
        for layer in model.layers:
            told = [stored[f"{layer.name}/{n}"] for n in range(len(layer.get_weights()))]
            layer.set_weights(told)
    return model


def fit(model, seed, callbacks=()):
    rate = tf_keras.optimizers.schedules.CosineDecay(todo["learning_rate"], STEPS)
    # Its wrappers know the optimizers of old.
    model.compile(
        tf_keras.optimizers.legacy.Adam(rate),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=False),
    )
    data = tf.data.Dataset.from_tensor_slices((arrays["x_train"], arrays["y_train"]))
    data = data.shuffle(count, seed=seed).repeat().batch(batch)
    model.fit(data, epochs=1, steps_per_epoch=STEPS, verbose=2, callbacks=list(callbacks))


def save(model, what, seed, *, optimize=False, calibrate=False):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibrate:
        converter.representative_dataset = lambda: (
            [sample[np.newaxis]] for sample in arrays["x_calibration"]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path_of("tfmot" if seed is not None else "TFLiteConverter", what, seed or 0).write_bytes(
        converter.convert()
    )


def path_of(who, what, seed):
    return folder / f"{who}__{what}__{seed}.tflite"


def prune(model):
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, 0.8, 0, int(0.75 * STEPS), frequency=20)
    return tfmot.sparsity.keras.prune_low_magnitude(model, schedule)


def cluster(model, **more):
    init = tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    weights = tfmot.clustering.keras.cluster_weights
    if more:
        from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
            cluster as experimental,
        )

        weights = experimental.cluster_weights
    return weights(model, number_of_clusters=16, cluster_centroids_init=init, **more)


def chain(seed):
    """Sparsity and cluster preserving quantization-aware training."""
    pruned = prune(fresh())
    fit(pruned, seed, [tfmot.sparsity.keras.UpdatePruningStep()])
    pruned = tfmot.sparsity.keras.strip_pruning(pruned)
    clustered = cluster(pruned, preserve_sparsity=True)
    fit(clustered, seed)
    clustered = tfmot.clustering.keras.strip_clustering(clustered)
    annotated = tfmot.quantization.keras.quantize_annotate_model(clustered)
    scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(
        preserve_sparsity=True
    )
    aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    fit(aware, seed)
    return aware


save_once = path_of("TFLiteConverter", "int8 after training", 0)
if not save_once.exists():
    save(fresh(), "int8 after training", None, optimize=True, calibrate=True)
for seed in range(todo["seeds"]):
    tf_keras.utils.set_random_seed(seed)
    if not path_of("tfmot", "prune 80 %", seed).exists():
        model = prune(fresh())
        fit(model, seed, [tfmot.sparsity.keras.UpdatePruningStep()])
        save(tfmot.sparsity.keras.strip_pruning(model), "prune 80 %", seed)
    if not path_of("tfmot", "cluster 16", seed).exists():
        model = cluster(fresh())
        fit(model, seed)
        save(tfmot.clustering.keras.strip_clustering(model), "cluster 16", seed)
    if not path_of("tfmot", "aware int8", seed).exists():
        model = tfmot.quantization.keras.quantize_model(fresh())
        fit(model, seed)
        save(model, "aware int8", seed, optimize=True)
    if not path_of("tfmot", "prune 80 %, cluster 16, aware int8", seed).exists():
        save(chain(seed), "prune 80 %, cluster 16, aware int8", seed, optimize=True)
