"""The mathematics of compression: how near, how surely and at what cost; printed as Markdown.

    .venv/bin/python tests/benchmarks/linalg.py [errors] [ranks] [cost]

* `errors`: SVD, Tucker and CP against tensorly's on random kernels of a known rank under noise,
  means of three seeds, both with the planted rank. CP of four axes, as Lebedev et al. have it, is
  on kernels whose terms have four columns, and tensorly has all four; ours has three in any case.
  tensorly begins from one draw, and ours from six where that takes about a second.
* `ranks`: the rank that EVBMF finds against the one that was planted, over five seeds.
* `cost`: seconds, and how far the peak of resident memory rises above that of a process which
  holds the weights. Each in a process of its own, on 100 MB of float32.

Without a word all three. The extra `compress` must be installed. On a machine that does other work
too, small products are slow by the wait for threads: OPENBLAS_NUM_THREADS=1 is then the faster.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.compress.linalg.arrays import relative_error
from edgebench.compress.linalg.codebook import fit_codebook, fit_codebooks
from edgebench.compress.linalg.cp import cp
from edgebench.compress.linalg.evbmf import evbmf_rank
from edgebench.compress.linalg.factor import factorize
from edgebench.compress.linalg.ranks import parse_rank
from edgebench.compress.linalg.svd import svd_dense
from edgebench.compress.linalg.tucker import tucker2
from edgebench.compress.linalg.unfold import Method
from tests.compress.linalg.planted import cp_kernel, matrix, separable_kernel, tucker_kernel

Kernel = NDArray[np.float32]
Product = NDArray[np.floating[Any]]

SEEDS: Final = (0, 1, 2)
ITERATIONS: Final = 50
MATRICES: Final = (((512, 256), 20, 0.1), ((1024, 1024), 64, 0.01), ((576, 128), 32, 0.5))
TUCKERS: Final = (
    ((3, 3, 32, 64), (8, 16), 0.05),
    ((3, 3, 128, 128), (32, 32), 0.1),
    ((5, 5, 24, 48), (12, 12), 0.01),
)
CPS: Final = (
    ((3, 3, 16, 32), 12, 0.05),
    ((3, 3, 32, 64), 20, 0.1),
    ((5, 5, 24, 48), 30, 0.01),
    ((3, 3, 64, 64), 100, 0.05),
)


def timed(action: Callable[[Kernel], Product], kernel: Kernel) -> tuple[float, float]:
    begun = time.perf_counter()
    met = action(kernel)
    return relative_error(kernel, met), time.perf_counter() - begun


def row(*cells: object) -> None:
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def header(*cells: str) -> None:
    row(*cells)
    print("|---" * len(cells) + "|")


def shown(runs: Sequence[tuple[float, float]]) -> tuple[str, str]:
    errors, seconds = zip(*runs, strict=True)
    return f"{np.mean(errors):.4f}", f"{np.mean(seconds):.2f}"


def errors() -> None:
    header("method", "kernel", "rank", "noise", "error", "tensorly's", "s", "tensorly's s")
    for sides, rank, noise in MATRICES:
        kernels = [matrix(sides, rank, noise=noise, seed=seed) for seed in SEEDS]
        report("SVD", rank, noise, kernels, (partial(our_svd, rank), their_svd(rank)))
    for shape, ranks, noise in TUCKERS:
        kernels = [tucker_kernel(shape, ranks, noise=noise, seed=seed) for seed in SEEDS]
        report("Tucker", ranks, noise, kernels, (partial(our_tucker, ranks), their_tucker(ranks)))
    for axes, plant in ((4, separable_kernel), (3, cp_kernel)):
        for shape, rank, noise in CPS:
            kernels = [plant(shape, rank, noise=noise, seed=seed) for seed in SEEDS]
            both = (partial(our_cp, rank), their_cp(rank, axes))
            report(f"CP of {axes} axes", rank, noise, kernels, both)


def report(
    method: str,
    rank: object,
    noise: float,
    kernels: Sequence[Kernel],
    both: tuple[Callable[[Kernel], Product], Callable[[Kernel], Product]],
) -> None:
    ours, theirs = (shown([timed(side, kernel) for kernel in kernels]) for side in both)
    shape = "x".join(str(side) for side in kernels[0].shape)
    row(method, shape, rank, noise, ours[0], theirs[0], ours[1], theirs[1])


def our_svd(rank: int, kernel: Kernel) -> Product:
    first, last = svd_dense(kernel, rank)
    return first @ last


def their_svd(rank: int) -> Callable[[Kernel], Product]:
    from tensorly.tenalg import svd_interface

    def met(kernel: Kernel) -> Product:
        left, values, right = svd_interface(kernel, n_eigenvecs=rank)
        product: Product = (left * values) @ right
        return product

    return met


def our_tucker(ranks: tuple[int, int], kernel: Kernel) -> Product:
    product: Product = np.einsum("abir,hwrs,cdso->hwio", *tucker2(kernel, *ranks), optimize=True)
    return product


def their_tucker(ranks: tuple[int, int]) -> Callable[[Kernel], Product]:
    from tensorly.decomposition import partial_tucker

    def met(kernel: Kernel) -> Product:
        wide = kernel.astype(np.float64)
        (core, sides), _ = partial_tucker(wide, rank=list(ranks), modes=[2, 3], n_iter_max=20)
        product: Product = np.einsum("hwrs,ir,os->hwio", core, *sides, optimize=True)
        return product

    return met


def our_cp(rank: int, kernel: Kernel) -> Product:
    factors = cp(kernel, rank, seed=0, iterations=ITERATIONS)
    product: Product = np.einsum("abir,hwrc,dero->hwio", *factors, optimize=True)
    return product


def their_cp(rank: int, axes: int) -> Callable[[Kernel], Product]:
    import tensorly
    from tensorly.decomposition import parafac

    def met(kernel: Kernel) -> Product:
        wide = kernel.astype(np.float64)
        seen = wide if axes == 4 else wide.reshape(-1, *wide.shape[2:])
        # Its start by singular vectors warns where there are fewer of them than terms.
        found = parafac(seen, rank, n_iter_max=ITERATIONS, init="random", random_state=0)
        product: Product = tensorly.cp_to_tensor(found).reshape(kernel.shape)
        return product

    return met


def ranks() -> None:
    """The noise has variance 1 in each entry, the product `strength ** 2`."""
    strengths = (0.3, 1.0, 3.0)
    header("matrix", "planted", *(f"found, signal {strength:g}" for strength in strengths))
    for shape in ((200, 100), (512, 512), (128, 1152), (64, 4096)):
        for planted in (0, 3, 8, 20):
            cells = []
            for strength in strengths:
                found = [_found(shape, planted, strength, seed) for seed in range(5)]
                low, high = min(found), max(found)
                cells.append(str(low) if low == high else f"{low} to {high}")
            row(f"{shape[0]}x{shape[1]}", planted, *cells)


def _found(shape: tuple[int, int], planted: int, strength: float, seed: int) -> int:
    rng = np.random.default_rng(seed)
    product = rng.standard_normal((shape[0], planted)) @ rng.standard_normal((planted, shape[1]))
    noisy = product * strength / np.sqrt(max(planted, 1)) + rng.standard_normal(shape)
    return evbmf_rank(noisy.astype(np.float32))


def every(method: Method, rule: str) -> Callable[[list[Kernel]], None]:
    def work(kernels: list[Kernel]) -> None:
        made = [factorize(kernel, method, parse_rank(rule)) for kernel in kernels]
        assert all(factors is not None for factors in made)

    return work


def cluster(k: int) -> Callable[[list[Kernel]], None]:
    return lambda kernels: [fit_codebook(kernel, k) for kernel in kernels].clear()


def noise(*shapes: tuple[int, ...]) -> list[Kernel]:
    """Nothing can be left out of these without loss: what iterates takes its time."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


LARGE: Final = (5000, 5000)
CONVOLUTION: Final = (3, 3, 512, 512)
COSTS: Final[dict[str, tuple[Callable[[], list[Kernel]], Callable[[list[Kernel]], None]]]] = {
    "cluster 16, one 5000x5000": (partial(noise, LARGE), cluster(16)),
    "cluster 256, one 5000x5000": (partial(noise, LARGE), cluster(256)),
    "cluster 16, each of 5000 channels": (
        partial(noise, LARGE),
        lambda kernels: [fit_codebooks(kernels[0], 16, -1)].clear(),
    ),
    "SVD 50 %, one 5000x5000": (partial(noise, LARGE), every("dense", "50 %")),
    "SVD evbmf, one 5000x5000": (
        lambda: [matrix(LARGE, 100, noise=0.5, seed=0)],
        every("dense", "evbmf"),
    ),
    "SVD 50 %, 25 of 1000x1000": (partial(noise, *[(1000, 1000)] * 25), every("dense", "50 %")),
    "channel SVD 50 %, 11 of 3x3x512x512": (
        partial(noise, *[CONVOLUTION] * 11),
        every("channel", "50 %"),
    ),
    "spatial SVD 50 %, 11 of 3x3x512x512": (
        partial(noise, *[CONVOLUTION] * 11),
        every("spatial", "50 %"),
    ),
    "Tucker 50 %, 11 of 3x3x512x512": (
        partial(noise, *[CONVOLUTION] * 11),
        every("tucker", "50 %"),
    ),
    "Tucker evbmf, 11 of 3x3x512x512": (
        lambda: [tucker_kernel(CONVOLUTION, (64, 96), noise=0.5, seed=seed) for seed in range(11)],
        every("tucker", "evbmf"),
    ),
    "CP 30 %, one 3x3x512x512": (partial(noise, CONVOLUTION), every("cp", "30 %")),
}


def cost() -> None:
    header("what", "weights, MB", "s", "rise of the peak, MB", "by the weights")
    for name in COSTS:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        size_mb, seconds, rise_mb = (float(word) for word in done.stdout.split())
        row(name, f"{size_mb:.0f}", f"{seconds:.1f}", f"{rise_mb:.0f}", f"{rise_mb / size_mb:.1f}")


def one(name: str) -> None:
    make, work = COSTS[name]
    kernels = make()
    # What a first product makes for its threads is not ours, nor is the peak of making the weights.
    np.ones((256, 256)) @ np.ones((256, 256))
    Path("/proc/self/clear_refs").write_text("5")
    before, begun = resident_mb("VmRSS"), time.perf_counter()
    work(kernels)
    seconds = time.perf_counter() - begun
    rise_mb = resident_mb("VmHWM") - before
    print(sum(kernel.nbytes for kernel in kernels) / 1e6, seconds, rise_mb)


def resident_mb(name: str) -> float:
    """Resident memory now (VmRSS) or its peak: that of getrusage begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(found.split()[1]) * 1024 / 1e6


def main() -> int:
    tables: dict[str, Callable[[], None]] = {"errors": errors, "ranks": ranks, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(tables))
    parser.add_argument("--one", choices=COSTS, help="measure one row of the costs, in here")
    given = parser.parse_args()
    if given.one:
        one(given.one)
        return 0
    print(f"numpy {np.__version__}, OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS')}")
    for name in given.tables or tables:
        print(f"\n### {name}\n")
        tables[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
