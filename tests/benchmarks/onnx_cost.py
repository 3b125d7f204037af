"""What a step on a 100 MB ONNX model costs: seconds, and memory by the size of the file.

    .venv/bin/python tests/benchmarks/onnx_cost.py [--only REGEX]

Each step runs in a process of its own with one thread, as one of several workers would run it, up
to and including the check that onnxruntime loads what was made. Memory is the highest resident set
of that process, less what it has after its imports. Weights are random: of all kernels those on
which a decomposition settles last. Printed is a Markdown table; the exit code is 1 where a step
takes more than two minutes, or more than four times the size of the file. `fold constants` is free
to: onnxslim holds several copies of the model.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS_MAX: Final = 120
SIZES_MAX: Final = 4
UNBOUND: Final = "fold constants"

STEPS: Final[tuple[dict[str, Any], ...]] = (
    {"prune": "80 %"},
    {"prune": "80 %", "scope": "layer"},
    {"prune": "50 %", "pattern": "2:4"},
    {"prune": "80 %", "pattern": "block 4x1"},
    {"cluster": 16},
    {"cluster": 16, "scope": "channel"},
    {"cluster": 16, "init": "density"},
    {"lowrank": "50 %"},
    {"lowrank": "50 %", "kind": "spatial"},
    {"lowrank": "energy 0.9"},
    {"lowrank": "evbmf"},
    {"tucker": "50 %"},
    {"tucker": "evbmf"},
    {"cp": "25 %"},
    {"share": "identical"},
    {"fold": "bn"},
    {"fold": "constants"},
)


def _make(path: Path) -> None:
    """Five convolutions of 3x3 and two dense layers, with normalizations, twins and a constant."""
    import numpy as np
    import onnx

    from tests.compress.onnx.nets import Draft

    random = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape, np.float32) * np.float32((2 / shape[-1]) ** 0.5)

    twin = normal(512, 512, 3, 3)
    draft = Draft()
    for weights in (normal(512, 256, 3, 3), *(normal(512, 512, 3, 3) for _ in "ab"), twin, twin):
        draft.add("Conv", weights, pads=[1, 1, 1, 1])
        draft.add("BatchNormalization", *[np.ones(512) for _ in "abcd"]).add("Relu")
    draft.add("Flatten").add("Gemm", normal(1536, 8192), normal(1536), transB=1).add("Relu")
    draft.add("MatMul", normal(1536, 1024))
    draft.nodes.append(onnx.helper.make_node("Neg", [next(iter(draft.stored))], ["unread"]))
    onnx.save(draft.model([1, 256, 4, 4]), str(path))


def _child(source: Path, folder: Path, raw: dict[str, Any]) -> None:
    """Walk the way of one step; prints what it cost."""
    import onnx  # noqa: F401 - to be in memory before the measurement begins
    import onnxruntime  # noqa: F401
    import onnxslim  # noqa: F401

    from edgebench.compress.inspect import read_artifact
    from edgebench.compress.loads import check_loads
    from edgebench.compress.onnx import cluster, factor, fold, prune, share
    from edgebench.compress.technique import Task
    from edgebench.core import Format, Step

    ways = {"prune": prune.WAY, "cluster": cluster.WAY, "share": share.WAY, "fold": fold.WAY}
    name = next(name for name in raw if name in {**ways, **factor.WAYS})
    way = {**ways, **factor.WAYS}[name]
    step = Step(name=name, value=raw[name], options={k: v for k, v in raw.items() if k != name})
    task = Task(way=way.name, source=read_artifact(source), step=step, folder=folder)
    before = _kilobytes("VmRSS")
    # From here on the highest resident set is counted anew: proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5")
    began, busy = time.monotonic(), time.process_time()
    outcome = way.function(task, lambda words: None)
    check_loads(outcome.path, Format.ONNX)
    seconds = time.monotonic() - began
    told = {"seconds": seconds, "busy": time.process_time() - busy}
    print(json.dumps({**told, "peak": 1024 * (_kilobytes("VmHWM") - before)}))


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1])


def _rows(source: Path, folder: Path, only: str) -> Iterator[tuple[str, float, float, str]]:
    """By step: seconds, peak in sizes of the file, and the row of the table."""
    from edgebench.compress.launch import THREADS, WORKER_ENVIRONMENT

    environment = {**os.environ, **WORKER_ENVIRONMENT, **dict.fromkeys(THREADS, "1")}
    for index, raw in enumerate(STEPS):
        name = ", ".join(f"{key} {value}" for key, value in raw.items())
        if not re.search(only, name):
            continue
        place = folder / str(index)
        place.mkdir()
        argv = [sys.executable, "-s", __file__, "--child"]
        argv.append(json.dumps([str(source), str(place), raw]))
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment)
        told = json.loads(done.stdout.splitlines()[-1])
        made = (place / "model.onnx").stat().st_size
        (place / "model.onnx").unlink()
        seconds, sizes = told["seconds"], told["peak"] / source.stat().st_size
        row = f"| {name} | {seconds:.1f} | {told['busy']:.1f} | {sizes:.1f} | {made / 1e6:.1f} |"
        yield name, seconds, sizes, row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a regular expression for the steps")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if options.child:
        source, folder, raw = json.loads(options.child)
        _child(Path(source), Path(folder), raw)
        return
    is_over = False
    with tempfile.TemporaryDirectory(prefix="edgebench-cost-") as name:
        source = Path(name) / "large.onnx"
        _make(source)
        print(f"A model of {source.stat().st_size / 1e6:.1f} MB.\n")
        print("| step | seconds | of a processor | peak memory / file | file after, MB |")
        print("|---|---:|---:|---:|---:|")
        for step, seconds, sizes, row in _rows(source, Path(name), options.only):
            print(row, flush=True)
            is_bound = not step.startswith(UNBOUND)
            is_over = is_over or (is_bound and (seconds > SECONDS_MAX or sizes > SIZES_MAX))
    sys.exit(is_over)


if __name__ == "__main__":
    main()
