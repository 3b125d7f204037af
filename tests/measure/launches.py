"""Samples of processes as a device would have taken them."""

import numpy as np
from scipy import signal  # type: ignore[import-untyped]  # it ships no types

from edgebench.core import Process

PROCESS = Process(
    block=0,
    position=0,
    started="2026-01-01T00:00:00+00:00",
    load_ns=2_000_000,
    first_ns=300_000,
    warmup_invokes=100,
    warmup_s=1.0,
    is_steady=True,
    samples=100,
)


def launches(random, blocks, *, n=100, median_ns=100_000, between=0.02, drift=None):
    """Samples of processes whose medians differ by `between`, skewed as latencies are."""
    drift = np.zeros(blocks) if drift is None else drift
    level = median_ns * np.exp(random.normal(0, between, blocks) + drift)
    return {
        block: (level[block] * (1 + 0.05 * random.exponential(size=n))).astype(np.int64)
        for block in range(blocks)
    }


def remembering(random, n, *, memory, spread=0.05, median_ns=1_000_000):
    """Samples of one process, in noise of first order with this autocorrelation."""
    before = 300
    fresh = random.normal(0, np.sqrt(1 - memory**2), before + n)
    noise = signal.lfilter([1], [1, -memory], fresh)[before:]
    return (median_ns * np.exp(spread * noise)).astype(np.int64)
