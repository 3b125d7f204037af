"""Every technique alone at three strengths, and the chains, on ResNet-8 and all of Fashion-MNIST.

    python tests/benchmarks/techniques.py FOLDER [--seeds 3] [--tune "300 steps"] [--only REGEX]
        [--known FILE] [--untimed]

Writes data.py and plan.toml into FOLDER, makes every variant with every seed by `edgebench
compress`, runs each on the 10,000 test images, measures those of the last seed on this machine by
`edgebench bench`, and prints the table as markdown: means over the seeds, and their range. What was
made is kept in the cache: broken off and started again, it goes on where it was. What FILE knows of
an earlier run is made again only to be measured, and FILE is written anew after each seed. The
60,000 images are those of Debian's package dataset-fashion-mnist; ResNet-8 (16-32-64) is trained
once.
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
from edgebench.workflow import Desk
from edgebench.workflow.bench import BenchRequest, bench_files
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
Key = tuple[str, str, int]
KEY = ("recipe", "format", "seed")


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
    pruned = [
        {"prune": "92 %", "tune": "8 epochs", "learning_rate": 0.003},
        {"distil": "self", "keep": ["zeros"], "tune": "6 epochs", "learning_rate": 0.003},
    ]
    found["prune 92 %, distil"] = pruned
    found["prune 92 %, distil, cluster 16"] = [*pruned, cluster]
    found["prune 92 %, distil, cluster 16, aware int8"] = [*pruned, cluster, aware]
    for share in ("50 %", "60 %"):
        narrow = [{"filters": share}, distil]
        found[f"filters {share}, distil"] = narrow
        found[f"filters {share}, distil, int8"] = [*narrow, "quantize int8"]
    return found


def plan_text(recipes: dict[str, Steps], seed: int) -> tuple[str, dict[str, str]]:
    """The plan of a seed, and the recipe that each of its variants is of."""
    lines, names = [HEAD, '[[variant]]\nname = "float"\nsteps = []\n'], {"float": "float"}
    for recipe, steps in recipes.items():
        name = re.sub(r"[^a-z0-9]+", "-", recipe.lower()).strip("-")
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


def judged(made: list[Built], names: dict[str, str], base: Path, seed: int) -> dict[Key, Numbers]:
    """Accuracy and sizes of every file."""
    dataset = load_dataset("data.py:load", base=base)
    return {
        (names[built.variant.name], built.target.value, seed): evaluate(
            built.variant.artifact.path, base, dataset
        )
        for built in made
    }


def read_known(path: Path | None, tune: str) -> dict[Key, Numbers]:
    """What earlier runs have found, by recipe, format and seed."""
    if path is None or not path.exists():
        return {}
    document = json.loads(path.read_bytes())
    if document["tune"] != tune:
        sys.exit(f"{path} is of runs with --tune {document['tune']!r}.")
    return {
        (row.pop("recipe"), row.pop("format"), row.pop("seed")): row for row in document["rows"]
    }


def write_known(path: Path, tune: str, known: dict[Key, Numbers]) -> None:
    rows = [dict(zip(KEY, key, strict=True)) | known[key] for key in sorted(known)]
    lines = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"tune": {json.dumps(tune)}, "rows": [\n{lines}\n]}}\n')


def faster(document: Any, names: dict[str, str]) -> dict[Row, str]:
    """How often the float file's speed, of the variants that were measured, with the interval."""
    told = {}
    for cell in document["cells"]:
        ratio, ends = (cell["vs_reference"][k] for k in ("latency_ratio", "latency_ratio_ci95"))
        if ratio is not None:
            words = f"{1 / ratio:.2f} [{1 / ends[1]:.2f}, {1 / ends[0]:.2f}]"
            told[names[cell["variant"]], cell["format"]] = words
    return told


def table(known: dict[Key, Numbers], speeds: dict[Row, str]) -> str:
    """One row a recipe and format."""
    lines = [
        "| recipe | format | seeds | top-1 % | file kB | gzip kB | gzip, times smaller "
        "| times faster |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows: dict[Row, list[Numbers]] = defaultdict(list)
    for (recipe, form, _), numbers in sorted(known.items()):
        rows[recipe, form].append(numbers)
    for (recipe, form), group in sorted(rows.items(), key=lambda row: row[0][1], reverse=True):
        whole = known["float", form, 0]["gzip"]
        smaller = [whole / one["gzip"] for one in group]
        words = [str(len(group)), spread([one["top1"] for one in group], ".2f")]
        words += [spread([one[key] for one in group], ".1f") for key in ("file", "gzip")]
        words += [spread(smaller, ".1f"), speeds.get((recipe, form), "—")]
        lines.append(f"| {recipe} | {form} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def recipes_of(tune: str, only: str) -> dict[str, Steps]:
    """What is to be made, the forms of quantization among it."""
    forms: dict[str, Steps] = {form: [f"quantize {form}"] for form in FORMS}
    every = {**forms, **chains(), **alone(tune)}
    return {name: steps for name, steps in every.items() if re.search(only, name)}


def find(todo: dict[str, Steps], seed: int, desk: Desk, base: Path) -> dict[Key, Numbers]:
    """Make and judge the variants of one seed."""
    path = base / "plan.toml"
    text, names = plan_text(todo, seed)
    path.write_text(text)
    made, broken = compress_plan(path, desk)
    for name, (_, why) in broken.items():
        print(f"not built: {name}, seed {seed}: {why}\n")
    return judged(made, names, base, seed)


def time_all(recipes: dict[str, Steps], seed: int, desk: Desk, base: Path) -> dict[Row, str]:
    """Measure the files of a seed here, each beside the float file of its format."""
    path = base / "plan.toml"
    text, names = plan_text(recipes, seed)
    path.write_text(text)
    compress_plan(path, desk)
    speeds: dict[Row, str] = {}
    for form in BOTH:
        files = [desk.out / "variants" / f"{name}.{form}" for name in names]
        models = tuple(file for file in files if file.exists())
        outcome = bench_files(BenchRequest(models=models), replace(desk, out=base / "results"))
        speeds |= faster(outcome.document(), names)
    return speeds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune", default="300 steps")
    parser.add_argument("--only", default=".")
    parser.add_argument("--known", type=Path, help="what earlier runs found, written anew")
    parser.add_argument("--untimed", action="store_true", help="leave the latency out")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    base = asked.folder.absolute()
    base.mkdir(parents=True, exist_ok=True)
    (base / "data.py").write_text(DATA)
    known = read_known(asked.known, asked.tune)
    chosen = recipes_of(asked.tune, asked.only)
    began = time.monotonic()

    def progress(words: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {words}", file=sys.stderr, flush=True)

    desk = Desk(out=base / "made", cache=cache_folder(), progress=progress)
    for seed in range(asked.seeds):
        # What has no seed is made once.
        wanted = {name: steps for name, steps in chosen.items() if seed == 0 or name not in FORMS}
        done = {name for name, _, number in known if number == seed}
        todo = {name: steps for name, steps in wanted.items() if name not in done}
        if todo:
            found = find(todo, seed, desk, base)
            found = {key: one for key, one in found.items() if seed == 0 or key[0] != "float"}
            known |= found
        if asked.known is not None:
            write_known(asked.known, asked.tune, known)
    print(table(known, {} if asked.untimed else time_all(chosen, asked.seeds - 1, desk, base)))


if __name__ == "__main__":
    main()
