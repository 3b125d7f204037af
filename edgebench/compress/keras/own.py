"""The user's own step on a Keras model: a function of the model and its options."""

from collections.abc import Callable
from typing import Any, Final

from edgebench.compress.keras.bench import Bench, Change, carry, traits_of
from edgebench.compress.own import HINT, file_of, passed_on
from edgebench.compress.technique import Outcome, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.data.function import load_function
from edgebench.errors import CompressionError


def own_keras(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Call the user's function, and tune what it returns where the plan says so.

    Raises:
        CompressionError: It returned no Keras model.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    import keras

    function = load_function(
        str(bench.step.value), base=bench.task.code.base, kind="step", hint=HINT
    )[0]
    before = int(bench.model.count_params())
    answer: Any = function(bench.model, passed_on(bench.step))
    if not isinstance(answer, keras.Model):
        msg = f"{bench.step.value!r} returned a {type(answer).__name__}."
        raise CompressionError(msg, hint="It takes a keras.Model and options, and returns a model.")
    model: keras.Model = answer
    return Change(model=model, changed={"parameters": [before, int(model.count_params())]})


def _traits(step: Step | None) -> Traits:
    assert step is not None
    traits = traits_of(step)
    return Traits(
        needs=traits.needs,
        is_seeded=True,
        reads_origin=traits.reads_origin,
        files=(file_of(str(step.value)),),
    )


WAY: Final = Way(
    name="own keras",
    source=Format.KERAS,
    target=Format.KERAS,
    function=own_keras,
    tools=("tensorflow", "keras"),
    traits=_traits,
)
