"""What it costs to come to an interval of 1 %, by how a campaign decides to go on.

`python -m tests.benchmarks.replication` simulates cells: levels of launches, and within each a
series with a memory. The preset `standard`: 8 to 20 launches, of 3 to 20 s of samples and at least
64. `fixed` always takes the least and goes on to the end; `split` lets `inner_samples` lengthen
later launches; `give up` stops where even 20 launches would not do, by a spread that only one true
one in twenty is below; `likely` the same by the spread that four in five are below; `both` splits
and gives up, as a campaign does.

Then verdicts of a ratio whose truth is the margin itself, so that `slower` and what lies within are
both wrong: of 8 blocks; of 20; looked at after every block from 8 to 20; and looked at after 8 and
after 20, as a campaign does.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal  # type: ignore[import-untyped]  # it ships no types

from edgebench.measure.comparison import compare
from edgebench.measure.intervals import exponential, mean_interval_of
from edgebench.measure.protocol import PRESETS
from edgebench.measure.replication import (
    ASSURANCE,
    HOPE,
    blocks_to_decide,
    inner_samples,
    processes_needed,
)

PROTOCOL: Final = PRESETS["standard"]
MEMORY_BEFORE: Final = 200


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A cell: seconds of a sample and of a launch, spreads of logs, correlation of neighbours."""

    sample_s: float
    launch_s: float
    within: float
    between: float
    memory: float = 0.0


KINDS: Final[Mapping[str, Kind]] = {
    "2 ms, quiet": Kind(sample_s=0.002, launch_s=3, within=0.05, between=0.01),
    "2 ms, launches differ by 2 %": Kind(sample_s=0.002, launch_s=3, within=0.05, between=0.02),
    "2 ms, launches differ by 5 %": Kind(sample_s=0.002, launch_s=3, within=0.05, between=0.05),
    "2 ms, wanders": Kind(sample_s=0.002, launch_s=3, within=0.1, between=0.005, memory=0.98),
    "20 ms, noisy": Kind(sample_s=0.02, launch_s=3, within=0.2, between=0.01),
    "20 ms, wanders": Kind(sample_s=0.02, launch_s=3, within=0.05, between=0.002, memory=0.9),
    "200 ms, quiet": Kind(sample_s=0.2, launch_s=5, within=0.05, between=0.01),
    "200 ms, wanders": Kind(sample_s=0.2, launch_s=5, within=0.03, between=0.002, memory=0.9),
}
# Whether launches are lengthened, and by which assurance a cell is given up.
RULES: Final[Mapping[str, tuple[bool, float | None]]] = {
    "fixed": (False, None),
    "split": (True, None),
    "give up": (False, HOPE),
    "likely": (False, ASSURANCE),
    "both": (True, HOPE),
}


def launch(random: np.random.Generator, kind: Kind, n: int) -> NDArray[np.float64]:
    fresh = random.normal(0, np.sqrt(1 - kind.memory**2), MEMORY_BEFORE + n)
    series = signal.lfilter([1], [1, -kind.memory], fresh)[MEMORY_BEFORE:]
    level = 1e9 * kind.sample_s * np.exp(random.normal(0, kind.between))
    return np.asarray(level * np.exp(kind.within * series))


def campaign(random: np.random.Generator, kind: Kind, rule: str) -> tuple[bool, float, int]:
    """Whether the width was met, the seconds of the device, and the launches."""
    is_split, assurance = RULES[rule]
    most = int(PROTOCOL.sample_max_s / kind.sample_s)
    least = int(min(max(64, PROTOCOL.sample_min_s / kind.sample_s), most))
    n, spent_s = least, 0.0
    found: list[NDArray[np.float64]] = []
    for block in range(PROTOCOL.blocks_max + 1):
        if block >= PROTOCOL.blocks_min:
            interval = exponential(mean_interval_of(np.log([np.median(p) for p in found])))
            if interval.half_width_ratio <= PROTOCOL.ci_ratio:
                return True, spent_s, block
            if block == PROTOCOL.blocks_max or (
                assurance is not None
                and processes_needed(
                    interval,
                    block,
                    half_width_ratio=PROTOCOL.ci_ratio,
                    most=PROTOCOL.blocks_max,
                    assurance=assurance,
                )
                is None
            ):
                return False, spent_s, block
            if is_split:
                wanted = inner_samples(found, launch_s=kind.launch_s, sample_s=kind.sample_s)
                n = int(min(max(wanted, least), most))
        found.append(launch(random, kind, n))
        spent_s += kind.launch_s + n * kind.sample_s
    raise AssertionError


LOOKS: Final[Mapping[str, Sequence[int]]] = {
    "8 blocks": (8,),
    "20 blocks": (20,),
    "after every block": range(8, 21),
    "after 8 and 20": (8, 20),
}
RATIOS: Final = (1.0, 1.03, 1.05, 1.08)


def verdict(logs: NDArray[np.float64], looks: Sequence[int]) -> tuple[str, int]:
    """The first verdict that is one, or that has no hope of one, and after how many blocks."""
    one = {block: np.array([1e9]) for block in range(logs.size)}
    for blocks in looks:
        ours = {block: np.array([1e9 * np.exp(logs[block])]) for block in range(blocks)}
        found = compare(ours, one, margin_ratio=PROTOCOL.margin_ratio)
        if blocks_to_decide(found, most=looks[-1], assurance=HOPE) in {0, None}:
            return found.verdict, blocks
    return "inconclusive", looks[-1]


def show_verdicts(runs: int) -> None:
    print("\n| ratio | looked at | faster, slower | within the margin | inconclusive | blocks |")
    print("|---" * 6 + "|")
    for ratio in RATIOS:
        for name, looks in LOOKS.items():
            random = np.random.default_rng(0)
            found = [verdict(random.normal(np.log(ratio), 0.05, 20), looks) for _ in range(runs)]
            beyond = sum(told in {"faster", "slower"} for told, _ in found)
            open_ones = sum(told == "inconclusive" for told, _ in found)
            shares = [beyond, runs - beyond - open_ones, open_ones]
            shown = " | ".join(f"{100 * share / runs:.1f} %" for share in shares)
            blocks = np.mean([count for _, count in found])
            print(f"| {ratio} | {name} | {shown} | {blocks:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    print(f"| cell | {' | '.join(RULES)} |")
    print("|---" * (len(RULES) + 1) + "|")
    for name, kind in KINDS.items():
        shown = []
        for rule in RULES:
            random = np.random.default_rng(0)
            runs = np.array([campaign(random, kind, rule) for _ in range(options.runs)])
            met, spent_s, launches = runs.mean(axis=0)
            shown.append(f"{100 * met:.0f} %, {spent_s:.0f} s, {launches:.1f}")
        print(f"| {name} | {' | '.join(shown)} |", flush=True)
    show_verdicts(5 * options.runs)


if __name__ == "__main__":
    main()
