"""How often a net is called different from itself, and how often from one that is slower.

    python tests/benchmarks/aa.py [--comparisons 200] [--load] [--planted 3 5 10]

A small net is launched by the project's own runner, several times in each of many blocks, in an
order drawn anew for each. A comparison draws some of the blocks, and in each of them two of the
launches, the first of which is the cell and the second the reference. So 200 comparisons cost 160
launches and not 3200; they share launches, and their shares scatter more than those of 200 that
share none. What is drawn at random within a block differs by chance alone: every `faster` and
`slower` is an error.

With `--planted` each block holds one launch more of nets that are larger by as many percent, by
whole layers of the same kind; of these the launches are compared with those of the small one. With
`--load` a child process keeps the last core busy in bursts of uneven length, and the runner has the
others.

Printed is a Markdown row of the share of each verdict for every margin of the presets.
"""

import argparse
import collections
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgebench.measure.changepoints import is_multimodal, last_change
from edgebench.measure.comparison import Comparison, compare, noise_floor
from edgebench.measure.protocol import MARGIN_LOCKED_RATIO, MARGIN_RATIO
from edgebench.runner import Loop, RunnerJob, run_here

LAYERS: Final = 100
WIDTH: Final = 64
VERDICTS: Final = ("faster", "slower", "equivalent", "different_but_small", "inconclusive")
# As the preset `quick`, but shorter: a launch takes less than a second.
LOOP: Final = Loop(
    warmup_min_s=0.1,
    warmup_max_s=1.0,
    sample_min_invokes=64,
    sample_min_s=0.15,
    sample_max_s=1.5,
    group=1,
)

# Pinned to one core, busy and idle by turns; it ends with its parent.
BURSTS: Final = """
import os, random, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
draw, parent = random.Random(0), int(sys.argv[2])
while os.getppid() == parent:
    stop = time.monotonic() + draw.uniform(0.05, 2)
    heavy = draw.random() < 0.5
    while time.monotonic() < stop:
        sum(bytes(1 << 22)) if heavy else sum(range(10000))
    time.sleep(draw.uniform(0.05, 2))
"""

# By block, the samples of its launches.
Pool = Mapping[int, Sequence[NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """What was measured.

    Attributes:
        same: Launches of the small net, several a block.
        larger: By percent, one launch a block of a net that is larger by so much.
    """

    same: Pool
    larger: Mapping[int, Pool]


def write_net(path: Path, layers: int) -> Path:
    """A chain of equal layers: its work is their number."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    nodes, weights = [], []
    for layer in range(layers):
        # A chain of such layers neither dies out nor grows.
        values = draw.normal(0, np.sqrt(2 / WIDTH), (WIDTH, WIDTH)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"h{layer}"]))
        nodes.append(helper.make_node("Relu", [f"h{layer}"], [f"x{layer + 1}"]))
    first, last = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH])
        for name in ("x0", f"x{layers}")
    )
    graph = helper.make_graph(nodes, "chain", [first], [last], weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def measure(options: argparse.Namespace, folder: Path) -> Pools:
    """Launch every net of every block, in an order drawn anew for each."""
    nets = {
        percent: write_net(folder / f"{percent}.onnx", round(LAYERS * (1 + percent / 100)))
        for percent in (0, *options.planted)
    }
    draw = random.Random(options.seed)
    same: dict[int, list[NDArray[np.int64]]] = collections.defaultdict(list)
    larger: dict[int, dict[int, list[NDArray[np.int64]]]] = {p: {} for p in options.planted}
    for block in range(options.pool):
        order = [0] * options.launches + options.planted
        draw.shuffle(order)
        for percent in order:
            samples = launch(nets[percent], folder / "run")
            if percent:
                larger[percent][block] = [samples]
            else:
                same[block].append(samples)
    return Pools(same=same, larger=larger)


def launch(net: Path, folder: Path) -> NDArray[np.int64]:
    """The samples of one process of the runner."""
    run_here(
        RunnerJob(kind="latency", model=str(net), runtime="onnxruntime", loop=LOOP),
        folder,
        timeout_s=60.0,
    )
    with np.load(folder / "samples.npz") as archive:
        samples: NDArray[np.int64] = archive["latency_ns"]
    return samples


@contextlib.contextmanager
def loaded(core: int) -> Iterator[None]:
    """Keep a core busy in bursts, and this process with its children on the others."""
    before = os.sched_getaffinity(0)
    argv = [sys.executable, "-c", BURSTS, str(core), str(os.getpid())]
    with subprocess.Popen(argv) as child:
        os.sched_setaffinity(0, before - {core})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)
            child.terminate()


def compared(
    pools: Pools, percent: int, options: argparse.Namespace, margin_ratio: float
) -> list[Comparison]:
    """Comparisons of the small net with itself, or of a larger one with it."""
    draw = random.Random(f"{options.seed}:{percent}")
    found = []
    for _ in range(options.comparisons):
        ours, theirs = {}, {}
        for block in draw.sample(sorted(pools.same), options.blocks):
            if percent:
                ours[block] = draw.choice(pools.larger[percent][block])
                theirs[block] = draw.choice(pools.same[block])
            else:
                ours[block], theirs[block] = draw.sample(pools.same[block], 2)
        found.append(compare(ours, theirs, margin_ratio=margin_ratio))
    return found


def row(name: str, comparisons: Sequence[Comparison], margin_ratio: float) -> str:
    """The share of each verdict, and the middle ratio, as a row of the table."""
    counts = collections.Counter(comparison.verdict for comparison in comparisons)
    shares = [f"{100 * counts[verdict] / len(comparisons):.1f}" for verdict in VERDICTS]
    ratio = np.median([comparison.ratio.value for comparison in comparisons])
    reach = np.median([comparison.ratio.half_width_ratio for comparison in comparisons])
    cells = [name, f"{100 * margin_ratio:g}", f"{ratio:.3f} ±{100 * reach:.1f} %", *shares]
    return f"| {' | '.join(cells)} |"


def show(pools: Pools, options: argparse.Namespace, seconds: float) -> None:
    """Print the table, and below it what the machine was like."""
    print(f"| net | margin, % | ratio | {' | '.join(f'{verdict}, %' for verdict in VERDICTS)} |")
    print(f"|---|---:|---:|{'---:|' * len(VERDICTS)}")
    for percent in (0, *options.planted):
        name = f"{percent} % larger" if percent else "itself"
        name += ", under load" if options.load else ""
        for margin_ratio in (MARGIN_RATIO, MARGIN_LOCKED_RATIO):
            comparisons = compared(pools, percent, options, margin_ratio)
            print(row(name, comparisons, margin_ratio), flush=True)
    launches = [samples for block in pools.same.values() for samples in block]
    restless = sum(is_multimodal(samples.size, last_change(samples)) for samples in launches)
    floor = noise_floor(compared(pools, 0, options, 0.0))
    middle_us = np.median([np.median(samples) for samples in launches]) / 1e3
    print(
        f"\n{options.comparisons} comparisons of {options.blocks} blocks, from {len(launches)} "
        f"launches in {len(pools.same)} blocks; an inference took {middle_us:.0f} us; "
        f"95 % of the ratios of the net to itself lie within {100 * floor:.1f} %; {restless} "
        f"launches had no level that they stayed at; {seconds:.0f} s."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=8, help="blocks of a comparison")
    parser.add_argument("--pool", type=int, default=40, help="blocks that are measured")
    parser.add_argument("--launches", type=int, default=4, help="of the small net in each block")
    parser.add_argument("--load", action="store_true", help="keep the last core busy in bursts")
    parser.add_argument("--planted", type=int, nargs="*", default=[], metavar="PERCENT")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.blocks > options.pool or options.launches < 2:
        parser.error("a comparison needs its blocks in the pool, and two launches in each")
    cores = os.sched_getaffinity(0)
    if options.load and len(cores) < 2:
        parser.error("--load needs a second core")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgebench-aa-") as name:
        with loaded(max(cores)) if options.load else contextlib.nullcontext():
            pools = measure(options, Path(name))
        show(pools, options, time.monotonic() - started)


if __name__ == "__main__":
    main()
