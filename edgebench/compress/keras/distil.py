"""Knowledge distillation: a student learns from labels and from what a teacher makes of them.

Hinton, Vinyals and Dean, https://arxiv.org/abs/1503.02531, by keras.distillation.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgebench.compress.distil import SELF, Distil, read_distil
from edgebench.compress.keras.bench import Bench, Change, carry
from edgebench.compress.keras.filters import narrowed
from edgebench.compress.keras.kernels import weight_count
from edgebench.compress.keras.material import Samples
from edgebench.compress.keras.student import build_student
from edgebench.compress.keras.surgery import flat
from edgebench.compress.keras.teacher import logits_of, open_teacher
from edgebench.compress.technique import Needs, Outcome, Promises, Task, Traits, Way
from edgebench.core import Format, Step
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import keras


def distil(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Train a student by a teacher, which may be a model of any format.

    Raises:
        CompressionError: Teacher and student have no outputs or features to compare.
    """
    return carry(task, progress, _work)


def _work(bench: Bench) -> Change:
    own, _ = read_distil(bench.step)
    train = bench.material.train
    assert train is not None
    path = _teacher_path(own, bench.task)
    bench.progress(f"the teacher is {path.name}")
    teacher = open_teacher(path, bench.task.code, train)
    student = _student(own, bench, train, teacher)
    weights = weight_count(student)
    is_other = own.student != SELF or own.width is not None
    return Change(
        model=student,
        changed={
            "student": own.student,
            "teacher": path.name,
            "parameters": int(student.count_params()),
            "temperature": own.temperature,
            "alpha": own.alpha,
        },
        pupil=lambda: _distiller(own, teacher, student, train),
        promises=lambda: Promises(weights=weights) if is_other else Promises(),
    )


def _teacher_path(own: Distil, task: Task) -> Path:
    if own.teacher is not None:
        return task.code.base / own.teacher
    assert task.origin is not None
    return task.origin.path


def _student(own: Distil, bench: Bench, train: Samples, teacher: "keras.Model") -> "keras.Model":
    if own.student == SELF:
        return bench.model if own.width is None else narrowed(flat(bench.model), own.width)
    classes = teacher(train.first(1).fed(), training=False).shape[-1]
    return build_student(own.student, own.width, train, int(classes), code=bench.task.code)


def _distiller(own: Distil, teacher: "keras.Model", student: "keras.Model", train: Samples) -> Any:  # noqa: ANN401 - Keras' own
    import keras

    learner = logits_of(student, train)
    losses: list[Any] = [keras.distillation.LogitsDistillation(temperature=own.temperature)]
    losses += _features(own.pairs, teacher, learner)
    try:
        pupil = keras.distillation.Distiller(
            teacher=teacher,
            student=learner,
            distillation_losses=losses,
            student_loss_weight=own.alpha,
        )
    except (ValueError, AttributeError) as error:
        msg = f"Teacher and student do not go together: {error}"
        raise CompressionError(
            msg, hint="Look at inputs, classes, and the layers of features."
        ) from error
    pupil.loss_of_labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return pupil


def _features(
    pairs: Sequence[tuple[str, str]], teacher: "keras.Model", student: "keras.Model"
) -> list[Any]:
    """One loss for each pair of layers whose outputs are to agree.

    Raises:
        CompressionError: A layer is not there, or the two give different shapes.
    """
    import keras

    losses = []
    for theirs, mine in pairs:
        shapes = [_shape_of(teacher, theirs), _shape_of(student, mine)]
        if shapes[0] != shapes[1]:
            msg = (
                f"{theirs!r} of the teacher gives {shapes[0]}, {mine!r} of the student {shapes[1]}."
            )
            raise CompressionError(msg, hint="Features are compared where shapes are the same.")
        losses.append(
            keras.distillation.FeatureDistillation(
                loss="mse", teacher_layer_name=theirs, student_layer_name=mine
            )
        )
    return losses


def _shape_of(model: "keras.Model", name: str) -> tuple[int | None, ...]:
    named = {layer.name: layer for layer in getattr(model, "layers", [])}
    if not getattr(model, "inputs", None) or name not in named:
        msg = f"{model.name!r} has no layer {name!r} to look into."
        listed = ", ".join(named) or "none: only Keras models have layers"
        raise CompressionError(msg, hint=f"Its layers: {listed}.")
    return tuple(named[name].output.shape)


def _traits(step: Step | None) -> Traits:
    assert step is not None
    own, _ = read_distil(step)
    return Traits(needs=Needs.TUNING, is_seeded=True, files=own.files, reads_origin=True)


def _refuse_self(step: Step) -> str | None:
    if step.value == SELF:
        return "it cannot be trained, and so be no student of its own; name a student"
    return None


def _way(source: Format) -> Way:
    return Way(
        name=f"distil {source}",
        source=source,
        target=Format.KERAS,
        function=distil,
        tools=("tensorflow", "keras"),
        traits=_traits,
        refuse=(lambda _: None) if source is Format.KERAS else _refuse_self,
        revision=2,
    )


WAYS: Final = {source: _way(source) for source in Format}
