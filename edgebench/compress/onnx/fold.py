"""Fold what is constant: normalizations into the weights before them, and whole operations."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgebench.compress.fold import read_fold
from edgebench.compress.onnx.bench import carry, check_float, check_valid
from edgebench.compress.onnx.graph import Counts, count
from edgebench.compress.onnx.normalization import fold_bn
from edgebench.compress.onnx.parity import check_parity
from edgebench.compress.technique import Outcome, Task, Way
from edgebench.core import Artifact, Format
from edgebench.errors import NoEffect

if TYPE_CHECKING:
    import onnx

# Of what onnxslim does: fused operations have other weights, and equal ones are the step `share`.
LEFT_OUT: Final = ("graph_fusion", "subexpression_elimination", "weight_tying")


def fold_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Fold, and compare what came of it with what was there.

    Raises:
        NoEffect: There is nothing to fold.
        CompressionError: What came of it computes something else.
    """
    assert task.source is not None
    assert task.step is not None
    is_bn = read_fold(task.step).what == "bn"
    outcome = carry(task, progress, fold_bn) if is_bn else _fold_constants(task, progress)
    progress("comparing outputs")
    told = check_parity(task.source.path, outcome.path, task.source.inputs, seed=task.seed)
    return replace(outcome, changed={**outcome.changed, **told})


def _fold_constants(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Compute what depends on no input, and leave out what no output depends on, by onnxslim."""
    assert task.source is not None
    progress(str(task.step))
    path = task.folder / "model.onnx"
    before, after = _slim(task.source, path)
    if _operations(after) >= _operations(before):
        msg = f"{str(task.step)!r} found nothing constant in {task.source.path.name}."
        raise NoEffect(msg, hint="Leave the step out.")
    check_valid(path, task.source.path)
    return Outcome(path=path, changed={"before": before.to_json(), "after": after.to_json()})


def _slim(source: Artifact, path: Path) -> tuple[Counts, Counts]:
    """What is in the model before and after; no copy of it outlives this."""
    import onnx
    import onnxslim

    model = onnx.load(str(source.path))
    before, inputs = count(model), _inputs(model)
    check_float(source, before)
    made = onnxslim.slim(model, skip_optimizations=list(LEFT_OUT))
    del model
    # It drops inputs that nothing reads, but whoever runs the model gives it those as well.
    made.graph.ClearField("input")
    made.graph.input.extend(inputs)
    onnx.save(made, str(path))
    return before, count(made)


def _inputs(model: "onnx.ModelProto") -> list["onnx.ValueInfoProto"]:
    """Copies of the inputs that are no constants: they do not keep the model in memory."""
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    found = []
    for value in model.graph.input:
        if value.name not in constants:
            found.append(onnx.ValueInfoProto())
            found[-1].CopyFrom(value)
    return found


def _operations(counts: Counts) -> int:
    """A constant that is a node is no operation."""
    return sum(number for kind, number in counts.operations.items() if kind != "Constant")


WAY: Final = Way(
    name="fold onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=fold_onnx,
    tools=("onnxslim", "onnx", "onnxruntime"),
)
