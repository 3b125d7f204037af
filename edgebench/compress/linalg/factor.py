"""A kernel as factors: ranks by a rule, the decomposition, and how near it comes."""

import math
from dataclasses import dataclass

import numpy as np

from edgebench.compress.linalg.arrays import Float32s, Floats, check_finite, relative_error
from edgebench.compress.linalg.cp import cp
from edgebench.compress.linalg.ranks import RankRule, parameters, ranks_for
from edgebench.compress.linalg.svd import svd_channel, svd_dense, svd_spatial
from edgebench.compress.linalg.tucker import tucker2
from edgebench.compress.linalg.unfold import Method


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factors:
    """What stands for a kernel.

    Attributes:
        ranks: Two for Tucker, in and out; else one.
        arrays: In the order in which an input meets them, each a kernel itself.
        error: Norm of what they miss of the kernel by the kernel's norm.
    """

    method: Method
    ranks: tuple[int, ...]
    arrays: tuple[Float32s, ...]
    error: float


def factorize(kernel: Floats, method: Method, rule: RankRule, *, seed: int = 0) -> Factors | None:
    """Factorize a kernel `(in, out)` or `(height, width, in, out)`.

    Returns:
        None where the factors would not have fewer weights than the kernel.

    Raises:
        ValueError: The method is not for this shape, a fixed rank is more than it allows, or a
            weight is NaN or infinite.
    """
    check_finite(kernel)
    ranks = ranks_for(kernel, method, rule)
    if parameters(kernel.shape, method, ranks) >= math.prod(kernel.shape):
        return None
    arrays = _arrays(kernel, method, ranks, seed)
    error = relative_error(kernel, _product(method, arrays))
    return Factors(method=method, ranks=ranks, arrays=arrays, error=error)


def reconstruct(factors: Factors) -> Float32s:
    """The kernel that the factors stand for."""
    return _product(factors.method, factors.arrays)


def _arrays(
    kernel: Floats, method: Method, ranks: tuple[int, ...], seed: int
) -> tuple[Float32s, ...]:
    if method == "tucker":
        return tucker2(kernel, *ranks)
    if method == "cp":
        return cp(kernel, ranks[0], seed=seed)
    two = {"dense": svd_dense, "channel": svd_channel, "spatial": svd_spatial}
    return two[method](kernel, ranks[0])


def _product(method: Method, arrays: tuple[Float32s, ...]) -> Float32s:
    if method == "dense":
        return arrays[0] @ arrays[1]
    terms = {
        "channel": "hwir,abro->hwio",
        "spatial": "hbir,awro->hwio",
        "tucker": "abir,hwrs,cdso->hwio",
        "cp": "abir,hwrc,dero->hwio",
    }
    kernel: Float32s = np.einsum(terms[method], *arrays, optimize=True)
    return np.ascontiguousarray(kernel)
