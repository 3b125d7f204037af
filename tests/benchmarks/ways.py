"""What each way to run models costs: megabytes sent, seconds of a launch, memory of the process.

    .venv/bin/python tests/benchmarks/ways.py [ROUNDS]

On this machine, as if it had neither a Python nor a C library where a way brings its own. The
outputs of a small net are computed, start to end; the ways take turns. Seconds are those of the
processor too, which whatever else the machine does changes less. What is sent is counted from an
empty device.
"""

import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.cli.desk import cache_folder
from edgebench.core import Device
from edgebench.device.connect import connect
from edgebench.device.provision import Launch
from edgebench.device.survey import provisioned
from edgebench.measure.plain_model import write_plain_model
from edgebench.runner import RunnerJob, run_here
from edgebench.runtimes import RUNS

BARE: dict[str, Any] = {"libc": None, "libstdcxx": None, "pythons": []}
GLIBC: dict[str, Any] = {"pythons": []}


def cases(device: Device) -> Iterator[tuple[str, str, Device]]:
    """A name, a runtime, and the device as it would be where that way is taken."""
    listed: Any = device.facts["pythons"]
    plain: dict[str, Any] = {"pythons": [{**listed[0], "packages": {}}]}
    for runtime in ("litert", "onnxruntime"):
        for name, choice, facts in (
            ("wheels in its Python", runtime, plain),
            ("a Python that is sent", runtime, BARE),
            ("native, its C library", f"{runtime}-native", GLIBC),
            ("native, one that is sent", f"{runtime}-native", BARE),
        ):
            yield f"{runtime}: {name}", choice, replace(device, facts={**device.facts, **facts})


def used_s() -> float:
    """Seconds of the processor that ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(launch: Launch, model: Path, folder: Path, kind: str) -> tuple[float, float, float]:
    """Seconds of a launch, those of the processor, and the megabytes that it holds at the end."""
    asked: Any = {"kind": kind, "model": str(model), "runtime": RUNS[launch.runtime]}
    variables = [f"{name}={value}" for name, value in launch.env.items()]
    begin_s, before_s = time.perf_counter(), used_s()
    done = run_here(RunnerJob(**asked), folder, program=("env", *variables, *launch.argv))
    resident = done.memory.s3.rss_bytes / 1e6 if done.memory else 0.0
    return time.perf_counter() - begin_s, used_s() - before_s, resident


def onnx_of(folder: Path) -> Path:
    """The same net in ONNX, as near as matters here."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weights = numpy_helper.from_array(np.eye(128, dtype=np.float32), "w")
    names = ["x", *(f"h{layer}" for layer in range(23)), "y"]
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 128]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "plain", ends[:1], ends[1:], [weights])
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "net.onnx")
    return folder / "net.onnx"


def main(rounds: int) -> None:
    here = connect("local://")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_plain_model(folder / "net.tflite")
        models = {"litert": folder / "net.tflite", "onnxruntime": onnx_of(folder)}
        launches: dict[str, Launch] = {}
        sent: dict[str, int] = {}
        for number, (name, choice, device) in enumerate(cases(here)):
            empty = replace(device, work_folder=PurePosixPath(folder / f"device-{number}"))
            put = provisioned(empty, runtime=choice, cache=cache_folder(), progress=print).puts[0]
            launches[name], sent[name] = put.launch, put.sent_bytes
        starts: dict[str, list[tuple[float, float, float]]] = {name: [] for name in launches}
        resident: dict[str, float] = {}
        for _ in range(rounds):
            for name, launch in launches.items():
                model = models[RUNS[launch.runtime]]
                starts[name].append(run(launch, model, folder / "job", "outputs"))
                resident[name] = run(launch, model, folder / "job", "memory")[2]
    print(f"\n{platform.machine()}, median of {rounds} in turn\n")
    print("| way | sent, MB | launch, s | of the processor, s | resident, MB |")
    print("|---|---:|---:|---:|---:|")
    for name, times in starts.items():
        wall_s, cpu_s = (statistics.median(column) for column in list(zip(*times, strict=True))[:2])
        row = f"{sent[name] / 1e6:.1f} | {wall_s:.2f} | {cpu_s:.2f} | {resident[name]:.0f}"
        print(f"| {name} | {row} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
