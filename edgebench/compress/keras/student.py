"""Another architecture in the model's place: built by its width, trained from nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from edgebench.compress.distil import ZOO_PREFIX, read_student
from edgebench.compress.keras.bench import Bench, Change, carry
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.material import Samples
from edgebench.compress.keras.surgery import flat
from edgebench.compress.options import Common, Tune
from edgebench.compress.technique import Needs, Outcome, Promises, Task, Traits, UserCode, Way
from edgebench.core import Format, Step
from edgebench.data.function import load_function
from edgebench.errors import ConfigError
from edgebench.zoo import ZOO

if TYPE_CHECKING:
    import keras


HINT: Final = "Name a function in a file: 'student.py:make'."


def make_student(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Train an architecture of the zoo, or of the user's, on the training samples."""
    return carry(task, progress, _work, tuned_as=_as_the_zoo)


def build_student(
    name: str, width: float | None, samples: Samples, classes: int, *, code: UserCode
) -> "keras.Model":
    """An untrained student for these samples, its input named as theirs.

    Raises:
        ConfigError: The samples have several inputs, or the user's function made no model.
    """
    import keras

    if len(samples.x) != 1:
        msg = f"The student {name!r} takes one input, the data has {sorted(samples.x)}."
        raise ConfigError(msg, hint="Write a step of your own: step = 'steps.py:my_step'.")
    input_name, array = next(iter(samples.x.items()))
    scaled: Mapping[str, Any] = {} if width is None else {"width": width}
    if name.startswith(ZOO_PREFIX):
        model: Any = ZOO[name.removeprefix(ZOO_PREFIX)].build(array.shape[1:], classes, **scaled)
    else:
        model = load_function(name, base=code.base, kind="student", hint=HINT)[0](
            array.shape[1:], classes, **scaled
        )
    if not isinstance(model, keras.Model):
        msg = f"{name!r} made a {type(model).__name__}."
        raise ConfigError(msg, hint="It must return a keras.Model.")
    if not input_name:
        return model
    outer = keras.Input(array.shape[1:], dtype=model.inputs[0].dtype, name=input_name)
    return flat(keras.Model(outer, model(outer), name=model.name))


def classes_in(samples: Samples) -> int:
    """How many classes the labels tell apart.

    Raises:
        ConfigError: They are no class numbers.
    """
    y = samples.y
    if y is None or y.dtype.kind not in "iu" or y.size != len(y) or y.min() < 0:
        msg = "A student learns to tell classes apart: these labels are no class numbers."
        raise ConfigError(msg, hint="Give y_train as one class number a sample, from 0.")
    return int(y.max()) + 1


def _work(bench: Bench) -> Change:
    own, _ = read_student(bench.step)
    train = bench.material.train
    assert train is not None
    model = build_student(own.student, own.width, train, classes_in(train), code=bench.task.code)
    weights = weight_count(model)
    return Change(
        model=model,
        changed={"student": own.student, "parameters": int(model.count_params())},
        promises=lambda: Promises(weights=weights),
        # A student has nothing to do with the loss of the model whose place it takes.
        forgets_loss=True,
    )


def _as_the_zoo(step: Step, common: Common) -> Common:
    """Where the plan does not say how to train, the zoo does."""
    own, _ = read_student(step)
    if not own.student.startswith(ZOO_PREFIX):
        return common
    student = ZOO[own.student.removeprefix(ZOO_PREFIX)]
    said = set(step.options)
    if "tune" not in said:
        common = replace(common, tune=Tune(epochs=student.epochs))
    if "learning_rate" not in said:
        common = replace(common, learning_rate=student.learning_rate)
    return common if "batch" in said else replace(common, batch=student.batch)


def _traits(step: Step | None) -> Traits:
    assert step is not None
    own, _ = read_student(step)
    file = own.student.rpartition(":")[0]
    files = () if own.student.startswith(ZOO_PREFIX) else (file,)
    return Traits(needs=Needs.TUNING, is_seeded=True, files=files)


WAY: Final = Way(
    name="student",
    source=Format.KERAS,
    target=Format.KERAS,
    function=make_student,
    tools=("tensorflow", "keras"),
    traits=_traits,
)
