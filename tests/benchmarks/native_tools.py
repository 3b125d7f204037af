"""The runner's median latency over that of the runtimes' own tools, on the same files.

    python tests/benchmarks/native_tools.py [--pairs 12] [--seconds 3]

TFLite files also run through `litert-benchmark` of the ai-edge-litert wheel, ONNX files through
`onnxruntime_loop.c`, a C program over the libonnxruntime.so of the onnxruntime wheel, compiled
here by gcc. Each launch is a process of its own with one thread; the two sides take turns, in an
order that turns from pair to pair, and make as many inferences. Printed is a Markdown table; the
exit code is 1 where a ratio's interval does not touch 1.00 +- 0.02. The nets are those of
keras.applications, with drawn weights.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgebench.compress.pipeline import build, open_model
from edgebench.compress.recipe import parse_step
from edgebench.core import Artifact, Format, Recipe
from edgebench.data import load_dataset
from edgebench.measure.intervals import mean_interval_of
from edgebench.runner import Loop, RunnerJob, run_here
from edgebench.runtimes import Runtime

LIMIT: Final = 0.02
SIDE: Final = 96
NETS: Final = ("MobileNetV2", "ResNet50")
STEPS: Final[dict[str, tuple[str, ...]]] = {"float": (), "int8": ("quantize int8",)}
RUNTIMES: Final[dict[Format, Runtime]] = {Format.TFLITE: "litert", Format.ONNX: "onnxruntime"}

# From a file, the runs and a scratch folder to the median in nanoseconds.
Native = Callable[[Artifact, int, Path], float]


def make(net: str, folder: Path) -> dict[tuple[str, Format], Artifact]:
    """The net in every form and format."""
    import keras

    keras.utils.set_random_seed(0)
    shape = (SIDE, SIDE, 3)
    model = getattr(keras.applications, net)(weights=None, input_shape=shape, classes=10)
    model.save(folder / f"{net}.keras")
    random = np.random.default_rng(0)
    np.savez(
        folder / "data.npz",
        x_train=random.random((64, *shape), np.float32),
        y_train=np.arange(64) % 10,
        x_test=random.random((8, *shape), np.float32),
        y_test=np.arange(8),
    )
    dataset = load_dataset("data.npz", base=folder)
    settings: Any = {"dataset": dataset, "cache": folder / "cache"}
    settings["progress"] = lambda words: print(words, file=sys.stderr)
    opened = open_model(f"{net}.keras", base=folder, seed=0, **settings)
    made = {}
    for name, steps in STEPS.items():
        recipe = Recipe(name=name, steps=tuple(parse_step(step) for step in steps))
        for form in RUNTIMES:
            variant = build(opened, recipe, form, metric=None, seed=0, **settings)
            made[name, form] = variant.artifact
    return made


def by_runner(artifact: Artifact, seconds: float, folder: Path) -> tuple[float, int]:
    """Median nanoseconds of the runner's samples, and how many there were."""
    loop = Loop(warmup_min_s=1.0, sample_min_s=seconds)
    job = RunnerJob(
        kind="latency", model=str(artifact.path), runtime=RUNTIMES[artifact.format], loop=loop
    )
    run_here(job, folder)
    with np.load(folder / job.samples) as archive:
        samples = archive["latency_ns"]
    return float(np.median(samples)), samples.size


def by_litert_benchmark(artifact: Artifact, runs: int, folder: Path) -> float:
    """What `litert-benchmark` calls the median."""
    result = folder / "litert.json"
    tool = Path(sys.executable).parent / "litert-benchmark"
    counts = {"num_runs": runs, "warmup_runs": runs // 3, "num_threads": 1}
    argv = [str(tool), "--model", str(artifact.path), "--result_json", str(result)]
    argv += [f"--{name}={value}" for name, value in counts.items()]
    subprocess.run(argv, check=True, capture_output=True)
    return float(json.loads(result.read_bytes())["latency"]["median_ms"]) * 1e6


def by_c_loop(artifact: Artifact, runs: int, folder: Path) -> float:
    """The median of `onnxruntime_loop.c`."""
    (given,), (wanted,) = artifact.inputs, artifact.outputs
    shape = [axis or 1 for axis in given.shape or ()]
    files = (folder / "loop", next(_capi().glob("libonnxruntime.so.*")), artifact.path)
    numbers = [str(number) for number in (np.prod(shape), runs, *shape)]
    argv = [*map(str, files), given.name, wanted.name, *numbers]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _capi() -> Path:
    import onnxruntime

    return Path(onnxruntime.__file__).parent / "capi"


NATIVE: Final[dict[Format, Native]] = {
    Format.TFLITE: by_litert_benchmark,
    Format.ONNX: by_c_loop,
}


def compare(artifact: Artifact, asked: argparse.Namespace, folder: Path) -> tuple[str, bool]:
    """A row's figures, and whether the ratio may be 1.00 +- 0.02."""
    native = NATIVE[artifact.format]
    _, runs = by_runner(artifact, asked.seconds, folder)
    ours, theirs = [], []
    for pair in range(asked.pairs):
        for is_ours in (True, False) if pair % 2 else (False, True):
            if is_ours:
                ours.append(by_runner(artifact, asked.seconds, folder)[0])
            else:
                theirs.append(native(artifact, runs, folder))
    ratio = mean_interval_of(np.log(np.array(ours) / np.array(theirs)))
    low, middle, high = (float(np.exp(x)) for x in (ratio.low, ratio.value, ratio.high))
    medians = [statistics.median(side) / 1e6 for side in (theirs, ours)]
    words = f"{medians[0]:.2f} | {medians[1]:.2f} | {middle:.3f} [{low:.3f}, {high:.3f}]"
    return words, low <= 1 + LIMIT and high >= 1 - LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    lines, is_well = [], True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = Path(__file__).with_name("onnxruntime_loop.c")
        subprocess.run(["gcc", "-O2", "-o", folder / "loop", source, "-ldl"], check=True)
        for net in NETS:
            for (form, kind), artifact in make(net, folder).items():
                words, holds = compare(artifact, asked, folder)
                is_well &= holds
                lines.append(f"| {net} {form} | {kind.value} | {words} |")
                print(lines[-1], file=sys.stderr, flush=True)
    print("| net | format | native, ms | runner, ms | ratio |\n|---|---|---:|---:|---|")
    print("\n".join(lines))
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
