"""How a model is asked: what `single`, `offline`, `multi:8` and `periodic:30` are.

After MLPerf Inference (Reddi et al., ISCA 2020): its single stream, its offline, its multiple
streams as they are since version 2; and with `periodic` its multiple streams as they were before
that, where a query comes at a fixed rate and what is not taken in time is dropped.
"""

import math
from typing import Final

from edgebench.core import Scenario
from edgebench.errors import ConfigError

# Enough for a batch to pay, and no strain on a board's memory.
OFFLINE_SAMPLES: Final = 8
SAMPLES_MAX: Final = 4096
RATE_MAX_HZ: Final = 1000.0
HINT: Final = "Scenarios: single, offline, offline:32, multi:8, periodic:30 (a query each 1/30 s)."


def read_scenario(text: str) -> Scenario:
    """What a scenario is, by its name.

    Raises:
        ConfigError: There is none of that name, or its number is out of bounds.

    >>> read_scenario("multi:8")
    Scenario(kind='multi', samples=8, rate_hz=None)
    """
    kind, _, number = text.partition(":")
    if text == "single":
        return Scenario()
    if text == "offline":
        return Scenario(kind="offline", samples=OFFLINE_SAMPLES)
    value = _number(number)
    if kind in {"offline", "multi"} and 2 <= value <= SAMPLES_MAX and value == int(value):
        return Scenario(kind=kind, samples=int(value))  # type: ignore[arg-type]  # one of the two
    if kind == "periodic" and 0 < value <= RATE_MAX_HZ:
        return Scenario(kind="periodic", rate_hz=value)
    msg = f"{text!r} is no scenario."
    bounds = f"Samples lie between 2 and {SAMPLES_MAX}, a rate is at most {RATE_MAX_HZ:.0f} Hz."
    raise ConfigError(msg, hint=f"{HINT} {bounds}")


def scenario_name(scenario: Scenario) -> str:
    """The one name of a scenario, however it was written.

    >>> [scenario_name(read_scenario(text)) for text in ("offline:8", "multi:08", "periodic:30.0")]
    ['offline', 'multi:8', 'periodic:30']
    """
    match scenario.kind:
        case "single":
            return "single"
        case "periodic":
            return f"periodic:{scenario.rate_hz:g}"
        case "offline" if scenario.samples == OFFLINE_SAMPLES:
            return "offline"
    return f"{scenario.kind}:{scenario.samples}"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
