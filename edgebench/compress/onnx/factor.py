"""Low rank, Tucker and CP on an ONNX graph: a layer becomes a chain of smaller ones."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from edgebench.compress.factor import Factor, factors_of, read_factor, told_of
from edgebench.compress.linalg.factor import Factors
from edgebench.compress.onnx.bench import (
    Bench,
    Change,
    carry,
    check_changed,
    refuse_training,
    traits_of,
)
from edgebench.compress.onnx.kernels import Kernel, kernels
from edgebench.compress.onnx.surgery import as_kernel, replace, why_not
from edgebench.compress.technique import Outcome, Promises, Task, Way
from edgebench.core import Format

if TYPE_CHECKING:
    from pydantic import JsonValue


def factor_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Factorize the kernels of dense layers and convolutions.

    Raises:
        NoEffect: No layer would become smaller.
        CompressionError: A rank is larger than its layer, or a layer holds NaN.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_factor(bench.step)
    before = bench.net.weight_count()
    told: dict[str, JsonValue] = {}
    left: dict[str, JsonValue] = {}
    saved = 0
    for kernel in kernels(bench.net, bench.common, step=str(bench.step)):
        bench.progress(f"factorizing {kernel.name}")
        weights, factors = kernel.stored.size, _factorize(kernel, own, bench)
        if isinstance(factors, str):
            left[kernel.name] = factors
            continue
        replace(kernel, factors)
        saved += weights - sum(array.size for array in factors.arrays)
        told[kernel.name] = told_of(factors, weights)
    check_changed(len(told), bench, left)
    return Change(
        changed={"layers": told, "left": left, "weights": [before, bench.net.weight_count()]},
        promises=Promises(weights=before - saved),
    )


def _factorize(kernel: Kernel, own: Factor, bench: Bench) -> Factors | str:
    """The factors, or why the layer is left alone."""
    reason = why_not(kernel)
    if reason is not None:
        return reason
    return factors_of(kernel.name, as_kernel(kernel), own, bench.seed)


def _way(step: str) -> Way:
    return Way(
        name=f"{step} onnx",
        source=Format.ONNX,
        target=Format.ONNX,
        function=factor_onnx,
        tools=("onnx", "numpy"),
        traits=traits_of,
        refuse=refuse_training,
    )


WAYS: Final[Mapping[str, Way]] = {step: _way(step) for step in ("lowrank", "tucker", "cp")}
