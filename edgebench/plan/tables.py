"""The tables of a plan.toml, as frozen values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from pydantic import ConfigDict, JsonValue, StrictBool, StrictInt, StrictStr

from edgebench.runtimes import Choice

RawStep = str | dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanModel:
    """`[model]`.

    Attributes:
        shapes: Sizes of an input's free axes, where there is no data to say them; else 1.
        ranges: Lowest and highest value of an input, where there is no data to take them from.
        objects: A `.py` file that registers the model's custom layers when it is imported.
        loss: What training lowers: a name of `LOSSES`, or `"losses.py:my_loss"`; None for the loss
            that the model was compiled with.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    objects: str | None = None
    loss: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanData:
    """`[data]`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    source: str
    metric: str = "top1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDevice:
    """`[[device]]`: a name of the inventory, or a name with an address of its own.

    Attributes:
        meter: What its power is read by, where that hangs on the host: `tasmota:192.0.2.9`.
        accelerators: Every variant is measured on each of them, and on the CPU.
        power_mode: In the place of the protocol's, as those that follow; None for the protocol's.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    address: str | None = None
    profile: str | None = None
    runtime: Choice | None = None
    meter: str | None = None
    accelerators: tuple[str, ...] = ()
    power_mode: StrictStr | StrictInt | None = None
    jetson_clocks: StrictBool | None = None
    fan: str | None = None
    keep_awake: StrictBool | None = None
    fixed_performance: StrictBool | None = None

    def settings(self) -> dict[str, JsonValue]:
        """What it sets in the place of the protocol's, by the protocol's names."""
        names = ("power_mode", "jetson_clocks", "fan", "keep_awake", "fixed_performance")
        own = {name: getattr(self, name) for name in names}
        return {name: value for name, value in own.items() if value is not None}


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
    """`[gate]`: what a variant must hold on the validation set before it gets device time.

    Attributes:
        send: Variants that are measured whatever they lost.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    accuracy_drop_points: float | None = None
    send: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """`[lint]`.

    Attributes:
        silence: Names of rules whose doubts the user knows, and does not want to read again.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    silence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`[[target]]`: limits that a user promised. A limit that is None is not set."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    device: str = "*"
    variant: str = "*"
    scenario: str = "*"
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
class Targets:
    """A file that holds targets alone."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    schema: Literal[1] = 1
    target: tuple[Target, ...]


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
    lint: Lint = field(default_factory=Lint)
    target: tuple[Target, ...] = ()
