"""Which ways lead from a model, by a recipe, to a target format: a pure question."""

from dataclasses import dataclass

from edgebench.compress.steps import CONVERSIONS, NO_CONVERSION, STEPS
from edgebench.compress.technique import Way
from edgebench.core import Format, Recipe, Step
from edgebench.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One way to go.

    Attributes:
        step: The step of the plan; None for a conversion that stands between two steps.
    """

    way: Way
    step: Step | None


def stages(model_format: Format, recipe: Recipe, target: Format) -> tuple[Stage, ...]:
    """The ways to go, in order.

    A step is applied in the format that the model is in, as long as there is a way for it there;
    else the model is converted to the target format first.

    Raises:
        ConfigError: There is no way, or a step's options are not possible on it.
    """
    found: list[Stage] = []
    now = model_format
    for step in recipe.steps:
        ways = {f: way for f, way in STEPS[step.name].ways.items() if way.takes(step)}
        if now not in ways and now is not target:
            found.append(_conversion(now, target))
            now = target
        if now not in ways:
            msg = f"{str(step)!r} cannot be done to a model in {now}."
            raise ConfigError(msg, hint=f"It can be done to {', '.join(sorted(ways))}.")
        reason = ways[now].refuse(step)
        if reason is not None:
            msg = f"{str(step)!r} cannot be done to a model in {now}: {reason}."
            raise ConfigError(msg, hint="Drop the option, or the format of this variant.")
        reason = ways[now].ends(step, target)
        if reason is not None:
            msg = f"What {str(step)!r} makes cannot be written as {target}: {reason}."
            raise ConfigError(msg, hint="Drop the option, or the format of this variant.")
        found.append(Stage(way=ways[now], step=step))
        now = ways[now].target
    if now is not target:
        found.append(_conversion(now, target))
    return tuple(found)


def _conversion(source: Format, target: Format) -> Stage:
    way = CONVERSIONS.get((source, target))
    reason = way.absent() if way else NO_CONVERSION.get((source, target), "there is no converter")
    if way is not None and reason is None:
        return Stage(way=way, step=None)
    msg = f"A {source} model cannot become {target}: {reason}."
    have = sorted(str(end) for begin, end in CONVERSIONS if begin is source)
    raise ConfigError(msg, hint=f"From {source} one can make {', '.join([source, *have])}.")
