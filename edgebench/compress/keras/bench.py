"""The frame of every step from Keras to Keras: open, judge, change, tune, judge, write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from edgebench.compress.keras.hold import Hold, held, holds_of
from edgebench.compress.keras.material import Material, material_of
from edgebench.compress.keras.model import open_model, save_model
from edgebench.compress.keras.tune import LEARNING_RATE, OnStep, pupil_of, train
from edgebench.compress.options import Common, common_of
from edgebench.compress.technique import Accuracies, Needs, Outcome, Promises, Task, Traits
from edgebench.core import Format, Step
from edgebench.errors import NoEffect

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What a step is given to work on.

    Attributes:
        model: A step may change its weights, or make another model of it. None where the source is
            a file of another format.
        common: With the seed of the run where the step has none.
    """

    model: Any
    step: Step
    common: Common
    material: Material
    progress: Callable[[str], None]
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """What a step made of the model, before it is tuned.

    Attributes:
        changed: For the ledger.
        begin: Called once the untuned model is judged, before it is tuned.
        holds: What tuning must not undo, variable by variable.
        on_step: Called after every batch of tuning.
        finish: Called when tuning is over, if there was any: enforces what the step promises, and
            says what came of it.
        promises: Of the finished model.
        pupil: Makes what is fitted in place of the model; None for the model with its own loss.
        forgets_loss: Whether the loss that the user's model was compiled with is none of its own.
        learning_rate: Where the plan names none.
    """

    model: "keras.Model"
    changed: Mapping[str, JsonValue]
    begin: Callable[[], None] = lambda: None
    holds: Sequence[Hold] = ()
    on_step: Sequence[OnStep] = ()
    finish: Callable[[], Mapping[str, JsonValue]] = dict
    promises: Callable[[], Promises] = Promises
    pupil: Callable[[], "keras.Model"] | None = None
    forgets_loss: bool = False
    learning_rate: float = LEARNING_RATE
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


Work = Callable[[Bench], Change]


def carry(
    task: Task,
    progress: Callable[[str], None],
    work: Work,
    *,
    tuned_as: Callable[[Step, Common], Common] = lambda _, common: common,
) -> Outcome:
    """Do one step to a Keras model and tune it where the plan says so.

    Args:
        task: Its source may be of another format, for a step that only looks at it.
        progress: Is told what takes time.
        work: The step itself.
        tuned_as: Fills in what the plan leaves open about training.

    Raises:
        NoEffect: The model is what it was before.
        CompressionError: The step refused, or the loss was no number from the beginning.
    """
    import keras

    assert task.source is not None
    assert task.step is not None
    common = tuned_as(task.step, replace(common_of(task.step), seed=task.seed))
    keras.utils.set_random_seed(task.seed)
    material, model, before = material_of(task), None, None
    if task.source.format is Format.KERAS:
        progress(f"opening {task.source.path.name} in Keras")
        model = open_model(task.source.path, task.code)
        before = material.judge(model)
    bench = Bench(
        model=model,
        step=task.step,
        common=common,
        material=material,
        progress=progress,
        task=task,
    )
    progress(str(task.step))
    change = work(bench)
    untuned = material.judge(change.model) if common.tune else None
    changed = {**change.changed, **_tune(bench, change)}
    after = material.judge(change.model)
    return Outcome(
        path=save_model(change.model, task.folder),
        changed=changed,
        settings=change.settings,
        accuracies=Accuracies(before=before, untuned=untuned, after=after),
        promises=change.promises(),
    )


def traits_of(step: Step | None) -> Traits:
    """A step that tunes reads the training set; any other would like to be judged."""
    assert step is not None
    trains = common_of(step).tune is not None
    needs = Needs.TUNING if trains else Needs.VALIDATION
    return Traits(needs=needs, is_seeded=True, reads_origin=trains)


def check_changed(count: int, bench: Bench) -> None:
    """Raise NoEffect where a step found nothing to do."""
    if count == 0:
        msg = f"{str(bench.step)!r} found no layer in the model that it can change."
        raise NoEffect(msg, hint="Leave the step out, or look at its skip and only.")


def _tune(bench: Bench, change: Change) -> dict[str, JsonValue]:
    if bench.common.tune is None:
        return {}
    samples = bench.material.train
    assert samples is not None
    model = change.model
    if change.pupil is not None:
        pupil: Any = change.pupil()
    else:
        material = bench.material
        if change.forgets_loss:
            material = replace(material, origin=None)
        pupil = pupil_of(model, material.loss_of(model))
    change.begin()
    with held((*holds_of(model, bench.common.keep), *change.holds)):
        told = train(
            pupil,
            model,
            samples,
            common=bench.common,
            progress=bench.progress,
            on_step=change.on_step,
            learning_rate=change.learning_rate,
        )
    return {"tuned": told, **change.finish()}
