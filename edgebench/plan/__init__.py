"""plan.toml -> Plan. What a step means is known to `compress`; here it is only carried."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from edgebench.errors import ConfigError
from edgebench.plan.checks import check_plan
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
)

__all__ = [
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
    "shipped_plan",
]

_PLAN: Final = TypeAdapter(Plan)


def read_plan(path: Path) -> Plan:
    """Read a plan file; every error names the file and the key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"There is no plan {str(path)!r}."
        raise ConfigError(msg, hint="`edgebench init` writes one to start from.") from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} cannot be read: {error}."
        raise ConfigError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}."
        raise ConfigError(msg) from error
    return plan_from(document, source=str(path))


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
