"""What the steps of a plan mean, and whether a recipe can lead to a format at all."""

import difflib
from collections.abc import Mapping

from pydantic import JsonValue

from edgebench.compress.route import stages
from edgebench.compress.steps import STEPS
from edgebench.compress.technique import Needs
from edgebench.core import Format, Recipe, Step
from edgebench.errors import ConfigError


def parse_step(raw: str | Mapping[str, JsonValue]) -> Step:
    """Read a step: the sentence `"quantize int8"`, or a table `{ quantize = "int8", io = "int" }`.

    Raises:
        ConfigError: The step, its value or an option is unknown; the hint names those that are not.

    >>> str(parse_step({"quantize": "int8", "io": "int"}))
    'quantize int8 (io=int)'
    """
    step = _sentence(raw) if isinstance(raw, str) else _table(raw)
    STEPS[step.name].check(step)
    return step


def check(model_format: Format, recipe: Recipe, target: Format, *, has_data: bool) -> None:
    """Raise ConfigError, before anything runs, where the recipe cannot be carried out.

    Args:
        model_format: What the user's model is written in.
        recipe: Its steps have been read by `parse_step`.
        target: What the variant is to be written in.
        has_data: Whether there are samples to calibrate and train on.
    """
    for stage in stages(model_format, recipe, target):
        needs = stage.way.traits(stage.step).needs
        if needs not in (Needs.NOTHING, Needs.VALIDATION) and not has_data:
            msg = f"The variant {recipe.name!r} needs data: {str(stage.step)!r} reads samples."
            hint = "Name a data source in [data] of the plan, such as an .npz."
            raise ConfigError(msg, hint=hint)


def _sentence(raw: str) -> Step:
    name, _, value = raw.strip().partition(" ")
    if name not in STEPS:
        raise _unknown(name)
    return Step(name=name, value=value.strip())


def _table(raw: Mapping[str, JsonValue]) -> Step:
    names = [key for key in raw if key in STEPS]
    if len(names) > 1:
        msg = f"One step is two: {' and '.join(repr(name) for name in names)}."
        raise ConfigError(msg, hint="Write each step as a table of its own.")
    if not names:
        raise _unknown(next(iter(raw), ""))
    name = names[0]
    options = {key: value for key, value in raw.items() if key != name}
    return Step(name=name, value=raw[name], options=options)


def _unknown(name: str) -> ConfigError:
    near = difflib.get_close_matches(name, STEPS, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    msg = f"There is no step {name!r}."
    return ConfigError(msg, hint=f"{meant}Steps: {', '.join(sorted(STEPS))}.")
