"""Every technique alone at three strengths, and the chains, on ResNet-8 and all of Fashion-MNIST.

    python tests/benchmarks/techniques.py FOLDER [--seeds 3] [--tune "300 steps"] [--only REGEX]

Writes data.py and plan.toml into FOLDER, makes every variant with every seed by `edgebench
compress`, runs each on the 10,000 test images, measures those of the first seed on this machine by
`edgebench run`, and prints the table as markdown: means over the seeds, and their range. What was
made is kept in the cache: broken off and started again, it goes on where it was. The 60,000 images
are those of Debian's package dataset-fashion-mnist; ResNet-8 (16-32-64) is trained once.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.cli.desk import cache_folder
from edgebench.data import load_dataset
from edgebench.workflow import Desk, run_plan
from edgebench.workflow.build import Built
from edgebench.workflow.run import compress_plan
from tests.benchmarks.judged import Numbers, evaluate

DATA = """
from pathlib import Path

import numpy as np

from edgebench.zoo.make_fashion_mnist import SOURCE, read_idx


def load():
    arrays = {}
    for ours, theirs in (("train", "train"), ("test", "t10k")):
        x = read_idx(SOURCE / f"{theirs}-images-idx3-ubyte.gz")
        arrays[f"x_{ours}"] = x[..., np.newaxis] / np.float32(255)
        arrays[f"y_{ours}"] = read_idx(SOURCE / f"{theirs}-labels-idx1-ubyte.gz")
    return arrays
"""

HEAD = """schema = 1

[model]
source = "zoo:resnet8"

[data]
source = "data.py:load"

[protocol]
preset = "quick"

[[device]]
name = "here"
address = "local://"
"""

BOTH = ("tflite", "onnx")
FORMS = ("float16", "int8", "int8-dynamic", "int8-weights", "int16x8", "int4-weights")

Steps = list[Any]
Row = tuple[str, str]


# By step: its strengths, and what else it says.
STRENGTHS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "prune": (("50 %", "80 %", "90 %"), {}),
    "filters": (("25 %", "50 %", "75 %"), {}),
    "cluster": ((32, 16, 8), {}),
    "lowrank": (("75 %", "50 %", "25 %"), {"kind": "channel"}),
    "lowrank spatial": (("75 %", "50 %", "25 %"), {"kind": "spatial"}),
    "tucker": (("75 %", "50 %", "25 %"), {}),
    "cp": (("75 %", "50 %", "25 %"), {}),
}
WIDTHS = {"distil self": (0.75, 0.5, 0.25), "student zoo:ds-cnn": (1.0, 0.5, 0.25)}


def alone(tune: str) -> dict[str, Steps]:
    """Each technique at three strengths."""
    by_value = {
        f"{name} {value}": [{name.split()[0]: value, **more, "tune": tune}]
        for name, (values, more) in STRENGTHS.items()
        for value in values
    }
    by_width = {
        f"{name} {width}": [{name.split()[0]: name.split()[1], "width": width, "tune": tune}]
        for name, widths in WIDTHS.items()
        for width in widths
    }
    aware = {"quantize": "int8", "aware": True, "tune": tune}
    return {**by_value, **by_width, "aware int8": [aware]}


def chains() -> dict[str, Steps]:
    """Sequences, each stage shown."""
    cluster = {"cluster": 16, "keep": ["zeros"], "tune": "1 epochs"}
    aware = {"quantize": "int8", "aware": True, "tune": "1 epochs"}
    aware["keep"] = ["zeros", "clusters"]
    distil = {"distil": "self", "tune": "10 epochs", "learning_rate": 0.003}
    found: dict[str, Steps] = {}
    for share, more in (
        ("80 %", {"tune": "2 epochs"}),
        ("92 %", {"tune": "8 epochs", "learning_rate": 0.003}),
    ):
        prune = {"prune": share, **more}
        found |= {
            f"prune {share} ({more['tune']})": [prune],
            f"prune {share}, cluster 16": [prune, cluster],
            f"prune {share}, cluster 16, aware int8": [prune, cluster, aware],
        }
    found["filters 50 %, distil"] = [{"filters": "50 %"}, distil]
    found["filters 50 %, distil, int8"] = [{"filters": "50 %"}, distil, "quantize int8"]
    return found


def plan_text(recipes: dict[str, Steps], seeds: int) -> tuple[str, dict[str, str]]:
    """The plan, and the recipe that each of its variants is one seed of."""
    lines, names = [HEAD, '[[variant]]\nname = "float"\nsteps = []\n'], {"float": "float"}
    for form in FORMS:
        names[form] = form
        lines.append(f'[[variant]]\nname = "{form}"\nsteps = ["quantize {form}"]\n')
    for recipe, steps in recipes.items():
        for seed in range(seeds):
            name = re.sub(r"[^a-z0-9]+", "-", recipe.lower()).strip("-") + f"-s{seed}"
            names[name] = recipe
            seeded = [_toml(step, seed) for step in steps]
            lines.append(f'[[variant]]\nname = "{name}"\nsteps = [{", ".join(seeded)}]\n')
    return "\n".join(lines), names


def _toml(step: Any, seed: int) -> str:
    if isinstance(step, str):
        return json.dumps(step)
    return (
        "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in {**step, "seed": seed}.items()) + " }"
    )


def spread(values: list[float], form: str) -> str:
    """Mean, and the range where there is one."""
    if not values:
        return "—"
    mean = format(statistics.mean(values), form)
    low, high = format(min(values), form), format(max(values), form)
    return mean if low == high else f"{mean} ({low}…{high})"


def judged(made: list[Built], names: dict[str, str], base: Path) -> dict[Row, list[Numbers]]:
    """Accuracy and sizes of every file, by recipe and format."""
    dataset = load_dataset("data.py:load", base=base)
    rows: dict[Row, list[Numbers]] = defaultdict(list)
    for built in made:
        numbers = evaluate(built.variant.artifact.path, base, dataset)
        rows[names[built.variant.name], built.target.value].append(numbers)
    return rows


def faster(document: Any, names: dict[str, str]) -> dict[Row, str]:
    """How often the float file's speed, of the variants that were measured, with the interval."""
    told = {}
    for cell in document["cells"]:
        ratio, ends = (cell["vs_reference"][k] for k in ("latency_ratio", "latency_ratio_ci95"))
        if ratio is not None:
            words = f"{1 / ratio:.2f} [{1 / ends[1]:.2f}, {1 / ends[0]:.2f}]"
            told[names[cell["variant"]], cell["format"]] = words
    return told


def table(rows: dict[Row, list[Numbers]], speeds: dict[Row, str]) -> str:
    """One row a recipe and format."""
    lines = [
        "| recipe | format | top-1 % | file kB | gzip kB | gzip, times smaller | times faster |",
        "|---|---|---|---|---|---|---|",
    ]
    for (recipe, form), group in sorted(rows.items(), key=lambda row: row[0][1], reverse=True):
        whole = rows["float", form][0]["gzip"]
        smaller = [whole / one["gzip"] for one in group]
        words = [spread([one["top1"] for one in group], ".2f")]
        words += [spread([one[key] for one in group], ".1f") for key in ("file", "gzip")]
        words += [spread(smaller, ".1f"), speeds.get((recipe, form), "—")]
        lines.append(f"| {recipe} | {form} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune", default="300 steps")
    parser.add_argument("--only", default=".")
    parser.add_argument("--untimed", action="store_true", help="leave the latency out")
    asked = parser.parse_args()
    base = asked.folder.absolute()
    base.mkdir(parents=True, exist_ok=True)
    (base / "data.py").write_text(DATA)
    every = {**chains(), **alone(asked.tune)}
    chosen = {name: steps for name, steps in every.items() if re.search(asked.only, name)}
    text, names = plan_text(chosen, asked.seeds)
    path = base / "plan.toml"
    path.write_text(text)
    began = time.monotonic()

    def progress(words: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {words}", file=sys.stderr, flush=True)

    desk = Desk(out=base / "made", cache=cache_folder(), progress=progress)
    made, broken = compress_plan(path, desk)
    for name, (_, why) in broken.items():
        print(f"not built: {name}: {why}\n")
    rows = judged(made, names, base)
    speeds: dict[Row, str] = {}
    if not asked.untimed:
        first = [name for name in names if not re.search(r"-s[1-9]\d*$", name)]
        outcome = run_plan(path, replace(desk, out=base / "results"), variants=first)
        speeds = faster(outcome.document(), names)
    print(table(rows, speeds))


if __name__ == "__main__":
    main()
