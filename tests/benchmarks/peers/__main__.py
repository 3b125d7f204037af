"""Side by side with what one would use instead, from the same trained ResNet-8 and the same images.

    python tests/benchmarks/peers FOLDER [--seeds 3] [--tune "1 epochs"]

tensorflow-model-optimization on tf_keras and TensorFlow's converter run in this environment (that
of tests/run.sh has them), torch-pruning and NNCF in one of their own that is made in FOLDER (1.3
GB). Every training has the same images, length, batches and learning rate, Adam along a half
cosine; every file runs on the 10,000 test images by the same runner. What was made is kept in
FOLDER: broken off and started again, it goes on where it was. Prints the table as markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))

from edgebench.cli.desk import cache_folder
from edgebench.compress.options import Common, Tune, common_of
from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.core import Format, Recipe
from edgebench.data import load_dataset
from tests.benchmarks.judged import Numbers, evaluate
from tests.benchmarks.techniques import DATA, spread

TORCH = ("torch==2.13.0", "torch-pruning==1.6.1", "nncf==3.4.0", "torchao", "onnx", "onnxruntime")
LEARNING_RATE = 1e-3
SUFFIX = {Format.TFLITE: ".tflite", Format.ONNX: ".onnx"}


def ours(tune: str) -> dict[str, tuple[list[Any], tuple[Format, ...]]]:
    """By what is compared: our steps, and the formats that a peer has."""
    prune = {"prune": "80 %", "tune": tune}
    cluster = {"cluster": 16, "tune": tune}
    aware = {"quantize": "int8", "aware": True, "tune": tune}
    kept = [
        prune,
        {**cluster, "keep": ["zeros"]},
        {**aware, "keep": ["zeros", "clusters"]},
    ]
    tflite, onnx = (Format.TFLITE,), (Format.ONNX,)
    return {
        "float": ([], tflite + onnx),
        "int8 after training": (["quantize int8"], tflite + onnx),
        "int8 after training, a scale a tensor": (
            [{"quantize": "int8", "granularity": "tensor"}],
            onnx,
        ),
        "prune 80 %": ([prune], tflite + onnx),
        "cluster 16": ([cluster], tflite),
        "aware int8": ([aware], tflite),
        "prune 80 %, cluster 16, aware int8": (kept, tflite),
        "filters 50 %": ([{"filters": "50 %", "tune": tune}], onnx),
    }


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def make_ours(folder: Path, base: Path, asked: argparse.Namespace) -> None:
    """Write ours, and what the peers begin with: arrays, and the weights of the trained net."""
    dataset = load_dataset("data.py:load", base=base)
    settings: Any = {"dataset": dataset, "cache": cache_folder(), "progress": tell}
    model = open_model("zoo:resnet8", base=base, seed=0, **settings)
    for what, (steps, formats) in ours(asked.tune).items():
        trains = any("tune" in step for step in steps)
        for seed in range(asked.seeds if trains else 1):
            recipe = Recipe(name=what, steps=tuple(parse_step(step) for step in steps))
            for form in formats:
                made = folder / f"edgebench__{what}__{seed}{SUFFIX[form]}"
                if made.exists():
                    continue
                variant = build(model, recipe, form, metric=None, seed=seed, **settings)
                made.write_bytes(variant.artifact.path.read_bytes())
    arrays = {"x_calibration": dataset.calibration[""]}
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        arrays |= {f"x_{name}": split.x[""], f"y_{name}": np.asarray(split.y)}
    np.savez(base / "arrays.npz", **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle for an array
    save_weights(model.artifact.path, base / "weights.npz")


def save_weights(path: Path, into: Path) -> None:
    """The weights of a Keras model as `layer/place`."""
    import keras

    model = keras.saving.load_model(path, compile=False)
    named = {
        f"{layer.name}/{place}": np.asarray(value)
        for layer in model.layers
        for place, value in enumerate(layer.get_weights())
    }
    np.savez(into, **named)  # type: ignore[arg-type]  # its stub takes allow_pickle for an array


def torch_python(base: Path) -> Path:
    """The Python of the environment that torch-pruning and NNCF live in."""
    home = base / "torch"
    python = home / "bin" / "python"
    if not (home / "whole").exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *TORCH], check=True)
        (home / "whole").touch()
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune", default="1 epochs")
    asked = parser.parse_args()
    base = asked.folder.absolute()
    made = base / "made"
    made.mkdir(parents=True, exist_ok=True)
    (base / "data.py").write_text(DATA)
    make_ours(made, base, asked)
    steps = common_of(parse_step({"prune": "80 %", "tune": asked.tune})).tune or Tune()
    todo = {
        "folder": str(made),
        "base": str(base),
        "seeds": asked.seeds,
        "epochs": steps.epochs,
        "steps": steps.steps,
        "batch": Common().batch,
        "learning_rate": LEARNING_RATE,
    }
    here = Path(__file__).parent
    settings = {**os.environ, "PYTHONPATH": str(here.parents[2])}
    for script, python in (
        ("by_tfmot.py", Path(sys.executable)),
        ("by_torch.py", torch_python(base)),
    ):
        argv = [str(python), str(here / script), json.dumps(todo)]
        subprocess.run(argv, check=True, stdout=sys.stderr, env=settings)
    report(made, base)


def report(made: Path, base: Path) -> None:
    dataset = load_dataset("data.py:load", base=base)
    rows: dict[tuple[str, str, str], list[Numbers]] = defaultdict(list)
    for path in sorted(made.iterdir()):
        who, what, _ = path.stem.split("__")
        rows[what, path.suffix, who].append(evaluate(path, base, dataset))
    print("| what | format | by | top-1 % | file kB | gzip kB |\n|---|---|---|---|---|---|")
    for (what, suffix, who), group in sorted(rows.items()):
        words = [spread([one[key] for one in group], ".2f") for key in ("top1", "file", "gzip")]
        print(f"| {what} | {suffix[1:]} | {who} | " + " | ".join(words) + " |")


if __name__ == "__main__":
    main()
