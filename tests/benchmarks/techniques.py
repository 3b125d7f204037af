"""Every technique alone at three strengths, and the chains, on ResNet-8 and all of Fashion-MNIST.

    python tests/benchmarks/techniques.py FOLDER [--seeds 3] [--tune "1 epochs"] [--only REGEX]

Writes data.py and plan.toml into FOLDER, carries the plan out by `edgebench run` on this machine
with every seed, and prints the table as markdown: means over the seeds, and their range. What was
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
from pathlib import Path
from typing import Any

from edgebench.cli.desk import cache_folder
from edgebench.workflow import Desk, run_plan

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


def chains(tune: str) -> dict[str, Steps]:
    """Sequences, each stage shown."""
    prune = {"prune": "80 %", "tune": "2 epochs"}
    cluster = {"cluster": 16, "keep": ["zeros"], "tune": tune}
    aware = {"quantize": "int8", "aware": True, "keep": ["zeros", "clusters"], "tune": tune}
    distil = {"distil": "self", "tune": "3 epochs"}
    return {
        "prune 80 %, cluster 16": [prune, cluster],
        "prune 80 %, cluster 16, aware int8": [prune, cluster, aware],
        "filters 50 %, distil, int8": [{"filters": "50 %"}, distil, "quantize int8"],
        "filters 38 %, distil, int8": [{"filters": "38 %"}, distil, "quantize int8"],
        "tucker 25 %, distil, int8": [{"tucker": "25 %"}, distil, "quantize int8"],
    }


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


def table(cells: list[dict[str, Any]], names: dict[str, str]) -> str:
    """One row a recipe and format."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        rows[names[cell["variant"]], cell["format"]].append(cell)
    floats = {cell["format"]: cell for cell in cells if cell["variant"] == "float"}
    lines = [
        "| recipe | format | top-1 % | file kB | gzip kB | gzip, times smaller | times faster |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for (recipe, form), group in rows.items():
        top1 = [100 * c["accuracy"]["value"] for c in group if c["accuracy"]["value"] is not None]
        ratios = [c["vs_reference"]["latency_ratio"] for c in group]
        faster = [1 / ratio for ratio in ratios if ratio]
        gzip = [c["gzip_bytes"] / 1000 for c in group]
        smaller = [floats[form]["gzip_bytes"] / 1000 / kb for kb in gzip]
        size = [c["size_bytes"] / 1000 for c in group]
        words = [spread(top1, ".2f"), spread(size, ".1f"), spread(gzip, ".1f")]
        words += [spread(smaller, ".1f"), spread(faster, ".2f")]
        lines.append(f"| {recipe} | {form} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune", default="1 epochs")
    parser.add_argument("--only", default=".")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / "data.py").write_text(DATA)
    every = {**alone(asked.tune), **chains(asked.tune)}
    chosen = {name: steps for name, steps in every.items() if re.search(asked.only, name)}
    text, names = plan_text(chosen, asked.seeds)
    path = asked.folder / "plan.toml"
    path.write_text(text)
    began = time.monotonic()

    def progress(words: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {words}", file=sys.stderr, flush=True)

    desk = Desk(out=asked.folder / "results", cache=cache_folder(), progress=progress)
    outcome = run_plan(path, desk)
    document: Any = outcome.document()
    print(table(document["cells"], names))
    for name, why in document["not_built"].items():
        print(f"\nnot built: {name}: {why['error']}")
    (asked.folder / "cells.json").write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
