"""What stands beside a step's value in a plan, read into a frozen value; every error names the key.

A technique describes its own options as a frozen dataclass of which one field takes the step's main
value; what many techniques have in common is Common.
"""

import difflib
import re
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, JsonValue, TypeAdapter, ValidationError

from edgebench.core import Step
from edgebench.errors import ConfigError

T = TypeVar("T")

PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
TUNE: Final = re.compile(r"(\d+)\s*(epoch|step)s?")


def _share(value: object) -> float:
    """`"80 %"` as 0.8."""
    found = PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not 0 <= float(found[1]) < 100:
        msg = "a share is written as '80 %', at least 0 and below 100"
        raise ValueError(msg)
    return float(found[1]) / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """How long to train: `"3 epochs"` or `"500 steps"`, one of the two."""

    epochs: int | None = None
    steps: int | None = None


def _tune(value: object) -> Tune:
    found = TUNE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or int(found[1]) < 1:
        msg = "training is written as '3 epochs' or '500 steps'"
        raise ValueError(msg)
    length = int(found[1])
    return Tune(epochs=length) if found[2] == "epoch" else Tune(steps=length)


def _regexes(value: object) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple)) or not listed:
        msg = "a list of regular expressions, as in ['dense', 'conv1.*']"
        raise ValueError(msg)
    for regex in listed:
        try:
            re.compile(regex)
        except (re.error, TypeError) as error:
            msg = f"{regex!r} is no regular expression: {error}"
            raise ValueError(msg) from error
    return tuple(listed)


def _whole(value: object) -> object:
    """Pydantic takes `true` for 1."""
    if isinstance(value, bool):
        msg = "a number, not true or false"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError with its key
    return value


Share = Annotated[float, BeforeValidator(_share)]
Regexes = Annotated[tuple[str, ...], BeforeValidator(_regexes)]
Whole = Annotated[int, BeforeValidator(_whole)]
Kept = Literal["zeros", "clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What many steps take.

    Attributes:
        tune: None where the step does not train.
        learning_rate: Where Adam begins; it falls to zero along a half cosine.
        keep: What an earlier step made and this one must not undo.
        skip: Regular expressions; layers whose name one of them finds are left alone.
        only: Regular expressions; None for all layers.
    """

    tune: Annotated[Tune, BeforeValidator(_tune)] | None = None
    learning_rate: float | None = None
    batch: Whole = 64
    seed: Whole | None = None
    keep: tuple[Kept, ...] = ()
    skip: Regexes = ()
    only: Regexes | None = None


# Which words of Common a technique takes, as most of them need it.
TUNING: Final = frozenset({"tune", "learning_rate", "batch", "seed"})
PICKING: Final = frozenset({"skip", "only"})


def read_options(
    step: Step, kind: type[T], *, value: str, common: frozenset[str]
) -> tuple[T, Common]:
    """Read a step's value and options.

    Args:
        step: As the plan says it.
        kind: The technique's own frozen dataclass.
        value: The field of `kind` that takes the step's main value.
        common: Which fields of Common the technique takes.

    Raises:
        ConfigError: The value or an option is none that the technique knows.
    """
    own = {field.name for field in fields(kind)} - {value}  # type: ignore[arg-type]  # a dataclass
    for name in step.options:
        if name not in own | common:
            known = sorted(own | common)
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            msg = f"{step.name!r} has no option {name} = {step.options[name]!r}."
            raise ConfigError(msg, hint=f"{meant}Options: {', '.join(known)}.")
    mine = {value: step.value, **{k: v for k, v in step.options.items() if k in own}}
    shared = {k: v for k, v in step.options.items() if k in common}
    return _read(step, kind, mine, value=value), _read(step, Common, shared, value=value)


def common_of(step: Step) -> Common:
    """The common options of a step that `read_options` has accepted."""
    known = {field.name for field in fields(Common)}
    given = {k: v for k, v in step.options.items() if k in known}
    return _read(step, Common, given, value="")


def _read(step: Step, kind: type[T], given: dict[str, JsonValue], *, value: str) -> T:
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise _wrong(step, error.errors()[0], value=value) from error


def _wrong(step: Step, fault: Any, *, value: str) -> ConfigError:  # noqa: ANN401 - pydantic's own
    name = str(fault["loc"][0]) if fault["loc"] else value
    words = str(fault["msg"]).removeprefix("Value error, ")
    if name == value:
        msg = f"There is no '{step.name} {fault['input']}': {words}."
    else:
        msg = f"{step.name!r} has no {name} = {fault['input']!r}: {words}."
    return ConfigError(msg, hint="What each step takes: edgebench/compress/README.md.")
