"""The step `share`: what a plan may say of it, whatever the format of the file."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator

from edgebench.compress.options import TUNING, Common, Regexes, read_options
from edgebench.core import Step

IDENTICAL: Final = "identical"


def _layers(value: object) -> object:
    if value == IDENTICAL:
        return None
    if not isinstance(value, (list, tuple)):
        msg = "weights are shared where they are 'identical', or by a list of layers"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports a ValueError with its key
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Which layers come to use one set of weights.

    Attributes:
        layers: Regular expressions; None for whichever layers have the same weights already.
    """

    layers: Annotated[Regexes | None, BeforeValidator(_layers)]


def read_share(step: Step) -> tuple[Sharing, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    return read_options(step, Sharing, value="layers", common=TUNING | {"keep"})


def check_share(step: Step) -> None:
    """Raise ConfigError where value or options of a `share` step are not its own."""
    read_share(step)
