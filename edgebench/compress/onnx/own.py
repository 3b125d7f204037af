"""A function of the user's own, from one ONNX model to another."""

from collections.abc import Callable
from typing import Final

from edgebench.compress.onnx.bench import check_valid, refuse_training
from edgebench.compress.onnx.graph import count
from edgebench.compress.own import file_of, passed_on
from edgebench.compress.technique import Outcome, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.data.function import load_function
from edgebench.errors import CompressionError

HINT: Final = "Name a function in a file: step = 'steps.py:my_step'."


def own_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Call the function with a `ModelProto` and the step's options; it returns a `ModelProto`.

    Raises:
        ConfigError: There is no such file or function.
        CompressionError: It returned something else, or no valid graph.
    """
    import onnx

    assert task.source is not None
    assert task.step is not None
    source = str(task.step.value)
    function, _ = load_function(source, base=task.code.base, kind="step", hint=HINT)
    progress(str(task.step))
    model = onnx.load(str(task.source.path))
    before = count(model).to_json()
    made = function(model, passed_on(task.step))
    if not isinstance(made, onnx.ModelProto):
        msg = f"{source!r} returned {type(made).__name__}, no ONNX model."
        raise CompressionError(msg, hint="It takes and returns an onnx.ModelProto.")
    path = task.folder / "model.onnx"
    onnx.save(made, str(path))
    check_valid(path, task.source.path)
    return Outcome(path=path, changed={"before": before, "after": count(made).to_json()})


def _traits(step: Step | None) -> Traits:
    assert step is not None
    return Traits(is_seeded=True, files=(file_of(str(step.value)),))


WAY: Final = Way(
    name="own onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=own_onnx,
    tools=("onnx",),
    traits=_traits,
    refuse=refuse_training,
)
