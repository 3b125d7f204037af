"""How long a listing of many runs takes, and an export of many samples.

python -m tests.benchmarks.results [--runs 10000] [--samples 1000000]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from edgebench.plan import read_plan, shipped_plan
from edgebench.results.cells import read_cells
from edgebench.results.export import export
from edgebench.results.frames import Readable
from edgebench.results.listing import INDEX, SETTLED_NS, list_runs
from edgebench.results.store import CellSpec, RunDocument, write_run
from edgebench.workflow.environment import host_environment, now
from tests import postgres
from tests.results.conftest import recorded_cell


def spec_of(variant: str) -> CellSpec:
    key = f"{variant}.tflite.this-machine.litert.t1.cpu"
    return CellSpec(
        key=key,
        variant=variant,
        format="tflite",
        device="this-machine",
        runtime="litert",
        threads=1,
        reference=None,
    )


def document() -> RunDocument:
    """As the demo's: its plan, and fourteen cells."""
    return RunDocument(
        command="run",
        name="demo",
        created=now(),
        base="/somewhere",
        plan=asdict(read_plan(shipped_plan("demo"))),
        protocol={"preset": "quick", "margin_ratio": 0.05, "ci_ratio": 0.05},
        host=host_environment(),
        devices={"this-machine": {"facts": {"cpu_features": [*(60 * ["avx2"])]}}},
        cells=tuple(spec_of(f"variant-{number}") for number in range(14)),
        seed=0,
        finished=True,
    )


def seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def listing(out: Path, runs: int) -> None:
    told = document()
    write_run(out / "first", told)
    text = (out / "first" / "run.json").read_text()
    for number in range(1, runs):
        (out / f"run-{number}").mkdir()
        (out / f"run-{number}" / "run.json").write_text(text)
    print(f"{runs} runs, each with a run.json of {len(text)} bytes\n")
    time.sleep(SETTLED_NS / 1e9 + 0.1)
    command = [sys.executable, "-m", "edgebench", "results", "list", "--out", str(out)]

    def program() -> None:
        subprocess.run(command, check=True, capture_output=True)

    print("| listing | s |\n|---|---:|")
    print(f"| no index yet | {seconds(lambda: list_runs(out)):.2f} |")
    print(f"| with the index | {min(seconds(lambda: list_runs(out)) for _ in range(3)):.2f} |")
    print(f"| `edgebench results list`, the program's start included | {seconds(program):.2f} |")
    for number in range(100):
        write_run(out / f"run-{number + 1}", told)
    print(f"| 100 of them changed | {seconds(lambda: list_runs(out)):.2f} |")
    print(f"\nindex: {(out / INDEX).stat().st_size / 1e6:.1f} MB\n")


def exporting(out: Path, samples: int) -> None:
    """Into an empty target, and once more into one that holds the run."""
    spec = spec_of("float")
    rng = np.random.default_rng(0)
    latency_ns = {b: rng.integers(27_000, 31_000, samples // 20) for b in range(20)}
    recorded = replace(recorded_cell(spec, 20 * [0.03]), samples=latency_ns)
    cells = read_cells([spec], {spec.key: recorded}, margin_ratio=0.05, ci_ratio=0.05)
    run = Readable(name="r1", document=document(), cells=cells, checked=(), advice=())
    print(f"{samples} samples\n\n| target | first, s | again, s | MB |\n|---|---:|---:|---:|")
    with postgres.started() as server:
        targets = {
            "x.csv": f"{out}/x.csv",
            "x.parquet": f"{out}/x.parquet",
            "sqlite:///x.db": f"sqlite:///{out}/x.db",
            "postgresql://…": server.create("results"),
        }
        for name, target in targets.items():
            times = [f"{seconds(partial(export, [run], target)):.1f}" for _ in range(2)]
            size = sum(path.stat().st_size for path in out.glob(f"x.*{name.rpartition('.')[2]}"))
            print(f"| `{name}` | {' | '.join(times)} | {f'{size / 1e6:.0f}' if size else '—'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        listing(Path(folder) / "runs", asked.runs)
        exporting(Path(folder), asked.samples)


if __name__ == "__main__":
    main()
