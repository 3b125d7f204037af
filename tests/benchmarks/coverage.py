"""How often the 95 % intervals hold the truth: simulated latencies whose truth is known.

    python tests/benchmarks/coverage.py [--runs 300] [--blocks 5 8 20]

A run is a cell and its reference, a process of each a block, which the functions of `edgebench`
summarize and compare. Printed is a Markdown table of the share of runs whose interval of the
median, of p90 and of the ratio holds what the simulation was made with, and of the runs that are
doubted as `multimodal`. An interval that keeps its word comes to 95 %; the standard error of 300
runs is 1.3.

Processes differ by 2 %, and each shares 1 % with its neighbour in the block. Their samples are
lognormal with a spread of 5 %, but for what the name of the series says. A drift over the blocks is
no chance, but a cell by itself takes it for one: of its median and p90 the interval is then wider
than it had to be, that of the ratio is not.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgebench.core import Reason
from edgebench.measure.intervals import Interval
from edgebench.measure.stats import compare, summarize

Floats = NDArray[np.float64]
Random = np.random.Generator
# Logs of the latencies of a process around its level, from a generator and their number.
Series = Callable[[Random, int], Floats]

TYPICAL_NS: Final = 1e6
SAMPLES: Final = 400
BETWEEN: Final = 0.02
SHARED: Final = 0.01
WITHIN: Final = 0.05
RATIO: Final = 0.9
SLOW: Final = math.log(1.2)
TRUTH_SAMPLES: Final = 2_000_000


def independent(random: Random, n: int) -> Floats:
    return random.normal(0, WITHIN, n)


def remembering(memory: float) -> Series:
    """Noise of first order, by its moving average down to weights of 0.01 %."""

    def series(random: Random, n: int) -> Floats:
        reach = int(np.ceil(np.log(1e-4) / np.log(memory)))
        weights: Floats = memory ** np.arange(reach) * np.sqrt(1 - memory**2)
        return WITHIN * np.convolve(random.normal(size=n + reach - 1), weights, mode="valid")

    return series


def heavy(random: Random, n: int) -> Floats:
    """One sample in fifty is interrupted, and takes up to ten times as long."""
    interrupted = random.random(n) < 0.02
    return independent(random, n) + interrupted * random.uniform(0, np.log(10), n)


def rising(random: Random, n: int) -> Floats:
    """2 % slower at the end of a process than at its beginning: it grows warm."""
    return independent(random, n) + np.linspace(0, 0.02, n)


def mixed(random: Random, n: int) -> Floats:
    """Three samples of ten take 20 % longer."""
    return independent(random, n) + SLOW * (random.random(n) < 0.3)


def late(random: Random, n: int) -> Floats:
    """Up to 35 % of a process it is slow by 20 %, as if the warm-up had been too short."""
    return independent(random, n) + SLOW * (np.arange(n) < random.uniform(0, 0.35) * n)


SERIES: Final[Mapping[str, Series]] = {
    "independent": independent,
    "autocorrelated, 0.5": remembering(0.5),
    "autocorrelated, 0.9": remembering(0.9),
    "interrupted": heavy,
    "drift within a process": rising,
    "drift over the blocks": independent,
    "bimodal by sample": mixed,
    "bimodal, slow at first": late,
    "bimodal by process": independent,
}
# Of the part that a process keeps, where it is not all of it.
STEADY: Final[Mapping[str, Series]] = {"bimodal, slow at first": independent}


def levels(name: str, random: Random, blocks: int) -> Floats:
    """Logs of the levels of a cell's processes, but for what the block shares."""
    own = random.normal(0, BETWEEN, blocks)
    if name == "bimodal by process":
        # Around its mean, so that the truth stays where it is.
        own += np.log(1.05) * ((random.random(blocks) < 0.3) - 0.3)
    return own


def shared(name: str, random: Random, blocks: int) -> Floats:
    """Logs of what both sides of a block have in common."""
    common = random.normal(0, SHARED, blocks)
    if name == "drift over the blocks":
        common += np.linspace(-0.05, 0.05, blocks)
    return common


def run(name: str, random: Random, blocks: int, truths: Floats) -> tuple[bool, bool, bool, bool]:
    """Whether median, p90 and ratio are held, and whether the cell is doubted."""
    common = shared(name, random, blocks)

    def cell(factor: float) -> dict[int, NDArray[np.int64]]:
        return {
            block: np.asarray(
                factor * TYPICAL_NS * np.exp(level + SERIES[name](random, SAMPLES)), np.int64
            )
            for block, level in enumerate(levels(name, random, blocks) + common)
        }

    theirs, ours = cell(1.0), cell(RATIO)
    summary = summarize(theirs, [])
    assert summary is not None
    assert summary.p90 is not None
    ratio = compare(ours, theirs, margin_ratio=0.05).ratio
    median, p90 = truths
    return (
        holds(summary.p50, median),
        holds(summary.p90, p90),
        holds(ratio, RATIO),
        Reason.MULTIMODAL in summary.reasons,
    )


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def truths_of(name: str, random: Random) -> Floats:
    """Median and p90 of the latencies of a process at the typical level, from very many."""
    series = STEADY.get(name, SERIES[name])
    quantiles: Floats = np.quantile(series(random, TRUTH_SAMPLES), [0.5, 0.9])
    return TYPICAL_NS * np.exp(quantiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--blocks", type=int, nargs="+", default=[5, 8, 20])
    options = parser.parse_args()
    started = time.monotonic()
    print("| series | blocks | median, % | p90, % | ratio, % | multimodal, % |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in SERIES:
        random = np.random.default_rng(0)
        truths = truths_of(name, random)
        for blocks in options.blocks:
            runs = np.array([run(name, random, blocks, truths) for _ in range(options.runs)])
            shares = " | ".join(f"{100 * share:.1f}" for share in runs.mean(axis=0))
            print(f"| {name} | {blocks} | {shares} |", flush=True)
    print(f"\n{options.runs} runs each, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
