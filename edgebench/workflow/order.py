"""A plan, understood: what is to be built, where it is to run, and how it is to be measured.

All that can be known to be wrong is known here, before anything slow starts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.compress.lint import doubts
from edgebench.compress.recipe import check, parse_step
from edgebench.core import Format, MeasureProtocol, Progress, Recipe
from edgebench.device.inventory import read_inventory, unknown_device
from edgebench.device.profile import load_profile
from edgebench.errors import ConfigError
from edgebench.measure.protocol import PRESETS
from edgebench.plan import Plan, PlanDevice, PlanVariant, explain

_PROTOCOL: Final = TypeAdapter(MeasureProtocol)

# What a model can become, when the plan does not say.
BECOMES: Final[Mapping[Format, tuple[Format, ...]]] = {
    Format.KERAS: (Format.TFLITE, Format.ONNX),
    Format.SAVED_MODEL: (Format.TFLITE, Format.ONNX),
    Format.ONNX: (Format.ONNX,),
    Format.TFLITE: (Format.TFLITE,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a command works, and whom it speaks to.

    Attributes:
        out: Runs land here.
        cache: Variants, runtimes and host outputs are kept here, by content.
        password: Asks the user for the password of an address; None where nobody can be asked.
    """

    out: Path
    cache: Path
    progress: Progress
    password: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A plan in which every word is understood.

    Attributes:
        recipes: With the formats that each is wanted in, in the plan's order.
        base: The folder that paths of the plan are relative to.
    """

    name: str
    plan: Plan
    base: Path
    protocol: MeasureProtocol
    recipes: tuple[tuple[Recipe, tuple[Format, ...]], ...]
    devices: tuple[PlanDevice, ...]

    def reference_of(self, target: Format) -> str | None:
        """The first variant of that format with no steps: what ratios are to."""
        for recipe, formats in self.recipes:
            if target in formats and not recipe.steps:
                return recipe.name
        return None


def order_of(
    plan: Plan,
    *,
    base: Path,
    name: str,
    devices: Sequence[str] = (),
    variants: Sequence[str] = (),
) -> Order:
    """Understand a plan; raises ConfigError for whatever in it cannot work.

    Args:
        devices: Only these of the plan's devices; all where empty.
        variants: Only these, and the references that their ratios are to; all where empty.
    """
    source = f"plan {name!r}"
    protocol = resolve_protocol(plan.protocol, source=source)
    model_format = format_of(plan.model.source, base=base)
    recipes = tuple(_recipe(v, model_format, plan) for v in _chosen_variants(plan, variants))
    chosen = _chosen("device", [d.name for d in plan.device], devices)
    wanted = tuple(device for device in plan.device if device.name in chosen)
    for device in wanted:
        _check_device(device)
    order = Order(
        name=name, plan=plan, base=base, protocol=protocol, recipes=recipes, devices=wanted
    )
    _check_rows(order)
    if plan.gate.accuracy_drop_points is not None and plan.data is None:
        msg = f"{source}: [gate] limits the accuracy, but there is no [data] to take it from."
        raise ConfigError(msg)
    return order


def resolve_protocol(table: Mapping[str, JsonValue], *, source: str) -> MeasureProtocol:
    """A preset with the values that stand beside it."""
    preset = str(table.get("preset", "standard"))
    if preset not in PRESETS:
        msg = f"{source}: `protocol.preset` is {preset!r}."
        raise ConfigError(msg, hint=f"Presets: {', '.join(PRESETS)}.")
    try:
        protocol = _PROTOCOL.validate_python({**asdict(PRESETS[preset]), **table})
    except ValidationError as error:
        raise ConfigError(explain(error, MeasureProtocol, source=f"{source}, protocol")) from error
    if not protocol.threads or min(protocol.threads) < 1:
        msg = f"{source}: `protocol.threads` is {list(protocol.threads)}; each must be at least 1."
        raise ConfigError(msg)
    if not 2 <= protocol.blocks_min <= protocol.blocks_max:
        msg = (
            f"{source}: `protocol.blocks_min` is {protocol.blocks_min} and `blocks_max` "
            f"{protocol.blocks_max}; an interval takes at least 2, and the second not below."
        )
        raise ConfigError(msg)
    return protocol


def pointless(order: Order) -> tuple[str, ...]:
    """What the plan asks for that is not wrong but brings nothing, a sentence each."""
    return tuple(
        f"{recipe.name} ({target.value}): {doubt}"
        for recipe, formats in order.recipes
        for target in formats
        for doubt in doubts(recipe, target)
    )


def format_of(source: str, *, base: Path) -> Format:
    """What a model source is, by its name."""
    if source.startswith("zoo:"):
        return Format.KERAS
    path = base / source
    formats = {".keras": Format.KERAS, ".onnx": Format.ONNX, ".tflite": Format.TFLITE}
    if path.suffix in formats:
        return formats[path.suffix]
    if path.is_dir():
        return Format.SAVED_MODEL
    msg = f"The model {source!r} is none of .keras, .onnx, .tflite and no SavedModel folder."
    raise ConfigError(msg, hint="`zoo:lenet` trains the small model of the demo.")


def _recipe(
    variant: PlanVariant, model_format: Format, plan: Plan
) -> tuple[Recipe, tuple[Format, ...]]:
    recipe = Recipe(name=variant.name, steps=tuple(parse_step(step) for step in variant.steps))
    formats = tuple(Format(f) for f in variant.formats or ()) or BECOMES[model_format]
    for target in formats:
        check(model_format, recipe, target, has_data=plan.data is not None)
    return recipe, formats


def _chosen(kind: str, names: Sequence[str], asked: Sequence[str]) -> set[str]:
    for name in asked:
        if name not in names:
            msg = f"The plan has no {kind} {name!r}."
            raise ConfigError(msg, hint=f"It has: {', '.join(names)}.")
    return set(asked or names)


def _chosen_variants(plan: Plan, asked: Sequence[str]) -> tuple[PlanVariant, ...]:
    chosen = _chosen("variant", [v.name for v in plan.variant], asked)
    return tuple(v for v in plan.variant if v.name in chosen or not v.steps)


def _check_device(device: PlanDevice) -> None:
    if device.profile is not None:
        load_profile(device.profile)
    if device.address is None and device.name not in read_inventory():
        raise unknown_device(device.name)


def _check_rows(order: Order) -> None:
    """A recipe under two names would be measured twice and called two variants."""
    seen: dict[tuple[str, Format], str] = {}
    for recipe, formats in order.recipes:
        for target in formats:
            other = seen.setdefault((recipe.digest, target), recipe.name)
            if other != recipe.name:
                msg = f"The variants {other!r} and {recipe.name!r} are the same in {target.value}."
                raise ConfigError(msg, hint="Remove one of them.")
