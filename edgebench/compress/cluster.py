"""The step `cluster`: what a plan may say of it, whatever the format of the file."""

from dataclasses import dataclass
from typing import Final, Literal

from edgebench.compress.options import PICKING, TUNING, Common, Whole, read_options
from edgebench.core import Step
from edgebench.errors import ConfigError

VALUES_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How weights are made to share values.

    Attributes:
        values: So many different ones a tensor, or an output channel, zero among them where it is
            kept.
    """

    values: Whole
    init: Literal["kmeans++", "linear", "density"] = "kmeans++"
    scope: Literal["tensor", "channel"] = "tensor"


def read_cluster(step: Step) -> tuple[Cluster, Common]:
    """Read the step; raises ConfigError where value or options are not its own."""
    own, common = read_options(step, Cluster, value="values", common=TUNING | PICKING | {"keep"})
    if not 2 <= own.values <= VALUES_MAX:
        msg = f"{str(step)!r}: {own.values} values are no codebook."
        raise ConfigError(msg, hint=f"2 to {VALUES_MAX}; 16 and 32 are usual.")
    return own, common


def check_cluster(step: Step) -> None:
    """Raise ConfigError where value or options of a `cluster` step are not its own."""
    read_cluster(step)
