"""What a plan names of the user's own: model, data, metric, Python. Nothing slow, nothing executed.

Only a metric that limits speak of is loaded, as it will be when the data is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgebench.compress.inspect import read_artifact
from edgebench.compress.route import Stage
from edgebench.core import Format
from edgebench.data import load_metric
from edgebench.errors import ConfigError
from edgebench.plan import Plan, PlanData, PlanModel
from edgebench.zoo import ZOO

ZOO_DATA: Final = ("zoo:fashion-mnist",)
# Custom layers and a loss are words for Keras alone.
TRAINABLE: Final = (Format.KERAS, Format.SAVED_MODEL)


def check_sources(plan: Plan, *, base: Path, source: str) -> Format:
    """What the model is written in.

    Args:
        base: The folder that paths of the plan are relative to.
        source: Names the plan in errors.

    Raises:
        ConfigError: What the plan names is not there, or is not what it must be.
    """
    model_format = _model_format(plan.model, base=base, has_data=plan.data is not None)
    _check_code(plan.model, model_format, base=base, source=source)
    if plan.data is not None:
        _check_source(plan.data.source, base=base)
    _check_accuracy(plan, base=base, source=source)
    return model_format


def check_files(way: Sequence[Stage], *, base: Path, variant: str) -> None:
    """Raise ConfigError where a step of a variant names a file of the user's that is not there."""
    for stage in way:
        for file in stage.way.traits(stage.step).files:
            _check_file(file, base=base, named_by=f"{variant!r}: {str(stage.step)!r}")


def _model_format(model: PlanModel, *, base: Path, has_data: bool) -> Format:
    """What the model is written in; refuses one that is not there or not whole."""
    if model.source.startswith("zoo:"):
        _check_zoo(model.source.removeprefix("zoo:"), has_data=has_data)
        return Format.KERAS
    artifact = read_artifact(base / model.source)
    inputs = [spec.name for spec in artifact.inputs]
    for table, named in (("shapes", model.shapes), ("ranges", model.ranges)):
        for name in named if inputs else ():
            if name not in inputs:
                msg = f"`model.{table}` names the input {name!r}, which the model does not have."
                raise ConfigError(msg, hint=f"Inputs: {', '.join(inputs)}.")
    return artifact.format


def _check_zoo(name: str, *, has_data: bool) -> None:
    if name not in ZOO:
        msg = f"The zoo has no model {name!r}."
        raise ConfigError(msg, hint=f"Models in the zoo: {', '.join(ZOO)}.")
    if not has_data:
        msg = f"The model 'zoo:{name}' is trained from nothing, but there is no [data]."
        raise ConfigError(msg, hint='Add [data] with source = "zoo:fashion-mnist".')


def _check_code(model: PlanModel, model_format: Format, *, base: Path, source: str) -> None:
    for key, value in (("objects", model.objects), ("loss", model.loss)):
        if value is None:
            continue
        if model_format not in TRAINABLE:
            msg = f"{source}: `model.{key}` is {value!r}, but the model is {model_format}."
            raise ConfigError(msg, hint="Leave it out: it is for models of Keras.")
        file = value if key == "objects" else value.rpartition(":")[0]
        if file:
            _check_file(file, base=base, named_by=f"{source}: `model.{key}`")


def _check_source(source: str, *, base: Path) -> None:
    """Whether data, or a metric, can be there."""
    if source in ZOO_DATA:
        return
    file = source if source.endswith(".npz") else source.rpartition(":")[0]
    if not file.endswith((".npz", ".py")):
        msg = f"{source!r} names neither data nor a function."
        hint = f"A source is {', '.join(ZOO_DATA)}, 'x.npz' or 'data.py:load'."
        raise ConfigError(msg, hint=hint)
    if not (base / file).is_file():
        msg = f"There is no file {str(base / file)!r}."
        raise ConfigError(msg, hint="Paths in a plan are relative to the plan.")


def _check_file(file: str, *, base: Path, named_by: str) -> None:
    # A teacher may be a SavedModel, which is a folder.
    if not (base / file).exists():
        msg = f"{named_by} names {str(base / file)!r}, which is not there."
        raise ConfigError(msg, hint="Paths in a plan are relative to the plan.")


def _check_accuracy(plan: Plan, *, base: Path, source: str) -> None:
    """Whoever limits the accuracy must have data, and a metric that can lose points."""
    limits = {f"target[{n}]": target.accuracy_drop_points for n, target in enumerate(plan.target)}
    limits["gate"] = plan.gate.accuracy_drop_points
    limited = [where for where, limit in limits.items() if limit is not None]
    if plan.data is None:
        if limited:
            where = f"`{limited[0]}.accuracy_drop_points`"
            msg = f"{source}: {where} limits the accuracy, but there is no [data] to take it from."
            raise ConfigError(msg)
        return
    _check_metric(plan.data, limited, base=base, source=source)


def _check_metric(data: PlanData, limited: Sequence[str], *, base: Path, source: str) -> None:
    if ":" in data.metric and not limited:
        _check_source(data.metric, base=base)
        return
    # To know a user's metric its file must be executed.
    if load_metric(data.metric, base=base).kind == "error" and limited:
        msg = (
            f"{source}: `{limited[0]}.accuracy_drop_points` limits a loss in points, but the "
            f"metric {data.metric!r} is an error: it has none."
        )
        raise ConfigError(msg, hint="Leave the limit out, or take a metric that is a share.")
