"""Quantization-aware training on small models: what came of each case goes to cases.json.

python -m tests.compress.keras.aware_checks FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf

from edgebench.compress.inspect import read_artifact
from edgebench.compress.keras import aware, fake_quant
from edgebench.compress.keras.export import export_onnx, export_tflite
from edgebench.compress.keras.likeness import check_likeness
from edgebench.compress.keras.material import Samples
from edgebench.compress.keras.model import open_model
from edgebench.compress.keras.plain import plain
from edgebench.compress.keras.source import open_keras
from edgebench.compress.onnx.stored import read_floating
from edgebench.compress.promises import check_promises
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Task, UserCode
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.core import Format
from edgebench.errors import EdgebenchError
from tests.compress.keras.nets import residual

L = keras.layers
FOLDER = Path(sys.argv[1])
CHANCE = np.random.default_rng(0)
SAMPLES = 96


def quiet(words):
    """Progress that nobody reads."""


def image(*shape):
    return keras.Input(shape or (12, 12, 3), name="image")


def gated():
    """Depthwise and separable convolutions, gates, sums of three and with numbers, activations."""
    begin = image()
    x = L.Rescaling(2.0, -1.0, name="scale")(begin)
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="silu", name="stem")(x)
    y = L.SeparableConv2D(8, 3, padding="same", depth_multiplier=2, name="separable")(x)
    z = L.DepthwiseConv2D(3, padding="same", activation="hard_silu", name="depthwise")(x)
    x = L.ReLU(6.0, name="relu")(L.Add(name="three")([x, y, z]))
    gate = L.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    gate = L.Conv2D(8, 1, activation="sigmoid", name="gate")(gate)
    x = L.Multiply(name="gated")([x, gate])
    x = x * (L.ReLU(6.0)(3.0 + x) / 6.0)
    x = L.BatchNormalization(name="alone")(L.LeakyReLU(name="leaky")(1.0 - x))
    x = L.Dense(8, activation="tanh", name="hidden")(L.Flatten(name="flat")(x))
    x = L.BatchNormalization(name="late")(x)
    return keras.Model(begin, L.Dense(4, activation="softmax", name="kind")(x))


def decoder():
    """A transposed convolution, enlargements, concatenations, pooling, groups and dilations."""
    begin = image()
    x = L.Conv2D(8, 3, groups=1, dilation_rate=2, padding="same", activation="relu")(begin)
    x = L.MaxPooling2D(2)(L.Concatenate()([x, begin]))
    x = L.AveragePooling2D(2)(L.Conv2D(6, 3, padding="same")(x))
    x = L.Conv2D(8, 1, groups=2, activation="relu6")(x)
    x = L.Conv2DTranspose(6, 3, strides=2, padding="same")(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.UpSampling2D(2, interpolation="bilinear")(L.ZeroPadding2D(1)(x))
    return keras.Model(begin, L.Conv2D(2, 1, name="mask")(L.UpSampling2D(2)(x)))


def series():
    begin = keras.Input((20, 3), name="series")
    x = L.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu")(begin)
    x = L.BatchNormalization()(x)
    x = L.Conv1D(8, 3, strides=2, activation="relu")(x)
    x = L.MaxPooling1D(2)(x)
    return keras.Model(begin, L.Dense(3, name="kind")(L.GlobalAveragePooling1D()(x)))


def several():
    """Two inputs, and outputs of every kind: of what is rounded by name, moved, or prescribed."""
    a, b = image(8, 8, 2), keras.Input((6,), name="facts")
    conv = L.Conv2D(4, 3, padding="same", name="conv")
    x = conv(L.Conv2D(4, 3, padding="same", name="first")(a))
    total = L.Add(name="total")([x, conv(x)])
    facts = L.Dense(8, name="facts_in")(b)
    outputs = [
        L.ReLU(name="bent")(x),
        total,
        L.BatchNormalization(name="norm")(L.ReLU()(total)),
        L.AveragePooling2D(2, name="pooled")(total),
        L.Flatten(name="flat")(total),
        L.Dense(3, activation="sigmoid", name="share")(facts),
        L.Dense(3, activation="gelu", name="curve")(facts),
        keras.ops.relu(L.Dense(3)(L.Dense(5)(L.Reshape((2, 4))(facts)))),
    ]
    return keras.Model([a, b], outputs)


def trained(model):
    """Weights and statistics as after some training."""
    for variable in model.weights:
        value = variable.numpy()
        noise = CHANCE.normal(0, 0.1, value.shape)
        variable.assign(np.abs(value + noise) if "variance" in variable.path else value + noise)
    return model


def drawn(model):
    return {
        tensor.name: CHANCE.random((SAMPLES, *tensor.shape[1:])).astype(np.float32)
        for tensor in model.inputs
    }


def outputs(model, x):
    given = next(iter(x.values())) if len(x) == 1 else x
    return [np.asarray(output) for output in keras.tree.flatten(model(given, training=False))]


def apart(wanted, found):
    """Root mean square of the difference over that of what is wanted, of the worst output."""
    pairs = zip(wanted, found, strict=True)
    return max(float(np.sqrt(((a - b) ** 2).mean() / (a**2).mean())) for a, b in pairs)


def quantized(model, name, **options):
    """The file that the step makes of a model, and what it tells."""
    folder = FOLDER / name
    (folder / "made").mkdir(parents=True)
    model.save(folder / "source.keras")
    x = drawn(model)
    keys = {key: f"x_train/{key if len(x) > 1 else ''}" for key in x}
    arrays = {keys[key]: array for key, array in x.items()}
    np.savez(folder / "samples.npz", **arrays, y_train=np.zeros(SAMPLES, np.int64))
    step = parse_step({"quantize": "int8", "aware": True, **options})
    source = read_artifact(folder / "source.keras")
    task = Task(
        way="", source=source, step=step, folder=folder / "made", data=folder / "samples.npz"
    )
    return aware.quantize_keras(task, quiet), x


def exported(path, export, folder):
    folder.mkdir()
    task = Task(way="", source=read_artifact(path), step=None, folder=folder)
    try:
        return export(task, quiet)
    except EdgebenchError as error:
        return str(error)


def examined(name, model):
    model = trained(model)
    outcome, x = quantized(model, name)
    rounded = open_model(outcome.path, UserCode())
    float_outputs = outputs(model, x)
    case = {
        "changed": outcome.changed,
        "is_integer": outcome.promises.is_integer,
        "names": rounded.output_names == model.output_names,
        "plain": apart(float_outputs, outputs(plain(model), x)),
        "rounded": apart(float_outputs, outputs(rounded, x)),
        "ranges": [layer.name for layer in fake_quant.ranges_of(rounded)],
    }
    ends = sorted(model.output_names), sorted(tensor.name for tensor in model.inputs)
    for form, export in (("tflite", export_tflite), ("onnx", export_onnx)):
        made = exported(outcome.path, export, FOLDER / name / form)
        if isinstance(made, str):
            case[form] = made
            continue
        artifact = read_artifact(made.path)
        found = tuple(
            sorted(s.name for s in specs) for specs in (artifact.outputs, artifact.inputs)
        )
        is_tflite = form == "tflite"
        case[form] = {
            "names": found == ends,
            "floating": read_tflite_counts(made.path).floating
            if is_tflite
            else read_floating(made.path),
            "error": made.settings["parity_rms_error"],
            "found": check_promises(artifact, outcome.promises),
        }
    return case | {"weights": outcome.promises.weights}


def rounding():
    """What one layer does to numbers."""
    weights = CHANCE.normal(size=(3, 3, 4, 6)).astype(np.float32)
    weights[CHANCE.random(weights.shape) < 0.3] = 0
    found: dict[str, Any] = {}
    ways: tuple[tuple[fake_quant.Granularity, int], ...]
    ways = ("channel", 1), ("tensor", 1), ("channel", 2)
    for granularity, axes in ways:
        variable = tf.Variable(weights)
        with tf.GradientTape() as tape:
            made = fake_quant.round_weights(variable, granularity=granularity, axes=axes)
            total = tf.reduce_sum(made)
        gradient = tape.gradient(total, variable).numpy()
        merged = made.numpy().reshape(-1, *([6] if axes == 1 else [24]))
        tops = np.abs(merged).max(axis=0) if granularity == "channel" else np.abs(merged).max()
        steps = merged / tops * 127
        found[f"{granularity} {axes}"] = {
            "steps": float(np.abs(steps - np.round(steps)).max()),
            "zeros": int((made.numpy()[weights == 0] != 0).sum()),
            "error": float(np.abs(made.numpy() - weights).max() / np.abs(weights).max()),
            "gradient": [float(gradient.min()), float(gradient.max())],
        }
    layer = fake_quant.layers().range()
    layer.build((None, 3))
    x = tf.constant([[-3.0, 0.25, 3.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x))
    found["clipped"] = tape.gradient(total, x).numpy().tolist()
    return found


def moving():
    """How the ranges follow what passes through them."""
    begin = keras.Input((2,), name="row")
    range_, fixed = fake_quant.layers().range(name="r"), fake_quant.layers().range(fixed=(0.0, 1.0))
    model = keras.Model(begin, fixed(L.ReLU()(range_(begin))))
    x = np.tile(np.array([[-2.0, 6.0]], np.float32), (64, 1))

    def ranges(x):
        return aware.Ranges(
            model=model,
            samples=Samples(x={"": x}, y=None),
            batch=16,
            random=np.random.default_rng(0),
        )

    def now():
        return [float(range_.low.numpy()), float(range_.high.numpy())]

    found = {"begin": now()}
    ranges(x).find()
    found["found"] = now()
    for step in range(1, 17):
        ranges(2 * x).follow(step, 32)
    found["followed"] = now()
    for step in range(17, 33):
        ranges(4 * x).follow(step, 32)
    found["frozen"] = now()
    ranges(0 * x).find()
    found["dead"] = now()
    found["fixed"] = [float(fixed.low.numpy()), float(fixed.high.numpy())]
    found["trainable"] = len(model.trainable_variables)
    return found


def refused():
    """By name: why the step, or the export of what it made, cannot be done."""
    begin = keras.Input((8, 4), name="series")
    curved = L.Dense(4, activation="elu", name="curved")(begin)
    memory = keras.Model(begin, L.Dense(3, name="kind")(L.LSTM(4, name="memory")(curved)))
    x = L.Conv2D(16, 3, name="conv")(image())
    few = keras.Model(image_of(x), L.BatchNormalization(name="norm")(x))
    conv = few.get_layer("conv")
    conv.kernel.assign(np.sign(conv.kernel.numpy()))
    cases = {
        "unknown": (memory, {}),
        "clusters": (few, {"keep": ["clusters"]}),
        "nowhere": (few, {"only": ["nowhere"]}),
        "nothing": (residual(), {"only": ["relu0"]}),
    }
    found = {}
    for name, (model, options) in cases.items():
        try:
            quantized(model, name, **options)
        except EdgebenchError as error:
            found[name] = [type(error).__name__, str(error), str(error.hint)]
    return found


def left():
    """A layer that has no integer form, and one that has, left float."""
    begin = keras.Input((8, 4), name="series")
    x = L.Dense(6, name="last")(L.LSTM(4, name="memory")(L.Conv1D(4, 3, name="first")(begin)))
    model = keras.Model(begin, L.Dense(3, name="kind")(x))
    outcome, _ = quantized(model, "left", skip=["memory", "last"])
    made = exported(outcome.path, export_tflite, FOLDER / "left" / "tflite")
    floating = read_tflite_counts(made.path).floating
    return {
        "left": outcome.changed["left_float"],
        "promise": outcome.promises.is_integer,
        "error": made.settings["parity_rms_error"],
        "dense": floating["FULLY_CONNECTED"],
        "conv": floating.get("CONV_2D"),
    }


def ends():
    """What the step wants of inputs, outputs and activations comes out in the files."""
    found = {}
    model = keras.Sequential([keras.Input((8, 8, 1), name="image"), residual()])
    for name, options in (("int", {"io": "int"}), ("s8s8", {"scheme": "s8s8"}), ("u8s8", {})):
        outcome, _ = quantized(model, name, **options)
        if name != "int":
            made = exported(outcome.path, export_onnx, FOLDER / name / "onnx")
            found[name] = made if isinstance(made, str) else points_of(made.path)
    answers = [
        ort.InferenceSession(str(FOLDER / name / "onnx" / "model.onnx")).run(None, {"image": x})[0]
        for name in ("s8s8", "u8s8")
        for x in [np.full((1, 8, 8, 1), 0.3, np.float32)]
    ]
    made = exported(FOLDER / "int" / "made" / "model.keras", export_tflite, FOLDER / "int" / "file")
    artifact = read_artifact(made.path)
    specs = (*artifact.inputs, *artifact.outputs)
    operations = read_tflite_counts(made.path).operations
    return {
        **found,
        "apart": float(np.abs(answers[0] - answers[1]).max()),
        "dtypes": sorted({spec.dtype for spec in specs}),
        "edges": sorted({"QUANTIZE", "DEQUANTIZE"} & set(operations)),
        "error": made.settings["parity_rms_error"],
    }


def points_of(path):
    """The element types of the zero points of what an ONNX file rounds."""
    graph = onnx.load(str(path)).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    points = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    return sorted({onnx.TensorProto.DataType.Name(types[name]) for name in points})


def image_of(tensor):
    return tensor._keras_history.operation.input


def lost():
    """A file whose model has another bias than the source is no export of it."""
    model = trained(keras.Model(begin := image(), L.Dense(4, name="kind")(L.Flatten()(begin))))
    outcome, _ = quantized(model, "lost")
    made = exported(outcome.path, export_tflite, FOLDER / "lost" / "tflite")
    changed = open_model(outcome.path, UserCode())
    changed.get_layer("kind_core").bias.assign_add(np.array([2, 0, 0, 0]))
    changed.save(FOLDER / "lost" / "other.keras")
    try:
        check_likeness(
            open_keras(FOLDER / "lost" / "other.keras"),
            made.path,
            Format.TFLITE,
            seed=0,
        )
    except EdgebenchError as error:
        return str(error)
    return ""


def main():
    keras.utils.set_random_seed(0)
    models = {"gated": gated, "decoder": decoder, "series": series, "several": several}
    cases = {name: examined(name, make()) for name, make in models.items()}
    cases |= {"rounding": rounding(), "moving": moving(), "refused": refused(), "lost": lost()}
    cases |= {"left": left(), "ends": ends()}
    (FOLDER / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
