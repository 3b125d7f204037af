"""What a technique is: the ways on which a step leads from one model file to another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pydantic import JsonValue

from edgebench.core import Artifact, Format, Step


class Needs(StrEnum):
    """Which samples a way reads."""

    NOTHING = "nothing"
    CALIBRATION = "calibration"
    TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a way is given, in a process of its own.

    Attributes:
        way: The name of the way, by which the worker finds its function.
        source: The file it begins from; None where the model itself is made.
        step: What the plan says; None for the plain conversion of one format to another.
        folder: Where its file is written; it is empty at the start.
        data: A `.npz` of samples, where the way needs them: arrays named by input, in the order in
            which a calibration sees them, or `x_train/<input>` and `y_train`.
        compat: Runtimes whose gaps the file must respect, such as `"tflite-2.14"`.
    """

    way: str
    source: Artifact | None
    step: Step | None
    folder: Path
    data: Path | None = None
    seed: int = 0
    compat: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way made.

    Attributes:
        path: The new model file, inside the task's folder.
        changed: Counts that the step changed, for the ledger.
        settings: What the outcome depends on beside input, seed and versions.
    """

    path: Path
    changed: Mapping[str, JsonValue]
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a way depends on, for one wording of its step: it decides when the cache may answer.

    Attributes:
        is_seeded: Whether chance has a part in it.
        compat: Which names of `Task.compat` change what it makes.
    """

    needs: Needs = Needs.NOTHING
    is_seeded: bool = False
    compat: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One function that leads from a model file to another.

    Attributes:
        tools: Distributions whose version decides what comes out.
        revision: Raised when the function here changes what it makes: it ends the cache's answers.
        traits: What it depends on, given the step.
        refuse: Why this wording of the step is not possible on this way, or None.
    """

    name: str
    source: Format
    target: Format
    function: Callable[[Task, Callable[[str], None]], Outcome]
    tools: tuple[str, ...]
    revision: int = 1
    traits: Callable[[Step | None], Traits] = lambda _: Traits()
    refuse: Callable[[Step], str | None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """A step that a plan may name.

    Attributes:
        check: Raises ConfigError where value or options of the step are not its own.
        ways: By the format of the file that the step is applied to.
    """

    check: Callable[[Step], None]
    ways: Mapping[Format, Way]
