"""How to measure: the named presets, and the order within a block."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

from edgebench.core import MeasureProtocol
from edgebench.runner import Loop

# Smallest difference that is called one: where the clock may change, a board drifts by a few
# percent between two runs of the same file; where it is locked, by far less.
MARGIN_RATIO: Final = 0.05
MARGIN_LOCKED_RATIO: Final = 0.02

PRESETS: Final[Mapping[str, MeasureProtocol]] = {
    "quick": MeasureProtocol(
        preset="quick",
        blocks_min=5,
        blocks_max=5,
        ci_ratio=0.05,
        margin_ratio=MARGIN_RATIO,
        warmup_min_invokes=5,
        warmup_min_s=0.2,
        warmup_max_s=5.0,
        sample_min_invokes=64,
        sample_min_s=0.4,
        sample_max_s=3.0,
        memory_processes=3,
        timeout_s=300.0,
        gate_wait_s=0.0,
        repeats_max=1,
        cooldown_s=2.0,
        energy_runs=0,
    ),
    "standard": MeasureProtocol(
        preset="standard",
        blocks_min=8,
        blocks_max=20,
        ci_ratio=0.01,
        margin_ratio=MARGIN_RATIO,
        warmup_min_invokes=5,
        warmup_min_s=1.0,
        warmup_max_s=30.0,
        sample_min_invokes=64,
        sample_min_s=3.0,
        sample_max_s=20.0,
        memory_processes=3,
        timeout_s=600.0,
        gate_wait_s=60.0,
        repeats_max=2,
        cooldown_s=30.0,
        energy_runs=5,
    ),
    # For a board whose clock is locked: there 2 % is a difference, and 30 blocks can show it.
    "strict": MeasureProtocol(
        preset="strict",
        blocks_min=10,
        blocks_max=30,
        ci_ratio=0.01,
        margin_ratio=MARGIN_LOCKED_RATIO,
        warmup_min_invokes=10,
        warmup_min_s=2.0,
        warmup_max_s=60.0,
        sample_min_invokes=128,
        sample_min_s=10.0,
        sample_max_s=60.0,
        memory_processes=5,
        timeout_s=1800.0,
        gate_wait_s=300.0,
        repeats_max=3,
        cooldown_s=90.0,
        energy_runs=5,
        profile=True,
    ),
}


def block_order(keys: Sequence[str], *, block: int, seed: int) -> tuple[str, ...]:
    """The order of the cells in a block: the same for the same cells, block and seed.

    No block depends on another, so that a run that is resumed goes on in the order it had.

    >>> block_order("abc", block=0, seed=1) == block_order("cab", block=0, seed=1)
    True
    """
    order = sorted(keys)
    random.Random(f"{seed}:{block}").shuffle(order)
    return tuple(order)


def loop_of(protocol: MeasureProtocol) -> Loop:
    """What the runner is told of the protocol."""
    return Loop(
        warmup_min_invokes=protocol.warmup_min_invokes,
        warmup_min_s=protocol.warmup_min_s,
        warmup_max_s=protocol.warmup_max_s,
        sample_min_invokes=protocol.sample_min_invokes,
        sample_min_s=protocol.sample_min_s,
        sample_max_s=protocol.sample_max_s,
    )
