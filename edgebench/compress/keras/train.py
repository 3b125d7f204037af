"""Train an architecture of the zoo. Runs in a worker process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.technique import Needs, Outcome, Task, Traits, Way
from edgebench.core import Format
from edgebench.zoo import ZOO, Student

if TYPE_CHECKING:
    import keras


def train_student(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Train `zoo:<name>` on the task's samples, the same way for the same seed."""
    import keras

    assert task.step is not None
    assert task.data is not None
    name = str(task.step.value)
    student = ZOO[name]
    with np.load(task.data) as samples:
        x, y = samples["x_train"], samples["y_train"]
    classes = int(y.max()) + 1
    keras.utils.set_random_seed(task.seed)
    model = student.build(x.shape[1:], classes)
    _fit(model, student, x, y, progress=lambda words: progress(f"{name}: {words}"))
    path = task.folder / f"{name}.keras"
    model.save(path)
    return Outcome(
        path=path,
        changed={"parameters": int(model.count_params())},
        settings={
            "epochs": student.epochs,
            "batch": student.batch,
            "learning_rate": student.learning_rate,
            "samples": len(x),
        },
    )


def _fit(
    model: "keras.Model",
    student: Student,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    progress: Callable[[str], None],
) -> None:
    import keras

    def report(epoch: int, logs: dict[str, float] | None) -> None:
        shown = f"{(logs or {}).get('accuracy', float('nan')):.1%} on what it learns from"
        progress(f"epoch {epoch + 1} of {student.epochs}, {shown}")

    steps = student.epochs * -(-len(x) // student.batch)
    rate = keras.optimizers.schedules.CosineDecay(student.learning_rate, steps)
    # XLA takes longer to compile a model this small than it saves.
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(
        x,
        y,
        batch_size=student.batch,
        epochs=student.epochs,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
    )


TRAIN: Final = Way(
    name="train",
    source=Format.KERAS,
    target=Format.KERAS,
    function=train_student,
    tools=("tensorflow", "keras"),
    traits=lambda _: Traits(needs=Needs.TRAINING, is_seeded=True),
)
