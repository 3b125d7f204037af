"""The protocol of a plan: a preset and what is said beside it, every value checked."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.core import MeasureProtocol
from edgebench.device.settings import check_fan
from edgebench.errors import ConfigError
from edgebench.measure.protocol import PRESETS
from edgebench.measure.scenario import read_scenario, scenario_name
from edgebench.plan import explain

_PROTOCOL: Final = TypeAdapter(MeasureProtocol)

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
    "battery_floor_percent": (0, True),
    "energy_active_s": (0, False),
    "energy_idle_s": (0, False),
}
SWITCHES: Final = ("profile", "jetson_clocks", "keep_awake", "fixed_performance")
WORDS: Final = ("preset", "governor", "power_mode", "fan", "scenario")
# The first may not be above the second.
PAIRS: Final = (
    ("blocks_min", "blocks_max"),
    ("warmup_min_s", "warmup_max_s"),
    ("sample_min_s", "sample_max_s"),
)


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
        if key in {*SWITCHES, *WORDS} or value is None:
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
