"""The step `sparse encode`: zeros that an earlier step made are left out of the file."""

from dataclasses import dataclass
from typing import Literal

from edgebench.compress.options import read_options
from edgebench.core import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    """There is one encoding, and nothing to choose about it."""

    form: Literal["encode"]


def check_sparse(step: Step) -> None:
    """Raise ConfigError where a `sparse` step says anything but `encode`."""
    read_options(step, Sparse, value="form", common=frozenset())
