"""Whether XNNPACK will compute on sparse weights: what its sparse kernels ask of a network.

As the delegate's README lists it, "Sparse Inference":
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/xnnpack/README.md
On x86 with AVX it never does, since dense kernels are as fast there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgebench.compress.tflite.flow import Flow, read_flow

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

ZEROS_MIN_SHARE: Final = 2 / 3
STEM_CHANNELS: Final = 3
IMAGE_RANK: Final = 4
DEPTHWISE_SIZES: Final = frozenset({(3, 3), (5, 5)})
# The README's list, and GELU, which LiteRT 2.3 takes too.
ELEMENTWISE: Final = frozenset(
    {
        *("ABS", "ADD", "CEIL", "ELU", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC"),
        *("MUL", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "SQUARE", "RESIZE_BILINEAR"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An operation inside the part that would be computed sparse.

    Attributes:
        fault: Why it cannot be in there; None where it can.
        is_end: Whether the part may end here.
    """

    operation: "schema.OperatorT"
    fault: str | None
    is_end: bool


def sparse_faults(path: Path) -> tuple[str, ...]:
    """Why XNNPACK would compute dense all the same; nothing where it computes sparse."""
    return tuple(fault for flow in read_flow(path) for fault in _faults(flow))


def _faults(flow: Flow) -> Iterator[str]:
    stems = [operation for operation in flow.graph.operators if _is_stem(flow, operation)]
    if not stems:
        yield (
            "it does not begin with a 3x3 convolution of stride 2 on 3 channels behind "
            "ZeroPadding2D(1), padding='valid'"
        )
        return
    parts = list(_parts(flow, stems[0]))
    faults = [part.fault for part in parts if part.fault is not None]
    yield from faults
    if not faults and not any(part.is_end for part in parts):
        yield "no mean over rows and columns ends it"
    share = _zeros_share(flow, [part.operation for part in parts])
    if share <= ZEROS_MIN_SHARE:
        yield f"{share:.0%} of the weights of its 1x1 convolutions are zero, not more than 2/3"


def _parts(flow: Flow, stem: "schema.OperatorT") -> Iterator[Part]:
    """The operations behind the stem, up to those that end the sparse part or do not fit in it."""
    pending, seen = [stem], {id(stem)}
    while pending:
        for operation in flow.readers_of(pending.pop()):
            if id(operation) in seen:
                continue
            seen.add(id(operation))
            part = _part(flow, operation)
            yield part
            # Squeeze and excite: what goes on behind such a mean comes back as a factor.
            if part.fault is None and (not part.is_end or _is_gate(flow, operation)):
                pending.append(operation)


def _part(flow: Flow, operation: "schema.OperatorT") -> Part:
    kind = flow.kind(operation)
    is_mean = kind == "MEAN" and any(
        flow.is_spatial_mean(operation, keeps_axes=keeps) for keeps in (True, False)
    )
    is_end = is_mean or kind == "DEPTH_TO_SPACE"
    fits = is_end or (kind in _FITS and _FITS[kind](flow, operation))
    what = _WORDS.get(kind, "no sparse kernel stands beside it")
    fault = None if fits else f"{kind} {flow.name_of(operation)!r}: {what}"
    return Part(operation=operation, fault=fault, is_end=is_end)


def _is_gate(flow: Flow, operation: "schema.OperatorT") -> bool:
    is_kept = flow.kind(operation) == "MEAN" and bool(operation.builtinOptions.keepDims)
    return is_kept and flow.joins(operation)


def _is_stem(flow: Flow, operation: "schema.OperatorT") -> bool:
    return (
        flow.kind(operation) == "CONV_2D"
        and flow.shape(int(operation.inputs[1]))[1:] == (3, 3, STEM_CHANNELS)
        and _strides(operation) == (2, 2)
        and _dilations(operation) == (1, 1)
        and _pads(flow, operation) == 1
    )


def _is_pointwise(flow: Flow, operation: "schema.OperatorT") -> bool:
    return flow.shape(int(operation.inputs[1]))[1:3] == (1, 1) and _strides(operation) == (1, 1)


def _is_depthwise(flow: Flow, operation: "schema.OperatorT") -> bool:
    size = flow.shape(int(operation.inputs[1]))[1:3]
    return (
        size in DEPTHWISE_SIZES
        and _strides(operation) in {(1, 1), (2, 2)}
        and _dilations(operation) == (1, 1)
        and operation.builtinOptions.depthMultiplier <= 1
        and _pads(flow, operation) == size[0] // 2
    )


def _is_elementwise(flow: Flow, operation: "schema.OperatorT") -> bool:
    """A constant factor may have any shape; what is computed must lie in rows and columns."""
    return all(len(flow.shape(index)) == IMAGE_RANK for index in flow.computed_inputs(operation))


def _feeds_convolution(flow: Flow, operation: "schema.OperatorT") -> bool:
    """A PAD becomes part of the convolution behind it, which is looked at by itself."""
    return all(flow.kind(reader) == "DEPTHWISE_CONV_2D" for reader in flow.readers_of(operation))


_FITS: Final[Mapping[str, Callable[[Flow, "schema.OperatorT"], bool]]] = {
    "CONV_2D": _is_pointwise,
    "DEPTHWISE_CONV_2D": _is_depthwise,
    "PAD": _feeds_convolution,
    **dict.fromkeys(ELEMENTWISE, _is_elementwise),
}
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(ELEMENTWISE, "all that it reads must have rows and columns"),
    "CONV_2D": "only 1x1 convolutions of stride 1 are computed sparse",
    "DEPTHWISE_CONV_2D": (
        "it must be 3x3 or 5x5 with equal padding on all sides, which padding='same' of stride 2 "
        "is not: put ZeroPadding2D before it"
    ),
}


def _pads(flow: Flow, operation: "schema.OperatorT") -> int | None:
    """By how much every side is padded; None where the sides differ."""
    from ai_edge_litert import schema_py_generated as schema

    if operation.builtinOptions.padding == schema.Padding.SAME:
        size = flow.shape(int(operation.inputs[1]))[1]
        return size // 2 if _strides(operation) == (1, 1) else None
    maker = flow.makers.get(int(operation.inputs[0]))
    if maker is None or flow.kind(maker) != "PAD":
        return 0
    sides = flow.integers(int(maker.inputs[1]))
    rows_and_columns = set(sides[2:6])
    is_even = len(rows_and_columns) == 1 and not any((*sides[:2], *sides[6:]))
    return rows_and_columns.pop() if is_even else None


def _strides(operation: "schema.OperatorT") -> tuple[int, int]:
    return int(operation.builtinOptions.strideH), int(operation.builtinOptions.strideW)


def _dilations(operation: "schema.OperatorT") -> tuple[int, int]:
    options = operation.builtinOptions
    return int(options.dilationHFactor), int(options.dilationWFactor)


def _zeros_share(flow: Flow, operations: list["schema.OperatorT"]) -> float:
    """Of the weights of the 1x1 convolutions together."""
    zeros = total = 0
    for operation in operations:
        if flow.kind(operation) == "CONV_2D" and _is_pointwise(flow, operation):
            tensor = flow.constant(int(operation.inputs[1]))
            values = flow.constant_of(tensor) if tensor is not None else None
            if values is not None:
                total += values.size
                zeros += int(np.count_nonzero(values == 0))
    return zeros / total if total else 0.0
