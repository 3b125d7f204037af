"""Walk one stage: take what it makes from the cache, or make it in a worker process."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.compress import cache as shelf
from edgebench.compress.cache import Made
from edgebench.compress.inspect import read_artifact
from edgebench.compress.launch import check_tools, run_task, versions_of
from edgebench.compress.route import Stage
from edgebench.compress.samples import Samples, samples_for
from edgebench.compress.technique import Task
from edgebench.core import Artifact, Progress
from edgebench.data import Dataset
from edgebench.errors import NoEffect

if TYPE_CHECKING:
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What all stages of one build share."""

    dataset: Dataset | None
    cache: Path
    seed: int
    compat: frozenset[str]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Order:
    """A stage that is ready to be walked, and the name of what it will make."""

    stage: Stage
    source: Artifact | None
    samples: Samples | None
    seed: int
    compat: tuple[str, ...]

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
            "versions": dict(versions_of(way.tools)),
        }
        return shelf.key_of(document)


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
    data = folder / "samples.npz"
    if order.samples is not None:
        order.samples.write(data)
    task = Task(
        way=order.stage.way.name,
        source=order.source,
        step=order.stage.step,
        folder=folder,
        data=data if order.samples is not None else None,
        seed=order.seed,
        compat=order.compat,
    )
    began = time.monotonic()
    outcome = run_task(task, log=shelf.log_of(setting.cache, key), progress=setting.progress)
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
        versions=versions_of(order.stage.way.tools),
        seconds=seconds,
    )
    return shelf.put(setting.cache, key, made, folder=folder)
