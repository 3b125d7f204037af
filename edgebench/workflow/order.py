"""A plan, understood: what is to be built, where it is to run, and how it is to be measured.

All that can be known to be wrong is known here, before anything slow starts.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

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
from edgebench.measure.meters.host_registry import host_meter
from edgebench.plan import Plan, PlanDevice, PlanVariant
from edgebench.workflow import accelerators
from edgebench.workflow.protocol import resolve_protocol
from edgebench.workflow.sources import check_files, check_sources
from edgebench.workflow.standing import Watch

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
        wait_for_lock_s: How long to wait for a device that somebody else measures.
        watch: Is told where each device is, in the place of lines; None where nobody looks.
    """

    out: Path
    cache: Path
    progress: Progress
    password: Callable[[str], str] | None = None
    wait_for_lock_s: float = 0.0
    watch: Watch | None = None


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
        _check_meter(device, protocol)
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


def _check_meter(device: PlanDevice, protocol: MeasureProtocol) -> None:
    if device.meter is None:
        return
    host_meter(device.meter)
    if protocol.energy_runs == 0:
        msg = f"The device {device.name!r} has a meter, and `protocol.energy_runs` is 0."
        raise ConfigError(msg, hint="Raise it to 3 or more, or take the preset `standard`.")


def _check_rows(order: Order) -> None:
    """A recipe under two names would be measured twice and called two variants."""
    seen: dict[tuple[str, Format], str] = {}
    for recipe, formats in order.recipes:
        for target in formats:
            other = seen.setdefault((recipe.digest, target), recipe.name)
            if other != recipe.name:
                msg = f"The variants {other!r} and {recipe.name!r} are the same in {target.value}."
                raise ConfigError(msg, hint="Remove one of them.")
