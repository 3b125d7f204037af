"""How wrong the estimate of energy is under the faults of meters, clocks and boards.

    python -m tests.benchmarks.energy [--runs N]

From the root of the checkout. Every row is a kind of fault, simulated N times with new noise and a
new phase of the sampling. `bias` is the mean error of the numbers that were given, and `wrong` the
share of all runs whose number was called ok although it is off by more than 1 % and the truth lies
outside its interval; for chance alone that is at most 2.5 % where the interval is wider than 1 %.
"""

import argparse
from collections.abc import Callable, Mapping
from statistics import mean
from typing import Final

from edgebench.core import Status
from edgebench.measure.energy.combine import combine
from edgebench.measure.energy.estimate import estimate
from edgebench.measure.energy.joules import Energy, Joules
from tests.measure.energy.traces import Board, Case, Meter, case

# The device works as long as `edgebench.measure.energy.lengths` asks for the rate.
SLOW: Final = Board(active_s=60.0, idle_s=15.0)
PLUG: Final = Board(active_s=120.0, idle_s=30.0)
SCENARIOS: Final[Mapping[str, tuple[Meter, Board]]] = {
    "clean, 10 Hz, noise 2 %": (Meter(noise_ratio=0.02), Board()),
    "noise 20 %": (Meter(noise_ratio=0.20), Board()),
    "noise 2 %, neighbours alike by 0.9": (Meter(noise_ratio=0.02, correlation=0.9), Board()),
    "slow wander 2 % under noise 5 %": (Meter(noise_ratio=0.05, wander_ratio=0.02), Board()),
    "jitter of half a period": (Meter(noise_ratio=0.02, jitter=1.0), Board()),
    "lag 0.5 s": (Meter(noise_ratio=0.02, lag_s=0.5), Board()),
    "lag 1 s": (Meter(noise_ratio=0.02, lag_s=1.0), Board()),
    "lag 2 s": (Meter(noise_ratio=0.02, lag_s=2.0), Board()),
    "lag 5 s": (Meter(noise_ratio=0.02, lag_s=5.0), Board()),
    "lag 4 s, 1 Hz, 120 s": (Meter(noise_ratio=0.01, lag_s=4.0, rate_hz=1.0), PLUG),
    "lag 20 s, 1 Hz, 120 s": (Meter(noise_ratio=0.01, lag_s=20.0, rate_hz=1.0), PLUG),
    "clock off by 0.4 s": (Meter(noise_ratio=0.02, lag_s=0.5, offset_s=0.4), Board()),
    "clock off by 2.5 s": (Meter(noise_ratio=0.02, offset_s=2.5), Board()),
    "clock off by -4 s": (Meter(noise_ratio=0.02, offset_s=-4.0), Board()),
    "1 Hz, 60 s": (Meter(noise_ratio=0.02, rate_hz=1.0, lag_s=0.5), SLOW),
    "2 Hz, 30 s": (Meter(noise_ratio=0.02, rate_hz=2.0, lag_s=0.5), Board(active_s=30.0)),
    "steps of 40 mW, quiet": (Meter(noise_ratio=0.001, step=0.04), Board()),
    "steps of 1 W, quiet": (
        Meter(noise_ratio=0.01, step=1.0, rate_hz=1.0),
        Board(active_w=8.4, active_s=120.0, idle_s=30.0),
    ),
    "steps of 1 W, noise 4 %": (
        Meter(noise_ratio=0.04, step=1.0, rate_hz=1.0),
        Board(active_w=8.4, active_s=120.0, idle_s=30.0),
    ),
    "small load, 0.1 W above 3 W": (Meter(noise_ratio=0.02), Board(active_w=3.1)),
    "small load, 0.5 W above 3 W": (Meter(noise_ratio=0.02), Board(active_w=3.5)),
    "gap of 1 s at work": (Meter(noise_ratio=0.02, gap=(18.0, 19.0)), Board()),
    "gap of 1 s in idle": (Meter(noise_ratio=0.02, gap=(4.0, 5.0)), Board()),
    "5 % of the readings lost": (Meter(noise_ratio=0.02, lost_share=0.05), Board()),
    "frozen for 6 s at work": (Meter(noise_ratio=0.02, frozen=(15.0, 21.0)), Board()),
    "frozen from idle on for 5 s": (Meter(noise_ratio=0.02, frozen=(9.0, 14.0)), Board()),
    "frozen for 2 s into the plateau": (Meter(noise_ratio=0.02, frozen=(9.5, 13.5)), Board()),
    "frozen from work on into idle": (Meter(noise_ratio=0.02, frozen=(27.0, 37.0)), Board()),
    "idle rises by 1 %": (Meter(noise_ratio=0.02), Board(idle_rise_w=0.03)),
    "idle rises by 10 %": (Meter(noise_ratio=0.02), Board(idle_rise_w=0.3)),
    "idle jumps by 2 %, small load": (
        Meter(noise_ratio=0.005),
        Board(active_w=3.6, idle_jump_w=0.06),
    ),
    "idle jumps by 1.4 %, small load": (
        Meter(noise_ratio=0.002),
        Board(active_w=3.6, idle_jump_w=0.042),
    ),
    "idle jumps by 10 %": (Meter(noise_ratio=0.02), Board(idle_jump_w=0.3)),
    "work begins 30 % higher for 2 s": (Meter(noise_ratio=0.02), Board(boost_w=2.4)),
    "work begins 30 % higher for 5 s, 60 s": (
        Meter(noise_ratio=0.02),
        Board(boost_w=2.4, boost_s=5.0, active_s=60.0),
    ),
    "renewed once a second, read at 10 Hz": (
        Meter(noise_ratio=0.02, renewed_s=1.0),
        Board(active_s=60.0, idle_s=30.0),
    ),
    "work warms up by 3 %": (Meter(noise_ratio=0.02), Board(rise_w=0.24)),
    "counter, 10 Hz, steps of 61 uJ": (Meter(kind="counter", step=6.1e-5), Board()),
    "counter of 1 s, read at 10 Hz": (Meter(kind="counter", step=8.0), Board(active_s=60.0)),
    "counter that wraps, range unknown": (Meter(kind="counter", range_j=100.0), Board()),
}
COMBINED: Final[Mapping[str, tuple[Meter, Board]]] = {
    name: SCENARIOS[name]
    for name in (
        "clean, 10 Hz, noise 2 %",
        "noise 20 %",
        "noise 2 %, neighbours alike by 0.9",
        "slow wander 2 % under noise 5 %",
        "lag 1 s",
    )
}


def of_five(meter: Meter, board: Board, seed: int) -> tuple[Case, Energy]:
    """Five runs in one; the truth is that of any of them."""
    cases = [case(meter, board, seed=1000 + 5 * seed + i) for i in range(5)]
    return cases[0], combine([estimate(one.trace, one.run) for one in cases])


def off(truth: float, number: Joules) -> float | None:
    """Error over the truth; None where there is no number."""
    return None if number.value is None else number.value / truth - 1


def is_wrong(truth: float, number: Joules) -> bool:
    """Called ok, more than 1 % off, and its interval does not say so."""
    if number.status is not Status.OK or number.value is None or number.ci95 is None:
        return False
    low, high = number.ci95
    return abs(number.value / truth - 1) > 0.01 and not low <= truth <= high


def columns(cases: list[tuple[float, Joules]]) -> list[str]:
    """Bias, and shares of refused, suspect, covered and wrong."""
    errors = [error for truth, number in cases if (error := off(truth, number)) is not None]
    held = [n.ci95[0] <= truth <= n.ci95[1] for truth, n in cases if n.ci95 is not None]
    return [
        f"{mean(errors):+.2%}" if errors else "",
        f"{mean(n.status is Status.REFUSED for _, n in cases):.0%}",
        f"{mean(n.status is Status.SUSPECT for _, n in cases):.0%}",
        f"{mean(held):.0%}" if held else "",
        f"{mean(is_wrong(truth, n) for truth, n in cases):.1%}",
    ]


def row(name: str, found: list[tuple[Case, Energy]]) -> str:
    """One line of the table."""
    gross = columns([(truth.gross_j, energy.gross_j) for truth, energy in found])
    dynamic = columns([(truth.dynamic_j, energy.dynamic_j) for truth, energy in found])
    reasons = {
        str(reason)
        for _, energy in found
        for number in (energy.gross_j, energy.dynamic_j)
        for reason in number.reasons
    }
    return f"| {name} | {' | '.join([*gross, *dynamic, ' '.join(sorted(reasons))])} |"


def main(show: Callable[[str], None] = print) -> None:
    """Simulate, and print."""
    parser = argparse.ArgumentParser(description="Errors of the estimate of energy.")
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    numbers = ("bias", "refused", "suspect", "holds the truth", "wrong but ok")
    heads = [f"{kind} {number}" for kind in ("gross", "dynamic") for number in numbers]
    show(f"| fault | {' | '.join(heads)} | reasons |")
    show(f"|---|{'---:|' * len(heads)}---|")
    for name, (meter, board) in SCENARIOS.items():
        cases = [case(meter, board, seed=seed) for seed in range(runs)]
        show(row(name, [(one, estimate(one.trace, one.run)) for one in cases]))
    for name, (meter, board) in COMBINED.items():
        show(row(f"{name}, five runs", [of_five(meter, board, seed) for seed in range(runs)]))


if __name__ == "__main__":
    main()
