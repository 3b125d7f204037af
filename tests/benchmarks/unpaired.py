"""How often a run seems slower than its equal: the interval of two runs, and Welch's.

    python tests/benchmarks/unpaired.py [--runs 200000]

Draws the logs of the medians of processes and prints, as Markdown, the share of pairs whose whole
95 % interval lies above no difference; 2.5 % is what it may be.
"""

import argparse

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

CASES = (
    ((5, 5), (1, 1)),
    ((8, 8), (1, 1)),
    ((3, 20), (1, 1)),
    ((2, 10), (3, 1)),
    ((3, 20), (4, 1)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    runs = parser.parse_args().runs
    random = np.random.default_rng(0)
    print("| processes | spreads | here | Welch |\n|---|---|---:|---:|")
    for counts, spreads in CASES:
        sides = [
            random.normal(0, spread, (runs, n)) for n, spread in zip(counts, spreads, strict=True)
        ]
        apart = sides[0].mean(axis=1) - sides[1].mean(axis=1)
        errors = [side.var(axis=1, ddof=1) / side.shape[1] for side in sides]
        pooled = errors[0] + errors[1]
        freedom = pooled**2 / sum(e**2 / (n - 1) for e, n in zip(errors, counts, strict=True))
        ours = sum(stats.t.ppf(0.975, n - 1) ** 2 * e for e, n in zip(errors, counts, strict=True))
        welch = stats.t.ppf(0.975, np.floor(freedom)) ** 2 * pooled
        shares = (float(np.mean(apart > np.sqrt(reach))) for reach in (ours, welch))
        named = (", ".join(map(str, pair)) for pair in (counts, spreads))
        print("| " + " | ".join([*named, *(f"{share:.1%}" for share in shares)]) + " |")


if __name__ == "__main__":
    main()
