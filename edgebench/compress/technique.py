"""What a technique is: the ways on which a step leads from one model file to another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path

from pydantic import JsonValue

from edgebench.core import Artifact, Format, Step


class Needs(StrEnum):
    """Which samples a way reads.

    `TRAINING` trains a model of the zoo: classes of one input. `TUNING` trains any model, and holds
    validation samples too. `VALIDATION` is wished for: without data the way is walked all the same.
    """

    NOTHING = "nothing"
    CALIBRATION = "calibration"
    TRAINING = "training"
    TUNING = "tuning"
    VALIDATION = "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCode:
    """What the plan names of the user's own Python, and what it says of the model.

    Attributes:
        base: The folder that its paths are relative to.
        objects: A `.py` file that registers custom layers when it is imported.
        loss: A name that Keras knows, or `"losses.py:my_loss"`; None to take the model's own.
        metric: As the plan's `[data]` names it.
    """

    base: Path = Path()
    objects: str | None = None
    loss: str | None = None
    metric: str | None = None

    def files(self) -> tuple[str, ...]:
        """The files that are named, relative to `base`."""
        named = [self.objects, *(s.rpartition(":")[0] for s in (self.loss, self.metric) if s)]
        return tuple(sorted({name for name in named if name}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a step says of every file that is made from here on. None promises nothing.

    Constants of rank 2 and more are the weights that count here.

    Attributes:
        zeros: So many weights, at least, are exactly zero.
        values: Clustered tensors hold at most so many different values each.
        clustered: So many weights lie in such tensors.
        is_integer: Every operation computes on integers, but for those that enter and leave.
        weights: So many weights there are, as the arithmetic of the surgery predicts.
    """

    zeros: int | None = None
    values: int | None = None
    clustered: int | None = None
    is_integer: bool | None = None
    weights: int | None = None


def merged(earlier: Promises, later: Promises) -> Promises:
    """What holds after both: a later step speaks last of what it speaks of at all.

    >>> merged(Promises(zeros=3, weights=9), Promises(weights=5)) == Promises(zeros=3, weights=5)
    True
    """
    said = {f.name: getattr(later, f.name) for f in fields(later)}
    return replace(earlier, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a way is given, in a process of its own.

    Attributes:
        way: The name of the way, by which the worker finds its function.
        source: The file it begins from; None where the model itself is made.
        step: What the plan says; None for the plain conversion of one format to another.
        folder: Where its file is written; it is empty at the start.
        data: A `.npz` of samples, where the way needs them: arrays named by input, in the order in
            which a calibration sees them; `x_train` and `y_train` for a model of the zoo; else
            `x_train/<input>`, `y_train`, `x_validation/<input>`, `y_validation`, where `<input>` is
            empty for the one array of a one-input model.
        compat: Runtimes whose gaps the file must respect, such as `"tflite-2.14"`.
        origin: The user's own model, from which the recipe began: a teacher.
    """

    way: str
    source: Artifact | None
    step: Step | None
    folder: Path
    data: Path | None = None
    seed: int = 0
    compat: tuple[str, ...] = ()
    code: UserCode = field(default_factory=UserCode)
    origin: Artifact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracies:
    """The metric on the validation set, by the way's own kernels; None where it was not computed.

    Attributes:
        untuned: After the step, before it was tuned.
    """

    before: float | None = None
    untuned: float | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way made.

    Attributes:
        path: The new model file, inside the task's folder.
        changed: Counts that the step changed, for the ledger.
        settings: What the outcome depends on beside input, seed and versions.
        accuracies: Of a model that no runner runs, such as a Keras model.
    """

    path: Path
    changed: Mapping[str, JsonValue]
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    accuracies: Accuracies = field(default_factory=Accuracies)
    promises: Promises = field(default_factory=Promises)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a way depends on, for one wording of its step: it decides when the cache may answer.

    Attributes:
        is_seeded: Whether chance has a part in it.
        compat: Which names of `Task.compat` change what it makes.
        files: Files of the user's, relative to the plan, that it reads.
        reads_origin: Whether the user's own model has a part in it.
    """

    needs: Needs = Needs.NOTHING
    is_seeded: bool = False
    compat: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    reads_origin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One function that leads from a model file to another.

    Attributes:
        tools: Distributions whose version decides what comes out.
        revision: Raised when the function here changes what it makes: it ends the cache's answers.
        traits: What it depends on, given the step.
        refuse: Why this wording of the step is not possible on this way, or None.
        ends: Why what this wording makes cannot be written in the format of the variant, or None.
        outside: Versions of programs that are no distribution of this environment.
        absent: Why such a program is not there, and the command that installs it; None where it is.
        takes: Whether this wording of the step is for this way at all: where it is not, the model
            is converted first, as if there were no such way.
    """

    name: str
    source: Format
    target: Format
    function: Callable[[Task, Callable[[str], None]], Outcome]
    tools: tuple[str, ...]
    revision: int = 1
    traits: Callable[[Step | None], Traits] = lambda _: Traits()
    refuse: Callable[[Step], str | None] = lambda _: None
    ends: Callable[[Step, Format], str | None] = lambda *_: None
    takes: Callable[[Step], bool] = lambda _: True
    outside: Callable[[], Mapping[str, str]] = dict
    absent: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """A step that a plan may name.

    Attributes:
        check: Raises ConfigError where value or options of the step are not its own.
        ways: By the format of the file that the step is applied to.
    """

    check: Callable[[Step], None]
    ways: Mapping[Format, Way]
