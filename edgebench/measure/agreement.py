"""Whether two sets of outputs are one, and when they are so far apart that one is wrong.

The bounds come from figures in the README beside this file.
"""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Agreement, Reason
from edgebench.errors import JobFailed

Outputs = Mapping[str, NDArray[np.generic]]

# The same file on two builds of a runtime: floats differ in rounding, quantized outputs in a step
# of their scale, which may also turn the order of two classes that are nearly as probable.
FLOAT_FIDELITY: Final = 0.999
QUANTIZED_FIDELITY: Final = 0.99
TOP1_FIDELITY: Final = 0.95
TOP1_SAMPLES: Final = 20
# Against the float reference: four bits lose much, yet what is left still points the same way.
POST_TRAINING_AGREEMENT: Final = 0.8


def agreement(outputs: Outputs, reference: Outputs) -> Agreement:
    """How far outputs, each `(samples, ...)`, are those of the reference.

    Outputs are paired by name, or in their order where the names differ, as two converters leave
    them. An output that is not finite where the reference is has the cosine 0.

    Raises:
        JobFailed: The shapes do not fit: `wrong_output`.
    """
    pairs = _paired(outputs, reference)
    compared = [_compared(ours, theirs) for ours, theirs in pairs]
    shares = [_top1(ours, theirs) for ours, theirs in pairs if _is_classes(theirs, len(pairs))]
    return Agreement(
        cosine=min((cosine for cosine, _ in compared), default=1.0),
        max_abs=max((distance for _, distance in compared), default=0.0),
        top1=min(shares, default=None),
        samples=max((len(theirs) for _, theirs in pairs), default=0),
    )


def is_wrong(
    fidelity: Agreement | None,
    agreement: Agreement | None,
    *,
    is_quantized: bool,
    is_retrained: bool = False,
    outputs: Outputs | None = None,
) -> tuple[bool, str]:
    """Whether a variant computes something else than it should, and why, in a sentence.

    Args:
        fidelity: With the same file run by the host.
        agreement: With the float reference; no bound for a variant that learned anew.
        outputs: Of the device; of a variant that learned anew they are at least finite, and not
            the same for every sample.
    """
    why = _unfaithful(fidelity, is_quantized=is_quantized) if fidelity else ""
    if not why and agreement and not is_retrained and agreement.cosine < POST_TRAINING_AGREEMENT:
        why = (
            f"its outputs are not those of the float reference: cosine {agreement.cosine:.3f}, "
            f"at least {POST_TRAINING_AGREEMENT} is expected"
        )
    if not why and is_retrained and outputs:
        why = _dead(outputs)
    return bool(why), why


def _unfaithful(fidelity: Agreement, *, is_quantized: bool) -> str:
    bound = QUANTIZED_FIDELITY if is_quantized else FLOAT_FIDELITY
    if fidelity.cosine < bound:
        return (
            "this device computes something else from the same file than the host: cosine "
            f"{fidelity.cosine:.3f}, at least {bound} is expected"
        )
    if fidelity.top1 is None or fidelity.samples < TOP1_SAMPLES:
        return ""
    # What lies below by chance alone, by two standard errors, is not held against it.
    chance = 2 * math.sqrt(TOP1_FIDELITY * (1 - TOP1_FIDELITY) / fidelity.samples)
    if fidelity.top1 >= TOP1_FIDELITY - chance:
        return ""
    return (
        "this device sees another class than the host in "
        f"{1 - fidelity.top1:.0%} of {fidelity.samples} samples, from the same file"
    )


def _dead(outputs: Outputs) -> str:
    reals = {name: np.asarray(array, dtype=np.float64) for name, array in outputs.items()}
    for name, array in reals.items():
        if not np.isfinite(array).all():
            return f"output {name!r} holds NaN or infinity"
    is_constant = [len(array) > 1 and bool((array == array[:1]).all()) for array in reals.values()]
    return "its outputs are the same for every sample" if is_constant and all(is_constant) else ""


def _paired(
    outputs: Outputs, reference: Outputs
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if not reference.keys() <= outputs.keys() and len(outputs) == len(reference):
        outputs = dict(zip(reference, _in_order(outputs, reference), strict=True))
    pairs = []
    for name, array in reference.items():
        theirs = np.asarray(array, dtype=np.float64)
        if name not in outputs:
            msg = f"There is no output {name!r} to compare; there are {sorted(outputs)}."
            raise JobFailed(msg, reason=Reason.WRONG_OUTPUT)
        ours = np.asarray(outputs[name], dtype=np.float64)
        if ours.shape[:1] != theirs.shape[:1] or ours.size != theirs.size:
            msg = f"Output {name!r} has the shape {ours.shape}, in the reference {theirs.shape}."
            raise JobFailed(msg, reason=Reason.WRONG_OUTPUT)
        pairs.append((ours.reshape(theirs.shape), theirs))
    return pairs


def _in_order(outputs: Outputs, reference: Outputs) -> list[NDArray[np.generic]]:
    """Outputs as the reference orders them: by shape where each has its own, else as they stand."""
    by_shape = {array.shape: array for array in outputs.values()}
    shapes = [array.shape for array in reference.values()]
    if len(by_shape) == len(outputs) and set(shapes) == set(by_shape):
        return [by_shape[shape] for shape in shapes]
    return list(outputs.values())


def _compared(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float]:
    """Cosine over all samples, and the largest distance of what is finite in both."""
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    finite = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = np.where(finite, ours, 0.0), np.where(finite, theirs, 0.0)
    distance = float(np.abs(ours - theirs).max(initial=0.0))
    if not (finite | same).all():
        return 0.0, distance
    # Scaled first: the squares of what float32 can hold still fit, those of float64 would not.
    scale = max(np.abs(ours).max(initial=0.0), np.abs(theirs).max(initial=0.0))
    if scale == 0.0:
        return 1.0, distance
    ours, theirs = ours.ravel() / scale, theirs.ravel() / scale
    norms = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
    cosine = float(ours @ theirs) / norms if norms else 0.0
    return min(max(cosine, -1.0), 1.0), distance


def _is_classes(theirs: NDArray[np.float64], count: int) -> bool:
    """Whether an output is one score a class: the only output, or one of probabilities."""
    rows = theirs.reshape(len(theirs), -1) if len(theirs) else theirs
    is_vector = rows.ndim == 2 and rows.shape[1] > 1 and rows.shape[1] == theirs.shape[-1]
    if not is_vector or count == 1:
        return is_vector
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1.0, atol=0.02))


def _top1(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Mean over the samples of how many best classes both sides share, of all that either has.

    Quantized scores tie often, and masks always. The same ties agree; an output that is zero
    throughout agrees with a single best class of k by 1/k, and not with everything.
    """
    ours, theirs = ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)
    best = ours == ours.max(axis=1, keepdims=True)
    wanted = theirs == theirs.max(axis=1, keepdims=True)
    either = np.maximum((best | wanted).sum(axis=1), 1)
    return float(((best & wanted).sum(axis=1) / either).mean())
