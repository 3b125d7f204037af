"""Walk one stage: take what it makes from the cache, or make it in a worker process."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from edgebench.compress import cache as shelf
from edgebench.compress.cache import Made
from edgebench.compress.crew import Crew, need_of
from edgebench.compress.inspect import read_artifact, sha256_of
from edgebench.compress.launch import check_tools, run_task, versions_of
from edgebench.compress.route import Stage
from edgebench.compress.samples import Samples, samples_for
from edgebench.compress.technique import Task, UserCode
from edgebench.core import Artifact, Format, Progress
from edgebench.data import Dataset
from edgebench.errors import NoEffect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What all stages of one build share."""

    dataset: Dataset | None
    cache: Path
    seed: int
    compat: frozenset[str]
    progress: Progress
    code: UserCode = field(default_factory=UserCode)
    origin: Artifact | None = None
    crew: Crew = field(default_factory=Crew)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """A stage that is ready to be walked, and the name of what it will make."""

    stage: Stage
    source: Artifact | None
    samples: Samples | None
    seed: int
    compat: tuple[str, ...]
    code: UserCode = field(default_factory=UserCode)
    origin: Artifact | None = None

    @property
    def key(self) -> str:
        """Names all that decides what comes out, versions of tools among it."""
        way, step = self.stage.way, self.stage.step
        document: dict[str, JsonValue] = {
            "way": [way.name, way.revision],
            "source": self.source.sha256 if self.source else None,
            "step": [step.value, dict(step.options)] if step else None,
            "seed": self.seed if way.traits(step).is_seeded else None,
            "data": self.samples.digest if self.samples else None,
            "compat": list(self.compat),
            "versions": {**versions_of(way.tools), **way.outside()},
            "code": self._code(),
        }
        return shelf.key_of(document)

    def _code(self) -> dict[str, JsonValue]:
        """What of the user's own has a part in it: files by content, words as they are."""
        traits, way = self.stage.way.traits(self.stage.step), self.stage.way
        if Format.KERAS not in (way.source, way.target) and not traits.files:
            return {}
        files = [*traits.files, *self.code.files()]
        return {
            "files": {name: sha256_of(self.code.base / name) for name in sorted(set(files))},
            "loss": self.code.loss,
            "metric": self.code.metric,
            "origin": self.origin.sha256 if self.origin and traits.reads_origin else None,
        }


def walk(stage: Stage, source: Artifact | None, setting: Setting) -> Made:
    """What a stage makes of the source.

    Raises:
        ConfigError: The samples do not fit, or a tool is not installed.
        NoEffect: It changed nothing.
        CompressionError: A tool failed.
    """
    traits = stage.way.traits(stage.step)
    seed = seed_of(stage, setting)
    order = Order(
        stage=stage,
        source=source,
        samples=samples_for(traits.needs, setting.dataset, source, seed=seed),
        seed=seed,
        compat=tuple(sorted(setting.compat & traits.compat)),
        code=setting.code,
        origin=setting.origin,
    )
    key, cache = order.key, setting.cache
    kept = shelf.take(cache, key)
    if kept is not None:
        return kept
    check_tools(stage.way.tools)
    with shelf.only_one(cache, key, progress=setting.progress):
        # Whoever held the lock before may have made it.
        kept = shelf.take(cache, key)
        if kept is not None:
            return kept
        setting.progress(str(stage.step or stage.way.name))
        with shelf.workplace(cache, key) as folder:
            return _make(order, key, folder, setting)


def seed_of(stage: Stage, setting: Setting) -> int:
    """The step's own seed, else that of the run."""
    own = stage.step.options.get("seed") if stage.step else None
    return own if isinstance(own, int) else setting.seed


def _make(order: Order, key: str, folder: Path, setting: Setting) -> Made:
    data = order.samples.kept_in(setting.cache) if order.samples is not None else None
    task = Task(
        way=order.stage.way.name,
        source=order.source,
        step=order.stage.step,
        folder=folder,
        data=data,
        seed=order.seed,
        compat=order.compat,
        code=order.code,
        origin=order.origin,
    )
    began = time.monotonic()
    with setting.crew.place(need_of(task, order.stage.way.tools)):
        outcome = run_task(
            task,
            crew=setting.crew,
            log=shelf.log_of(setting.cache, key),
            progress=setting.progress,
        )
    seconds = time.monotonic() - began
    artifact = read_artifact(outcome.path)
    if order.source is not None and artifact.sha256 == order.source.sha256:
        msg = f"{str(order.stage.step)!r} left {order.source.path.name} as it was."
        raise NoEffect(msg, hint="Leave the step out.")
    for file in folder.iterdir():
        if file != artifact.path:
            file.unlink()
    made = Made(
        artifact=artifact,
        changed=outcome.changed,
        settings={**outcome.settings, **(order.samples.settings if order.samples else {})},
        versions={**versions_of(order.stage.way.tools), **order.stage.way.outside()},
        seconds=seconds,
        accuracies=outcome.accuracies,
        promises=outcome.promises,
    )
    return shelf.put(setting.cache, key, made, folder=folder)
