"""What the watcher beside the runner costs: a share of a core, and the latency that it adds.

    python tests/benchmarks/watching.py [--pairs 12]

The net that devices are calibrated with, launched in pairs, one of which is watched as a device is
and one is not, in an order drawn anew; the loop is that of the preset `standard`. The aims are 1 %
of a core, and a ratio within the floor of a model against itself.
"""

import argparse
import random
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgebench.device.connect import connect
from edgebench.device.look import look
from edgebench.measure.comparison import compare
from edgebench.measure.plain_model import write_plain_model
from edgebench.measure.protocol import PRESETS, loop_of
from edgebench.measure.state import monitors
from edgebench.measure.watched import read_watched
from edgebench.runner import RunnerJob, WatchSpec, run_here


def launch(model: Path, folder: Path, watch: WatchSpec | None) -> np.ndarray:
    """The samples of a process, in nanoseconds."""
    job = RunnerJob(
        kind="latency",
        model=str(model),
        runtime="litert",
        loop=replace(loop_of(PRESETS["standard"]), group=1),
        watch=watch,
    )
    run_here(job, folder)
    with np.load(folder / job.samples) as archive:
        samples: np.ndarray = archive["latency_ns"]
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    pairs: int = parser.parse_args().pairs
    device = connect("local://")
    listing = look(device.transport, globs=monitors.globs(), tools=monitors.tools())
    watch = monitors.watch_spec(monitors.arm(listing, device.profile))
    assert watch is not None
    sides: dict[bool, dict[int, np.ndarray]] = {True: {}, False: {}}
    costs: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_plain_model(folder / "plain.tflite")
        for pair in range(pairs):
            for is_watched in random.sample([True, False], 2):
                asked = watch if is_watched else None
                sides[is_watched][pair] = launch(folder / "plain.tflite", folder / "run", asked)
                if is_watched:
                    told = read_watched((folder / "run" / watch.output).read_bytes())
                    costs += [told.cost_ratio] if told.cost_ratio is not None else []
    found = compare(sides[True], sides[False], margin_ratio=PRESETS["standard"].margin_ratio)
    ratio = found.ratio
    print("| sources | cores | ratio of medians | 95 % interval | pairs |\n|---|---|---|---|---|")
    print(
        f"| {len(watch.sources)} | {statistics.median(costs):.4f} | {ratio.value:.4f} "
        f"| [{ratio.low:.4f}, {ratio.high:.4f}] | {pairs} |"
    )


if __name__ == "__main__":
    main()
