"""The step `quantize`: what a plan may say of it, whatever the format of the file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from edgebench.compress.options import PICKING, TUNING, read_options
from edgebench.compress.technique import Needs, Traits
from edgebench.core import Format, Step
from edgebench.errors import CompressionError, ConfigError

FORMS: Final = ("float16", "int8", "int8-dynamic", "int8-weights", "int16x8", "int4-weights")
STATIC: Final = frozenset({"int8", "int16x8"})

# By option: the words that it takes. The first is what counts where the option is left out.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "scheme": ("u8s8", "s8s8"),
    "granularity": ("channel", "tensor"),
    "calibrate": ("minmax", "entropy", "percentile"),
    "io": ("float", "int"),
}
# By option: the forms that it changes. Elsewhere it would be a word without a meaning.
FORMS_OF: Final[Mapping[str, frozenset[str]]] = {
    "scheme": frozenset({"int8"}),
    "granularity": frozenset(FORMS) - {"float16", "int4-weights"},
    "calibrate": STATIC,
    "io": STATIC,
}
REGEXES: Final = ("skip", "only")
KEPT: Final = ("zeros", "clusters")
NEEDS_KERAS: Final = "`aware` trains the model, and only a Keras model can be trained"
NO_SCHEME: Final = "'scheme' is a choice that onnxruntime has; LiteRT knows signed activations only"
SHOWN_NAMES: Final = 6
SHOWN_CHARS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Aware:
    """How a model is trained to be quantized.

    Attributes:
        granularity: Of the weights; None for one scale a channel, and one a tensor where clusters
            are kept.
        io: What the file takes and gives.
        scheme: Of an ONNX file: LiteRT knows signed activations only.
    """

    form: Literal["int8"]
    aware: Literal[True]
    granularity: Literal["channel", "tensor"] | None = None
    io: Literal["float", "int"] = "float"
    scheme: Literal["u8s8", "s8s8"] = "u8s8"


def check_quantize(step: Step) -> None:
    """Raise ConfigError where the form or an option of a `quantize` step is not known."""
    if step.value not in FORMS:
        msg = f"There is no 'quantize {step.value}'."
        raise ConfigError(msg, hint=f"Forms: {', '.join(FORMS)}.")
    if step.options.get("aware", False) is not False:
        read_aware(step)
        return
    for name, value in step.options.items():
        _check_option(step, name, value)


def read_aware(step: Step) -> Aware:
    """Read a step with `aware = true`.

    Raises:
        ConfigError: The form cannot be trained for, or an option is none that training has.
    """
    if step.value != "int8":
        msg = f"A model cannot be trained for '{step.value}'."
        raise ConfigError(msg, hint="aware = true belongs to int8, weights and activations.")
    own, _ = read_options(step, Aware, value="form", common=TUNING | PICKING | {"keep"})
    return own


def refuse_aware(step: Step) -> str | None:
    """Why the step cannot be done to a file that is no Keras model, if it is to be trained."""
    return NEEDS_KERAS if step.options.get("aware") is True else None


def refuse_end(step: Step, target: Format) -> str | None:
    """Why what a step with `aware = true` makes cannot be written in a format, or None."""
    if step.options.get("aware") is not True:
        return None
    if target is Format.ONNX and read_aware(step).io == "int":
        return "there is no place for the scale of an integer input; leave io = 'int' out"
    if target is Format.TFLITE and "scheme" in step.options:
        return NO_SCHEME
    return None


def option(step: Step, name: str) -> str:
    """The word of an option, or what counts where it is left out."""
    return str(step.options.get(name, CHOICES[name][0]))


def traits_of(step: Step | None, *, compat: Mapping[str, frozenset[str]]) -> Traits:
    """A static quantization reads samples in a seeded order; other forms depend on nothing."""
    assert step is not None
    is_static = step.value in STATIC
    return Traits(
        needs=Needs.CALIBRATION if is_static else Needs.NOTHING,
        is_seeded=is_static,
        compat=compat.get(str(step.value), frozenset()),
    )


def regexes(step: Step, name: str) -> tuple[str, ...]:
    """The regular expressions of `skip` or `only`."""
    value = step.options.get(name, [])
    return (value,) if isinstance(value, str) else tuple(str(regex) for regex in _list(value))


def chosen(step: Step, names: Sequence[str]) -> frozenset[str]:
    """Of the names of layers those that `only` and `skip` of a step leave to it."""
    return pick(names, only=regexes(step, "only"), skip=regexes(step, "skip"), step=str(step))


def pick(
    names: Sequence[str], *, only: Sequence[str] | None, skip: Sequence[str], step: str
) -> frozenset[str]:
    """Of the names of layers those that `only` and `skip` leave.

    Raises:
        CompressionError: A regular expression matches no name at all.
    """
    for regex in (*(only or ()), *skip):
        if not any(re.search(regex, name) for name in names):
            shown = ", ".join(repr(name[:SHOWN_CHARS]) for name in names[:SHOWN_NAMES])
            msg = f"{regex!r} in {step!r} matches no layer of the model."
            raise CompressionError(msg, hint=f"Names begin {shown}.")
    return frozenset(
        name
        for name in names
        if (not only or any(re.search(regex, name) for regex in only))
        and not any(re.search(regex, name) for regex in skip)
    )


def _check_option(step: Step, name: str, value: JsonValue) -> None:
    if name in CHOICES:
        _check_choice(step, name, value)
    elif name in REGEXES:
        _check_regexes(name, value)
    elif name == "keep":
        _check_kept(value)
    elif name in TUNING - {"seed"}:
        msg = f"'quantize {step.value}' does not train: {name} = {value!r} has no meaning."
        raise ConfigError(msg, hint="Say aware = true beside it, or leave it out.")
    elif name != "aware" and (
        name != "seed" or isinstance(value, bool) or not isinstance(value, int)
    ):
        known = (*CHOICES, *REGEXES, "seed", "keep", "aware")
        msg = f"'quantize' has no option {name} = {value!r}."
        raise ConfigError(msg, hint=f"Options: {', '.join(known)}.")


def _check_kept(value: JsonValue) -> None:
    """Rounding keeps both: zero is one of its steps, and equal weights of a channel stay equal."""
    listed = _list(value)
    if not listed or any(name not in KEPT for name in listed):
        msg = f"'quantize' cannot keep {value!r}."
        raise ConfigError(msg, hint=f"keep is a list of {', '.join(KEPT)}.")


def _check_choice(step: Step, name: str, value: JsonValue) -> None:
    if value not in CHOICES[name]:
        msg = f"'quantize' has no {name} = {value!r}."
        raise ConfigError(msg, hint=f"{name} is one of {', '.join(CHOICES[name])}.")
    if step.value not in FORMS_OF[name]:
        msg = f"{name!r} changes nothing about 'quantize {step.value}'."
        raise ConfigError(msg, hint=f"It belongs to {', '.join(sorted(FORMS_OF[name]))}.")


def _check_regexes(name: str, value: JsonValue) -> None:
    listed = [value] if isinstance(value, str) else _list(value)
    if not listed or not all(isinstance(regex, str) for regex in listed):
        msg = f"{name!r} is a list of regular expressions, not {value!r}."
        raise ConfigError(msg, hint=f"As in {name} = ['dense', 'conv1.*'].")
    for regex in listed:
        try:
            re.compile(str(regex))
        except re.error as error:
            msg = f"{regex!r} in {name!r} is no regular expression: {error}."
            raise ConfigError(msg, hint="See https://docs.python.org/3/library/re.html") from error


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
