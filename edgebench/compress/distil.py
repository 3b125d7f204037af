"""The steps `distil` and `student`: what a plan may say of them."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from edgebench.compress.options import TUNING, Common, read_options
from edgebench.core import Step
from edgebench.errors import ConfigError
from edgebench.zoo import ZOO

SELF: Final = "self"
ZOO_PREFIX: Final = "zoo:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil:
    """Who learns from whom.

    Attributes:
        student: `"self"`, the model as the steps before have left it; `"zoo:<name>"`; or a function
            `"student.py:make"` of the sample's shape and the number of classes.
        width: Scales the student's hidden layers; of `"self"`, its best filters are kept.
        temperature: Softens both models' scores.
        alpha: Weight of the labels; the rest is the teacher's.
        features: Pairs `"teacher layer: student layer"` whose outputs are to agree as well.
        teacher: A model file; None for the model that the plan begins from.
    """

    student: str
    width: Annotated[float, Field(gt=0, le=4)] | None = None
    temperature: Annotated[float, Field(gt=0)] = 4.0
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    features: tuple[str, ...] = ()
    teacher: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The user's files that the step reads."""
        own = self.student.rpartition(":")[0] if self.student.count(".py:") else None
        return tuple(name for name in (own, self.teacher) if name)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Of `features`, teacher's layer and student's."""
        split = (pair.partition(":") for pair in self.features)
        return tuple((a.strip(), b.strip()) for a, _, b in split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """An architecture that is trained from nothing."""

    student: str
    width: Annotated[float, Field(gt=0, le=4)] | None = None


def read_distil(step: Step) -> tuple[Distil, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    own, common = read_options(step, Distil, value="student", common=TUNING | {"keep"})
    if own.student != SELF:
        _check_student(step, own.student)
    if any(not teacher or not student for teacher, student in own.pairs):
        msg = f"'distil' has no features = {list(own.features)!r}."
        raise ConfigError(msg, hint="Pairs of layers: features = ['conv5: conv2'].")
    if common.tune is None:
        msg = f"{str(step)!r} does not say how long to learn."
        raise ConfigError(msg, hint="Add tune = '5 epochs'.")
    return own, common


def check_distil(step: Step) -> None:
    """Raise ConfigError where value or options of a `distil` step are not its own."""
    read_distil(step)


def read_student(step: Step) -> tuple[Student, Common]:
    """Read the step; without `tune` it is trained as long as the zoo thinks good."""
    own, common = read_options(step, Student, value="student", common=TUNING)
    _check_student(step, own.student)
    if not own.student.startswith(ZOO_PREFIX) and common.tune is None:
        msg = f"{str(step)!r} does not say how long to learn."
        raise ConfigError(msg, hint="Add tune = '5 epochs'.")
    return own, common


def check_student(step: Step) -> None:
    """Raise ConfigError where value or options of a `student` step are not its own."""
    read_student(step)


def _check_student(step: Step, student: str) -> None:
    if student.startswith(ZOO_PREFIX):
        name = student.removeprefix(ZOO_PREFIX)
        if name not in ZOO:
            msg = f"The zoo has no model {name!r}."
            raise ConfigError(msg, hint=f"Models in the zoo: {', '.join(ZOO)}.")
        return
    file, _, function = student.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        msg = f"There is no '{step.name} {student}'."
        known = ", ".join(f"{ZOO_PREFIX}{name}" for name in ZOO)
        mine = "'self', " if step.name == "distil" else ""
        raise ConfigError(msg, hint=f"A student is {mine}'student.py:make', or of {known}.")
