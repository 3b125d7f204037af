"""The step `step`: a function of the user's own."""

from typing import Final

from pydantic import JsonValue

from edgebench.compress.options import TUNING
from edgebench.core import Step
from edgebench.errors import ConfigError

HINT: Final = "Name a function in a file: step = 'steps.py:my_step'."
# What edgebench itself reads of such a step; everything else is passed on to the function.
OURS: Final = TUNING | {"keep"}


def check_own(step: Step) -> None:
    """Raise ConfigError where the value names no function in a file."""
    file, _, name = str(step.value).rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        msg = f"There is no 'step {step.value}'."
        raise ConfigError(msg, hint=HINT)


def file_of(source: str) -> str:
    """The file of `"steps.py:my_step"`."""
    return source.rpartition(":")[0]


def passed_on(step: Step) -> dict[str, JsonValue]:
    """The options that the function gets."""
    return {name: value for name, value in step.options.items() if name not in OURS}
