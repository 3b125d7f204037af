"""What the orchestrator adds to the time that the device works, on the variants of a run.

    python tests/benchmarks/overhead.py results/<a run of the demo>

Each variant's latency pass is run twice, in an order drawn anew: through a session on `local://`
(deliver, start detached, wait, fetch, clean) and bare, as one process that the same runner is. The
ratio of the sums is what a run pays for being detached, resumable and the same for every device.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from edgebench.compress.inspect import read_artifact
from edgebench.core import Format, Job
from edgebench.device.connect import connect
from edgebench.device.provision import provision
from edgebench.device.ways import runtime_for
from edgebench.measure.protocol import PRESETS, loop_of
from edgebench.measure.session import Bench, Turn, compute_here, measure_latency
from edgebench.runner import RunnerJob, run_here
from edgebench.runtimes import RUNS

ROUNDS = 3


def main(run: Path) -> None:
    protocol = PRESETS["quick"]
    device = connect("local://")
    runtimes = {fmt: runtime_for(device, fmt) for fmt in (Format.TFLITE, Format.ONNX)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        benches = {
            runtime: Bench(
                device=device, launch=provision(device, runtime, cache=folder, progress=print)
            )
            for runtime in runtimes.values()
        }
        rows = []
        paths = sorted((run / "variants").glob("*.tflite")) + sorted(
            (run / "variants").glob("*.onnx")
        )
        for path in paths:
            artifact = read_artifact(path)
            compute_here(artifact, inputs=None, folder=folder)
            inputs = folder / "inputs.npz"
            runtime = runtimes[artifact.format]
            job = Job(variant=path.stem, artifact=artifact, device=device.name, runtime=runtime)
            bare = RunnerJob(
                kind="latency",
                model=str(path.resolve()),
                runtime=RUNS[runtime],
                inputs=str(inputs),
                loop=loop_of(protocol),
            )

            def session(job=job, bench=benches[runtime], inputs=inputs):
                measure_latency(bench, job, protocol, inputs=inputs, turn=Turn(block=0, position=0))

            def alone(bare=bare):
                run_here(bare, folder / "bare")

            session()  # what is delivered once is not the price of every process
            spent = {session: 0.0, alone: 0.0}
            for _ in range(ROUNDS):
                for call in random.sample([session, alone], 2):
                    start = time.perf_counter()
                    call()
                    spent[call] += time.perf_counter() - start
            rows.append((path.name, spent[session] / ROUNDS, spent[alone] / ROUNDS))
    device.transport.close()
    show(rows)


def show(rows):
    print("| variant | session, s | bare, s | ratio |\n|---|---|---|---|")
    for name, session_s, bare_s in rows:
        print(f"| {name} | {session_s:.3f} | {bare_s:.3f} | {session_s / bare_s:.3f} |")
    sums = np.sum([row[1:] for row in rows], axis=0)
    print(f"| all | {sums[0]:.3f} | {sums[1]:.3f} | **{sums[0] / sums[1]:.3f}** |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
