"""What holding zeros, clusters or fake quantization costs in training, against a plain epoch.

    python tests/benchmarks/tuning_cost.py [ROUNDS]

ResNet-8 and LeNet on the 9,000 images of zoo:fashion-mnist, one epoch each, in an order drawn anew
in every round. The seconds are those that the ledger has: of the training alone, TensorFlow's
compilation of the step included. The aim is 1.5.
"""

import random
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import UserCode
from edgebench.core import Format, Recipe
from edgebench.data import load_dataset

SAME = "def same(model, options):\n    return model\n"
TUNE = {"tune": "1 epochs"}
WAYS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"step": "steps.py:same", **TUNE}],
    "zeros (cubic)": [{"prune": "80 %", **TUNE}],
    "zeros (constant)": [{"prune": "80 %", "schedule": "constant", **TUNE}],
    "clusters": [{"cluster": 16, **TUNE}],
    "fake quantization": [{"quantize": "int8", "aware": True, **TUNE}],
}


def main(rounds: int) -> None:
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "steps.py").write_text(SAME)
        dataset = load_dataset("zoo:fashion-mnist", base=folder)
        for name in ("lenet", "resnet8"):
            model = open_model(
                f"zoo:{name}", base=folder, dataset=dataset, cache=folder, seed=0, progress=print
            )
            for number in range(rounds):
                for way in random.sample(sorted(WAYS), len(WAYS)):
                    steps = tuple(parse_step(step) for step in WAYS[way])
                    variant = build(
                        model,
                        Recipe(name=way, steps=steps),
                        Format.TFLITE,
                        dataset=dataset,
                        metric=None,
                        cache=folder / f"{number}-{way.split()[0]}-{len(way)}",
                        seed=0,
                        code=UserCode(base=folder),
                        progress=lambda _: None,
                    )
                    told: Any = variant.ledger[0].changed["tuned"]
                    seconds[name, way].append(told["seconds"])
    print("| model | held | seconds an epoch | times a plain epoch |\n|---|---|---|---|")
    for (name, way), taken in seconds.items():
        ratios = [a / b for a, b in zip(taken, seconds[name, "plain"], strict=True)]
        row = f"| {name} | {way} | {statistics.median(taken):.2f} | {statistics.median(ratios):.2f}"
        print(f"{row} ({min(ratios):.2f}…{max(ratios):.2f}) |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
