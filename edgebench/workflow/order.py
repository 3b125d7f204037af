"""A plan, understood: what is to be built, where it is to run, and how it is to be measured.

All that can be known to be wrong is known here, before anything slow starts.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.compress.lint import RULES
from edgebench.compress.recipe import check, parse_step
from edgebench.compress.route import stages
from edgebench.compress.sequence import check_sequence
from edgebench.core import Format, MeasureProtocol, Progress, Recipe
from edgebench.device.inventory import read_inventory, unknown_device
from edgebench.device.profile import load_profile
from edgebench.device.settings import check_fan
from edgebench.device.transport import open_transport
from edgebench.errors import ConfigError
from edgebench.measure.protocol import PRESETS
from edgebench.measure.scenario import read_scenario, scenario_name
from edgebench.plan import Plan, PlanDevice, PlanVariant, explain
from edgebench.workflow import accelerators
from edgebench.workflow.sources import check_files, check_sources

_PROTOCOL: Final = TypeAdapter(MeasureProtocol)

# What a model can become, when the plan does not say.
BECOMES: Final[Mapping[Format, tuple[Format, ...]]] = {
    Format.KERAS: (Format.TFLITE, Format.ONNX),
    Format.SAVED_MODEL: (Format.TFLITE, Format.ONNX),
    Format.ONNX: (Format.ONNX,),
    Format.TFLITE: (Format.TFLITE,),
}

# Of each value of a protocol, the bound, and whether the bound itself is allowed.
LOWEST: Final[Mapping[str, tuple[int, bool]]] = {
    "seed": (0, True),
    "blocks_min": (2, True),
    "ci_ratio": (0, False),
    "margin_ratio": (0, False),
    "warmup_min_invokes": (1, True),
    "warmup_min_s": (0, True),
    "sample_min_invokes": (2, True),
    "sample_min_s": (0, True),
    "memory_processes": (1, True),
    "timeout_s": (0, False),
    "budget_s": (0, False),
}
SWITCHES: Final = ("profile", "jetson_clocks")
WORDS: Final = ("preset", "governor", "power_mode", "fan", "scenario")
# The first may not be above the second.
PAIRS: Final = (
    ("blocks_min", "blocks_max"),
    ("warmup_min_s", "warmup_max_s"),
    ("sample_min_s", "sample_max_s"),
)


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

    @property
    def targets(self) -> tuple[Format, ...]:
        """All formats that are wanted."""
        return _targets(self.recipes)

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
    _check_silence(plan, source)
    _check_target_scenarios(plan, protocol, source)
    model_format = check_sources(plan, base=base, source=source)
    kept = _chosen_variants(plan, variants)
    recipes = tuple(_recipe(v, model_format, plan, base=base) for v in kept)
    chosen = _chosen("device", [d.name for d in plan.device], devices)
    wanted = tuple(device for device in plan.device if device.name in chosen)
    for device in wanted:
        _check_device(device)
        accelerators.check_device(device, _targets(recipes))
    order = Order(
        name=name,
        plan=_narrowed(plan, recipes),
        base=base,
        protocol=protocol,
        recipes=recipes,
        devices=wanted,
    )
    _check_rows(order)
    return order


def resolve_protocol(table: Mapping[str, JsonValue], *, source: str) -> MeasureProtocol:
    """A preset with the values that stand beside it.

    Raises:
        ConfigError: A value is none that can be measured with; key, value and bound are named.
    """
    preset = str(table.get("preset", "standard"))
    if preset not in PRESETS:
        msg = f"{source}: `protocol.preset` is {preset!r}."
        raise ConfigError(msg, hint=f"Presets: {', '.join(PRESETS)}.")
    try:
        named = table.get("scenario")
        table = {**table, "scenario": [named]} if isinstance(named, str) else table
        protocol = _PROTOCOL.validate_python({**asdict(PRESETS[preset]), **table})
    except ValidationError as error:
        raise ConfigError(explain(error, MeasureProtocol, source=f"{source}, protocol")) from error
    _check_words(table, source=source)
    _check_numbers(table, source=source)
    _check_bounds(protocol, source=source)
    check_fan(protocol.fan, source=f"{source}, protocol")
    return replace(protocol, scenario=_scenarios(protocol, source=source))


def _check_words(table: Mapping[str, JsonValue], *, source: str) -> None:
    """Pydantic takes 1 for `true`, and `true` for 1; none is what was meant."""
    for key in SWITCHES:
        if not isinstance(table.get(key, False), bool):
            msg = f"{source}: `protocol.{key}` is {table[key]!r}; it must be true or false."
            raise ConfigError(msg)
    for key in WORDS:
        if isinstance(table.get(key), bool):
            msg = f"{source}: `protocol.{key}` is {table[key]!r}; it must be a name."
            raise ConfigError(msg)


def _check_numbers(table: Mapping[str, JsonValue], *, source: str) -> None:
    """Pydantic takes `true` for 1 and `"4"` for 4; neither is what was meant."""
    for key, value in table.items():
        if key in {*SWITCHES, *WORDS} or (key == "budget_s" and value is None):
            continue
        for number in value if isinstance(value, (list, tuple)) else [value]:
            is_number = isinstance(number, (int, float)) and math.isfinite(number)
            if not is_number or isinstance(number, bool):
                msg = f"{source}: `protocol.{key}` is {value!r}; it must be a finite number."
                raise ConfigError(msg)


def _check_bounds(protocol: MeasureProtocol, *, source: str) -> None:
    threads, values = list(protocol.threads), asdict(protocol)
    if not threads or min(threads) < 1 or len(set(threads)) < len(threads):
        msg = f"{source}: `protocol.threads` is {threads}; each must be at least 1, and stand once."
        raise ConfigError(msg)
    for key, (bound, is_allowed) in LOWEST.items():
        if values[key] is None:
            continue
        if values[key] < bound or (values[key] == bound and not is_allowed):
            words = "at least" if is_allowed else "above"
            msg = f"{source}: `protocol.{key}` is {values[key]}; it must be {words} {bound}."
            raise ConfigError(msg)
    for low, high in PAIRS:
        if values[high] < values[low]:
            msg = (
                f"{source}: `protocol.{high}` is {values[high]}; it must be at least the "
                f"`{low}` of {values[low]}."
            )
            raise ConfigError(msg, hint="What is not set comes from the preset.")


def _scenarios(protocol: MeasureProtocol, *, source: str) -> tuple[str, ...]:
    """The scenarios by their one name each, in which the protocol has time for two queries."""
    where = f"{source}: `protocol.scenario` is {list(protocol.scenario)}"
    scenarios = [read_scenario(text) for text in protocol.scenario]
    names = tuple(scenario_name(scenario) for scenario in scenarios)
    if not names or len(set(names)) < len(names):
        msg = f"{where}; there must be one, and each stands once."
        raise ConfigError(msg)
    for scenario, name in zip(scenarios, names, strict=True):
        queries = (scenario.rate_hz or math.inf) * protocol.sample_max_s
        if queries < 2:
            msg = f"{where}; of {name} come {queries:.1f} queries in `sample_max_s`, and 2 must."
            raise ConfigError(msg, hint="Raise `sample_max_s`, or the rate.")
    return names


def _recipe(
    variant: PlanVariant, model_format: Format, plan: Plan, *, base: Path
) -> tuple[Recipe, tuple[Format, ...]]:
    recipe = Recipe(name=variant.name, steps=tuple(parse_step(step) for step in variant.steps))
    check_sequence(recipe)
    formats = tuple(Format(f) for f in variant.formats or ()) or BECOMES[model_format]
    for target in formats:
        check(model_format, recipe, target, has_data=plan.data is not None)
        check_files(stages(model_format, recipe, target), base=base, variant=recipe.name)
    return recipe, formats


def _targets(recipes: Sequence[tuple[Recipe, tuple[Format, ...]]]) -> tuple[Format, ...]:
    return tuple(dict.fromkeys(target for _, formats in recipes for target in formats))


def _narrowed(plan: Plan, recipes: Sequence[tuple[Recipe, tuple[Format, ...]]]) -> Plan:
    """The plan, sending past its gate only what is to be made."""
    names = {recipe.name for recipe, _ in recipes}
    send = tuple(name for name in plan.gate.send if name in names)
    return replace(plan, gate=replace(plan.gate, send=send))


def _check_silence(plan: Plan, source: str) -> None:
    known = (*RULES, *accelerators.RULES)
    for number, name in enumerate(plan.lint.silence):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            msg = f"{source}: `lint.silence[{number}]` is {name!r}, which is no rule."
            raise ConfigError(msg, hint=f"{meant}Rules: {', '.join(known)}.")


def _check_target_scenarios(plan: Plan, protocol: MeasureProtocol, source: str) -> None:
    for number, target in enumerate(plan.target):
        if target.scenario not in {"*", *protocol.scenario}:
            msg = f"{source}: `target[{number}].scenario` is {target.scenario!r}, which nothing is."
            raise ConfigError(msg, hint=f"Measured are: {', '.join(protocol.scenario)}.")


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
    check_fan(device.fan, source=f"device {device.name!r}")
    if device.profile is not None:
        load_profile(device.profile)
    address = device.address
    if address is None:
        inventory = read_inventory()
        if device.name not in inventory:
            raise unknown_device(device.name)
        address = inventory[device.name].address
    # Reads the address and connects to nothing.
    open_transport(address).close()


def _check_rows(order: Order) -> None:
    """A recipe under two names would be measured twice and called two variants."""
    seen: dict[tuple[str, Format], str] = {}
    for recipe, formats in order.recipes:
        for target in formats:
            other = seen.setdefault((recipe.digest, target), recipe.name)
            if other != recipe.name:
                msg = f"The variants {other!r} and {recipe.name!r} are the same in {target.value}."
                raise ConfigError(msg, hint="Remove one of them.")
