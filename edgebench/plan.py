"""plan.toml -> Plan. What a step means is known to `compress`; here it is only carried."""

import difflib
import math
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from edgebench.core import MeasureProtocol
from edgebench.errors import ConfigError

# A name becomes part of file names, here and on the device.
NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
# What the name of a cell's files cannot hold: see `core.Job.key`.
NOT_IN_KEY: Final = re.compile(r"[^A-Za-z0-9_-]")

RawStep = str | dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanModel:
    """`[model]`.

    Attributes:
        shapes: Sizes of an input's free axes, where there is no data to say them; else 1.
        ranges: Lowest and highest value of an input, where there is no data to take them from.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanData:
    """`[data]`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    metric: str = "top1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDevice:
    """`[[device]]`: a name of the inventory, or a name with an address of its own."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    address: str | None = None
    profile: str | None = None
    runtime: Literal["litert", "tflite-runtime", "onnxruntime"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVariant:
    """`[[variant]]`: one recipe, for one format or several.

    Attributes:
        formats: None for all that the model can become.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    steps: tuple[RawStep, ...] = ()
    formats: tuple[Literal["tflite", "onnx"], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """`[gate]`: what a variant must hold on the validation set before it gets device time."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    accuracy_drop_points: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`[[target]]`: limits that a user promised. A limit that is None is not set."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    device: str = "*"
    variant: str = "*"
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    latency_p99_ms: float | None = None
    accuracy_drop_points: float | None = None
    model_memory_mb: float | None = None
    energy_mj: float | None = None
    size_mb: float | None = None

    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        named = asdict(self)
        return {k: v for k, v in named.items() if isinstance(v, (int, float))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan, checked for form.

    Attributes:
        protocol: The preset's name and the values set beside it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    schema: Literal[1]
    model: PlanModel
    data: PlanData | None = None
    protocol: Mapping[str, JsonValue] = field(default_factory=dict)
    device: tuple[PlanDevice, ...] = (PlanDevice(name="local", address="local://"),)
    variant: tuple[PlanVariant, ...]
    gate: Gate = field(default_factory=Gate)
    target: tuple[Target, ...] = ()


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
    _check_protocol(plan, source)
    _check_names(plan, source)
    _check_formats(plan, source)
    _check_targets(plan, source)
    _check_limits(plan, source)
    return plan


def explain(error: ValidationError, root: type, *, source: str) -> str:
    """The first fault of a document as a sentence: file, key, value, and what is allowed."""
    unknown = {"unexpected_keyword_argument", "extra_forbidden"}
    # A key that is misspelt is also missing; the misspelling is what the user can see.
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unknown)
    # pydantic names the branch of a union as if it were a key.
    known = [p for p in fault["loc"] if not str(p).startswith(("str", "dict[", "float", "int"))]
    where = _key_path(known)
    if fault["type"] in unknown:
        return f"{source}: unknown key `{where}`. {_nearest(root, known)}"
    if fault["type"] in {"missing", "missing_argument"}:
        return f"{source}: the key `{where}` is missing."
    return f"{source}: `{where}` is {fault['input']!r}: {fault['msg']}."


def _key_path(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _nearest(root: type, path: Sequence[int | str]) -> str:
    here: Any = root
    for part in path[:-1]:
        here = _inner(here, part)
    names = [f.name for f in fields(here)] if is_dataclass(here) else []
    near = difflib.get_close_matches(str(path[-1]), names, n=1)
    return f"Nearest: `{near[0]}`." if near else f"Known keys: {', '.join(names)}."


def _inner(kind: Any, part: int | str) -> Any:  # noqa: ANN401 - a type of any shape
    """The type of one element or field, looking through tuples and `X | None`."""
    if isinstance(part, str) and is_dataclass(kind):
        kind = next((f.type for f in fields(kind) if f.name == part), None)
    while get_origin(kind) in {tuple, Union, types.UnionType}:
        kind = next((arg for arg in get_args(kind) if is_dataclass(arg)), None) or get_args(kind)[0]
    return kind


def _check_protocol(plan: Plan, source: str) -> None:
    known = [f.name for f in fields(MeasureProtocol)]
    for key in plan.protocol:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            tip = f"Nearest: `{near[0]}`." if near else f"Known keys: {', '.join(known)}."
            msg = f"{source}: unknown key `protocol.{key}`. {tip}"
            raise ConfigError(msg)


def _check_names(plan: Plan, source: str) -> None:
    for kind, names in _names(plan).items():
        if not names:
            msg = f"{source}: there is no [[{kind}]]."
            raise ConfigError(msg)
        for name in names:
            if NAME.fullmatch(name) is None:
                msg = f"{source}: {name!r} cannot be the name of a {kind}."
                raise ConfigError(msg, hint="Letters, digits, `_`, `-` and `.`; the first no dot.")
            if names.count(name) > 1:
                msg = f"{source}: two {kind}s are called {name!r}."
                raise ConfigError(msg, hint="Every name stands for one row of the table.")
        _check_files(kind, names, source)


def _check_files(kind: str, names: Sequence[str], source: str) -> None:
    """Two names that `core.Job.key` writes alike could not be told apart by their files."""
    seen: dict[str, str] = {}
    for name in names:
        part = NOT_IN_KEY.sub("_", name)
        other = seen.setdefault(part, name)
        if other != name:
            msg = (
                f"{source}: the {kind}s {other!r} and {name!r} are both {part!r} in names of files."
            )
            raise ConfigError(msg, hint="A `.` becomes `_` there: rename one of them.")


def _check_formats(plan: Plan, source: str) -> None:
    for number, variant in enumerate(plan.variant):
        if variant.formats is None:
            continue
        where = f"{source}: `variant[{number}].formats` is {list(variant.formats)}"
        if not variant.formats:
            msg = f"{where}, which names no format."
            raise ConfigError(msg, hint="Leave it out for all that the model can become.")
        if len(set(variant.formats)) < len(variant.formats):
            msg = f"{where}, which names a format twice."
            raise ConfigError(msg)


def _check_targets(plan: Plan, source: str) -> None:
    for number, target in enumerate(plan.target):
        asked = {"device": target.device, "variant": target.variant}
        for kind, names in _names(plan).items():
            name = asked[kind]
            if name != "*" and name not in names:
                msg = f"{source}: `target[{number}].{kind}` is {name!r}, which is no {kind} here."
                raise ConfigError(msg, hint=f"It has: {', '.join(names)}.")
        if not target.limits():
            msg = f"{source}: `target[{number}]` sets no limit."
            raise ConfigError(msg, hint="For example: latency_p90_ms = 12.0")


def _check_limits(plan: Plan, source: str) -> None:
    limits = {
        f"target[{number}].{name}": limit
        for number, target in enumerate(plan.target)
        for name, limit in target.limits().items()
    }
    if plan.gate.accuracy_drop_points is not None:
        limits["gate.accuracy_drop_points"] = plan.gate.accuracy_drop_points
    for where, limit in limits.items():
        # A variant may be asked to gain accuracy; time, memory and size are above zero.
        is_drop = where.endswith(".accuracy_drop_points")
        if not math.isfinite(limit) or (limit <= 0 and not is_drop):
            bound = "a finite number" if is_drop else "a finite number above 0"
            msg = f"{source}: `{where}` is {limit}; it must be {bound}."
            raise ConfigError(msg)


def _names(plan: Plan) -> dict[str, list[str]]:
    return {"variant": [v.name for v in plan.variant], "device": [d.name for d in plan.device]}
