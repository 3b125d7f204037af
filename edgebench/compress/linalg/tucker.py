"""Three factors for one convolution, by Tucker's decomposition along its channels."""

from typing import Final

import numpy as np

from edgebench.compress.linalg.arrays import Float32s, Float64s, Floats, check_finite
from edgebench.compress.linalg.spectrum import leading_vectors
from edgebench.compress.linalg.unfold import unfold

# Of the squared error: what a round must gain for another one to be worth its time.
TOLERANCE: Final = 1e-3
# Of the squared norm: below it the squared error is rounding.
ROUNDING: Final = 1e-12


def tucker2(
    kernel: Floats, rank_in: int, rank_out: int, *, iterations: int = 20
) -> tuple[Float32s, Float32s, Float32s]:
    """Factors `(1, 1, in, rank_in)`, `(height, width, rank_in, rank_out)`, `(1, 1, rank_out, out)`.

    Kim et al. 2016, https://arxiv.org/abs/1511.06530: a pointwise convolution, a smaller one of
    the same size, and a pointwise one. By higher-order orthogonal iteration (De Lathauwer et al.
    2000), begun by the singular vectors of the two unfoldings: what tensorly's `partial_tucker`
    does too, which takes a full SVD of each unfolding in each round where the vectors asked for
    are those of its small Gram matrix.

    Args:
        kernel: `(height, width, in, out)`.
        rank_in: At most the inputs.
        rank_out: At most the outputs.
        iterations: At most so many; the error settles in a handful.

    Raises:
        ValueError: A rank is more than its axis or below 1, or a weight is NaN or infinite.
    """
    by_input, by_output = unfold(kernel, "tucker")
    for name, rank, limit in (("in", rank_in, len(by_input)), ("out", rank_out, len(by_output))):
        if not 1 <= rank <= limit:
            msg = f"Rank {rank} is not between 1 and {limit}, the channels {name} of the kernel."
            raise ValueError(msg)
    check_finite(kernel)
    tensor = kernel.astype(np.float64)
    first, last = leading_vectors(by_input, rank_in), leading_vectors(by_output, rank_out)
    core = _core(tensor, first, last)
    met, whole = float(np.vdot(core, core)), float(np.vdot(tensor, tensor))
    for _ in range(iterations):
        first = leading_vectors(unfold(tensor @ last, "tucker")[0], rank_in)
        narrow = np.einsum("hwio,ir->hwro", tensor, first, optimize=True)
        last = leading_vectors(unfold(narrow, "tucker")[1], rank_out)
        core, before = narrow @ last, met
        met = float(np.vdot(core, core))
        if met - before <= TOLERANCE * (whole - met + ROUNDING * whole):
            break
    return (
        first[np.newaxis, np.newaxis].astype(np.float32, order="C"),
        core.astype(np.float32, order="C"),
        last.T[np.newaxis, np.newaxis].astype(np.float32, order="C"),
    )


def _core(tensor: Float64s, first: Float64s, last: Float64s) -> Float64s:
    core: Float64s = np.einsum("hwio,ir->hwro", tensor, first, optimize=True) @ last
    return core
