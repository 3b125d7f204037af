"""The step `filters` on models whose channels are known: what came of each case goes to cases.json.

python -m tests.compress.keras.filter_checks FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgebench.compress.inspect import read_artifact
from edgebench.compress.keras.channels import plan_of
from edgebench.compress.keras.export import export_tflite
from edgebench.compress.keras.filters import filter_keras, narrowed, without
from edgebench.compress.keras.macs import macs_of
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Task, UserCode
from edgebench.errors import EdgebenchError
from tests.compress.keras.channel_checks import apart, deafened, drawn, outputs

L = keras.layers
FOLDER = Path(sys.argv[1])
CLASSES, WIDTH, SAMPLES = 3, 16, 96
# The channels of `conv` that each marked model has no use for.
USELESS = [1, 2, 5, 8, 11, 13, 14, 15]
CHANCE = np.random.default_rng(0)


def quiet(words):
    """Progress that nobody reads."""


def plain():
    image = keras.Input((8, 8, 2), name="image")
    x = L.Conv2D(WIDTH, 3, padding="same", name="conv")(image)
    x = L.ReLU(name="relu")(L.BatchNormalization(name="norm")(x))
    x = L.Conv2D(24, 3, activation="relu", name="second")(x)
    x = L.Dense(32, activation="relu", name="hidden")(L.Flatten()(x))
    return keras.Model(image, L.Dense(CLASSES, activation="softmax", name="kind")(x))


def marked(way):
    """A model whose USELESS channels one score alone finds."""
    model = plain()
    conv, norm, second = (model.get_layer(name) for name in ("conv", "norm", "second"))
    kernel = CHANCE.uniform(0.5, 1.0, conv.kernel.shape).astype(np.float32)
    kernel[..., USELESS] *= {"l1": 0.1, "group": 1.5}.get(way, 10)
    conv.kernel.assign(kernel)
    gamma = np.ones(WIDTH, np.float32)
    gamma[USELESS] = 0.01 if way == "bn" else 1.0
    norm.gamma.assign(gamma)
    beta = np.zeros(WIDTH, np.float32)
    if way == "activation":
        beta[USELESS] = -1e6
    norm.beta.assign(beta)
    if way in ("group", "taylor"):
        read = second.kernel.numpy().copy()
        read[:, :, USELESS] *= {"group": 0.1, "taylor": 0}[way]
        second.kernel.assign(read)
    return model


def residual():
    """Two residual blocks, a concatenation, and a wide layer whose weights are small."""
    image = keras.Input((8, 8, 2), name="image")
    x = L.Conv2D(16, 3, padding="same", name="stem")(image)
    for name in "ab":
        y = L.Conv2D(24, 1, activation="relu", name=f"{name}_1")(x)
        x = L.Add(name=f"{name}_add")([x, L.Conv2D(16, 1, name=f"{name}_2")(y)])
    x = L.Concatenate()([x, L.Conv2D(8, 1, name="side")(x)])
    x = L.Dense(64, name="wide", kernel_initializer=weak)(L.GlobalAveragePooling2D()(x))
    x = L.Dense(16, name="last")(x)
    x = L.LSTM(4, name="memory")(L.Reshape((1, 16))(x))
    return keras.Model(image, L.Dense(CLASSES, name="kind")(x))


@keras.saving.register_keras_serializable("tests")
def weak(shape, dtype=None):
    """Half of the units all but nothing."""
    values = CHANCE.uniform(0.5, 1.0, shape)
    values[:, ::2] *= 1e-3
    return keras.ops.convert_to_tensor(values, dtype)


def data():
    path = FOLDER / "samples.npz"
    y = CHANCE.integers(0, CLASSES, SAMPLES)
    x = CHANCE.standard_normal((SAMPLES, 8, 8, 2)).astype(np.float32)
    x[..., 0] += y[:, None, None]
    arrays: dict[str, Any] = {
        "x_train/": x,
        "y_train": y,
        "x_validation/": x[:32],
        "y_validation": y[:32],
    }
    np.savez(path, **arrays)
    return path


def step(model, words, *, samples=None, name):
    """What the ledger is told, and the model that was made; or the error."""
    folder = FOLDER / name
    folder.mkdir()
    model.save(folder / "source.keras")
    task = Task(
        way="filters keras",
        source=read_artifact(folder / "source.keras"),
        step=parse_step(words),
        folder=folder,
        data=samples,
        code=UserCode(metric="top1"),
        origin=read_artifact(folder / "source.keras"),
    )
    try:
        outcome = filter_keras(task, quiet)
    except EdgebenchError as error:
        return {"error": type(error).__name__, "message": str(error), "hint": error.hint}, None
    made = keras.models.load_model(outcome.path)
    told = {
        "changed": dict(outcome.changed),
        "weights": outcome.promises.weights,
        "after": outcome.accuracies.after,
        "macs": macs_of(made),
        "parameters": made.count_params(),
        "matrices": int(sum(np.prod(w.shape) for w in made.weights if len(w.shape) >= 2)),
        "shapes": {w.path: list(w.shape) for w in made.weights},
    }
    return told, made


def scores(samples):
    for score in ("l1", "group", "bn", "taylor", "activation"):
        model = marked(score)
        words = {"filters": "50 %", "score": score, "round": 1, "only": "conv"}
        told, made = step(model, words, samples=samples, name=score)
        useful = [i for i in range(WIDTH) if i not in USELESS]
        kept = model.get_layer("conv").kernel.numpy()[..., useful]
        told["kept_the_useful"] = bool(np.array_equal(made.get_layer("conv").kernel.numpy(), kept))
        yield score, told


def wordings(samples):
    both = {"samples": samples}
    table = {
        "layer": ({"filters": "50 %"}, residual, both),
        "global": ({"filters": "50 %", "scope": "global"}, residual, both),
        "most": ({"filters": "99 %", "scope": "global"}, residual, both),
        "by activation": ({"filters": "50 %", "score": "activation"}, residual, both),
        "by gradient": ({"filters": "50 %", "score": "taylor"}, residual, both),
        "by gamma": ({"filters": "50 %", "score": "bn"}, plain, {}),
        "skip": ({"filters": "50 %", "skip": ["a_2"]}, residual, {}),
        "only": ({"filters": "50 %", "only": ["wide"]}, residual, {}),
        "nobody": ({"filters": "50 %", "only": ["nobody"]}, residual, {}),
        "held": ({"filters": "50 %", "only": ["kind"]}, residual, {}),
        "coarse": ({"filters": "50 %", "round": 64}, residual, {}),
        "no data": ({"filters": "50 %", "score": "taylor"}, plain, {}),
        "tuned": ({"filters": "50 %", "tune": "20 steps", "batch": 32}, plain, both),
    }
    for name, (words, build, given) in table.items():
        yield name, step(build(), words, name=name, **given)[0]


def mobilenet():
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(
        weights=None, alpha=0.35, input_shape=(64, 64, 3), classes=10, classifier_activation=None
    )
    image = CHANCE.random((1, 64, 64, 3), np.float32)
    plan = plan_of(model)
    same = without(model, plan, np.zeros(0, np.int64))
    smaller = narrowed(model, 0.7)
    gone = drawn(plan, CHANCE)
    smaller.save(FOLDER / "mobilenet.keras")
    return {
        "untouched": apart(outputs(same, image), outputs(model, image)),
        "smaller": apart(
            outputs(without(model, plan, gone), image), outputs(deafened(model, plan, gone), image)
        ),
        "moved": apart(outputs(smaller, image), outputs(model, image)),
        "frozen": dict(plan.frozen),
        "parameters": [model.count_params(), smaller.count_params()],
        "odd_widths": [
            layer.name
            for layer in smaller.layers
            if layer.weights and layer.name != "predictions" and layer.output.shape[-1] % 8
        ],
        "converted": converted(FOLDER / "mobilenet.keras", smaller, image),
    }


def memory():
    """Residuals, a concatenation and an LSTM."""
    smaller = narrowed(residual(), 0.5)
    smaller.save(FOLDER / "residual.keras")
    sample = CHANCE.random((1, 8, 8, 2), np.float32)
    return {"converted": converted(FOLDER / "residual.keras", smaller, sample)}


def converted(path, model, sample):
    """How far the TFLite file is from the model."""
    from ai_edge_litert.interpreter import Interpreter

    folder = path.with_suffix("")
    folder.mkdir()
    task = Task(way="keras to tflite", source=read_artifact(path), step=None, folder=folder)
    interpreter = Interpreter(str(export_tflite(task, quiet).path))
    runner = interpreter.get_signature_runner()
    (answer,) = runner(**{next(iter(runner.get_input_details())): sample}).values()
    return apart([answer], outputs(model, sample))


def narrow():
    try:
        narrowed(plain(), 0.9, round_to=64)
    except EdgebenchError as error:
        return {"error": type(error).__name__, "hint": error.hint}
    return {}


def main():
    samples = data()
    cases = {
        **dict(scores(samples)),
        **dict(wordings(samples)),
        "mobilenet": mobilenet(),
        "memory": memory(),
        "narrow": narrow(),
    }
    # A converter prints what it likes to stdout.
    (FOLDER / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
