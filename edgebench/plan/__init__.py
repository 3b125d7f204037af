"""plan.toml -> Plan. What a step means is known to `compress`; here it is only carried."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from edgebench.errors import ConfigError
from edgebench.plan.checks import check_plan, check_targets_of
from edgebench.plan.faults import explain
from edgebench.plan.tables import (
    Gate,
    Lint,
    Plan,
    PlanData,
    PlanDevice,
    PlanModel,
    PlanVariant,
    RawStep,
    Target,
    Targets,
)

__all__ = [
    "A_TARGET",
    "Gate",
    "Lint",
    "Plan",
    "PlanData",
    "PlanDevice",
    "PlanModel",
    "PlanVariant",
    "RawStep",
    "Target",
    "explain",
    "plan_from",
    "read_plan",
    "read_targets",
    "shipped_plan",
]

_PLAN: Final = TypeAdapter(Plan)
_TARGETS: Final = TypeAdapter(Targets)

A_TARGET: Final = "It holds [[target]] tables as a plan does, each with a limit: size_mb = 4.0"


def read_plan(path: Path) -> Plan:
    """Read a plan file; every error names the file and the key."""
    hint = "`edgebench init` writes one to start from."
    return plan_from(_read(path, "plan", hint=hint), source=str(path))


def read_targets(path: Path, names: Mapping[str, Sequence[str]]) -> tuple[Target, ...]:
    """The `[[target]]` tables of a file that holds nothing else, or of a whole plan.

    Args:
        names: What there is for them to speak of, by the key of a target: `device`, `variant`.
    """
    document = _read(path, "file of targets", hint=A_TARGET)
    if "variant" in document:
        targets = plan_from(document, source=str(path)).target
    else:
        try:
            targets = _TARGETS.validate_python(document).target
        except ValidationError as error:
            raise ConfigError(explain(error, Targets, source=str(path)), hint=A_TARGET) from error
    if not targets:
        msg = f"{path}: there is no [[target]]."
        raise ConfigError(msg, hint=A_TARGET)
    check_targets_of(targets, names, str(path))
    return targets


def _read(path: Path, kind: str, *, hint: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"There is no {kind} {str(path)!r}."
        raise ConfigError(msg, hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} cannot be read: {error}."
        raise ConfigError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}."
        raise ConfigError(msg) from error


def shipped_plan(name: str) -> Path:
    """A plan that ships with the package: `demo`, or the commented `plan` of `init`."""
    return Path(str(resources.files("edgebench"))) / "zoo" / f"{name}.toml"


def plan_from(document: Mapping[str, Any], *, source: str) -> Plan:
    """A plan of a document; `source` names it in errors."""
    try:
        plan = _PLAN.validate_python(document)
    except ValidationError as error:
        raise ConfigError(explain(error, Plan, source=source)) from error
    check_plan(plan, source)
    return plan
