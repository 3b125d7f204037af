"""The frame of every step on the weights of an ONNX graph: open, count, change, write, check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from edgebench.compress.linalg.arrays import check_finite
from edgebench.compress.onnx.graph import Counts, count
from edgebench.compress.onnx.kernels import Kernel
from edgebench.compress.onnx.net import Net, open_net, save_net
from edgebench.compress.options import Common, common_of
from edgebench.compress.technique import Outcome, Promises, Task, Traits
from edgebench.core import Artifact, Step
from edgebench.errors import CompressionError, NoEffect

# What only training reads.
TRAINING: Final = ("tune", "learning_rate", "batch")
# So many layers are named where a step could change none.
SHOWN: Final = 4
NO_TRAINING: Final = "an ONNX graph cannot be trained: begin with the Keras model, or use distil"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What a step is given to work on.

    Attributes:
        net: A step changes it in place.
        common: With the seed of the run where the step has none.
    """

    net: Net
    step: Step
    common: Common
    seed: int
    progress: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """What a step did.

    Attributes:
        changed: For the ledger.
    """

    changed: Mapping[str, JsonValue]
    promises: Promises = field(default_factory=Promises)
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


Work = Callable[[Bench], Change]


def carry(task: Task, progress: Callable[[str], None], work: Work) -> Outcome:
    """Do one step to an ONNX graph.

    Raises:
        NoEffect: Nothing is changed, or the model is quantized already.
        CompressionError: The step refused, or what it made is no valid graph.
    """
    assert task.source is not None
    path = task.folder / "model.onnx"
    change = _changed(task, progress, work, path)
    check_valid(path, task.source.path)
    return Outcome(
        path=path, changed=change.changed, settings=change.settings, promises=change.promises
    )


def traits_of(step: Step | None) -> Traits:
    """Chance has a part in it, and no sample has."""
    del step
    return Traits(is_seeded=True)


def refuse_training(step: Step) -> str | None:
    """Why this wording needs a model that can be trained."""
    named = [name for name in TRAINING if name in step.options]
    return NO_TRAINING if named else None


def check_changed(number: int, bench: Bench, left: Mapping[str, JsonValue] | None = None) -> None:
    """Raise NoEffect where a step found nothing to do, and say why layers were left alone."""
    if number:
        return
    kinds = ", ".join(count(bench.net.model).operations)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in list((left or {}).items())[:SHOWN])
    hint = f"Left alone were {reasons}." if left else f"The model's operations: {kinds}."
    msg = f"{str(bench.step)!r} found no layer in the model that it can change."
    raise NoEffect(msg, hint=hint)


def check_finite_weights(kernels: Sequence[Kernel]) -> None:
    """Raise CompressionError where a weight is NaN or infinite: nothing is near to that."""
    for kernel in kernels:
        try:
            check_finite(kernel.stored)
        except ValueError as error:
            msg = f"The weights of {kernel.name!r} cannot be compressed: {error}"
            raise CompressionError(msg, hint="Leave the layer out with skip = [...].") from error


def check_float(source: Artifact, counts: Counts) -> None:
    """Raise NoEffect where weights are not float32 any more."""
    halves = counts.weights.get("FLOAT16", 0)
    if counts.quantized or halves:
        found = f"{halves} FLOAT16" if halves else f"{counts.quantized} operations"
        msg = f"{source.path.name} is quantized already ({found}): its weights stay as they are."
        raise NoEffect(msg, hint="Begin with the float32 model, and quantize last.")


def check_valid(path: Path, source: Path) -> None:
    """Raise CompressionError where a graph breaks the rules of ONNX, and its source does not."""
    words = _faults(path)
    if words is not None and _faults(source) is None:
        msg = f"The {path.name} that was made is no valid ONNX graph: {words}"
        raise CompressionError(msg, hint="Leave the layer that it names out with skip = [...].")


def _changed(task: Task, progress: Callable[[str], None], work: Work, path: Path) -> Change:
    """All that needs the graph in memory: it is gone before what was made is checked."""
    assert task.source is not None
    assert task.step is not None
    progress(f"opening {task.source.path.name}")
    net = open_net(task.source.path)
    check_float(task.source, count(net.model))
    bench = Bench(
        net=net,
        step=task.step,
        common=replace(common_of(task.step), seed=task.seed),
        seed=task.seed,
        progress=progress,
    )
    change = work(bench)
    save_net(net, path)
    return replace(change, settings={"constants_lifted": net.lifted, **change.settings})


def _faults(path: Path) -> str | None:
    import onnx

    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        return str(error).strip()
    return None
