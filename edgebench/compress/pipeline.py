"""Open a model, and build a variant of it stage by stage."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgebench.compress.crew import Crew
from edgebench.compress.inspect import read_artifact
from edgebench.compress.judge import Judge
from edgebench.compress.keras.train import TRAIN
from edgebench.compress.ledger import entry
from edgebench.compress.promises import check_promises
from edgebench.compress.recipe import check
from edgebench.compress.route import Stage, stages
from edgebench.compress.samples import check_numbers
from edgebench.compress.technique import Needs, Promises, UserCode, merged
from edgebench.compress.walk import Setting, walk
from edgebench.core import Format, LedgerEntry, Model, Progress, Recipe, Step, Variant
from edgebench.data import Dataset, Metric
from edgebench.errors import ConfigError
from edgebench.zoo import ZOO

if TYPE_CHECKING:
    from pydantic import JsonValue

COMPATS: Final = frozenset({"tflite-2.14"})


def open_model(
    source: str,
    *,
    base: Path,
    dataset: Dataset | None,
    cache: Path,
    seed: int,
    progress: Progress,
) -> Model:
    """Open a model file, relative to `base`, or train `"zoo:<name>"` where it is not cached.

    Raises:
        ConfigError: There is no such model, or it is not what its name says.
        CompressionError: It could not be trained.
    """
    if not source.startswith("zoo:"):
        path = base / source
        return Model(name=path.stem, artifact=read_artifact(path))
    name = source.removeprefix("zoo:")
    if name not in ZOO:
        msg = f"The zoo has no model {name!r}."
        raise ConfigError(msg, hint=f"Models in the zoo: {', '.join(ZOO)}.")
    student = ZOO[name]
    settings: dict[str, JsonValue] = {
        "epochs": student.epochs,
        "batch": student.batch,
        "learning_rate": student.learning_rate,
        "revision": student.revision,
    }
    stage = Stage(way=TRAIN, step=Step(name="train", value=name, options=settings))
    setting = Setting(
        dataset=dataset,
        cache=cache,
        seed=seed,
        compat=frozenset(),
        progress=progress,
        crew=Crew(1),
    )
    return Model(name=name, artifact=walk(stage, None, setting).artifact)


def build(  # noqa: PLR0913 - one keyword for each thing that a variant depends on
    model: Model,
    recipe: Recipe,
    target: Format,
    *,
    dataset: Dataset | None,
    metric: Metric | None,
    cache: Path,
    seed: int,
    compat: frozenset[str] = frozenset(),
    code: UserCode = UserCode(),  # noqa: B008 - frozen
    crew: Crew | None = None,
    progress: Progress,
) -> Variant:
    """Make a variant; a recipe without steps is the plain float conversion.

    Args:
        model: What the user brought.
        recipe: Its steps, in order.
        target: What the variant is written in.
        dataset: Calibrates, trains and validates; None where there is none.
        metric: For the accuracy in the ledger; None leaves it out.
        cache: Folder in which everything that is made is kept.
        seed: Decides the order of calibration; a step may have its own.
        compat: Runtimes whose gaps the file must respect, of COMPATS.
        code: The user's own Python that opening and training the model needs.
        crew: Whose places the workers take; None for one worker alone.
        progress: Is told what takes time.

    Raises:
        ConfigError: It cannot be done at all; nothing was run.
        NoEffect: A step changed nothing.
        CompressionError: A tool failed, or the file does not hold what a step promised.
    """
    check(model.artifact.format, recipe, target, has_data=dataset is not None)
    if compat - COMPATS:
        msg = f"There is no compatibility {min(compat - COMPATS)!r}."
        raise ConfigError(msg, hint=f"There is: {', '.join(sorted(COMPATS))}.")
    way = stages(model.artifact.format, recipe, target)
    _check_data(way, dataset)
    setting = Setting(
        dataset=dataset,
        cache=cache,
        seed=seed,
        compat=compat,
        progress=lambda words: progress(f"{recipe.name} ({target}): {words}"),
        code=replace(code, metric=metric.name if metric else None),
        origin=model.artifact,
        crew=crew or Crew(1),
    )
    by = Judge(dataset=dataset, metric=metric) if dataset and metric else None
    artifact, promises = model.artifact, Promises()
    ledger: list[LedgerEntry] = []
    for stage in way:
        made = walk(stage, artifact, setting)
        earlier = ledger[-1].accuracy_after if ledger else None
        ledger.append(entry(stage, artifact, made, by, setting, earlier=earlier))
        artifact, promises = made.artifact, merged(promises, made.promises)
    if ledger:
        found = check_promises(artifact, promises)
        ledger[-1] = replace(ledger[-1], settings={**ledger[-1].settings, "found": found})
    return Variant(model=model, recipe=recipe, artifact=artifact, ledger=tuple(ledger))


def _check_data(way: tuple[Stage, ...], dataset: Dataset | None) -> None:
    reads = {stage.way.traits(stage.step).needs for stage in way}
    if dataset is not None and Needs.CALIBRATION in reads:
        check_numbers(dataset.calibration)
