"""What types cannot say of a plan: names, references and numbers that must fit one another."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

from edgebench.core import MeasureProtocol
from edgebench.errors import ConfigError
from edgebench.plan.tables import Plan, Target

# A name becomes part of file names, here and on the device.
NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
# What the name of a cell's files cannot hold: see `core.Job.key`.
NOT_IN_KEY: Final = re.compile(r"[^A-Za-z0-9_-]")

A_FUNCTION: Final = re.compile(r"[^:]+\.py:[A-Za-z_]\w*")
# What `keras.losses.get` takes, in its functions' own names and their short forms.
LOSSES: Final = (
    *("bce", "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy"),
    *("categorical_focal_crossentropy", "categorical_hinge", "circle", "cosine_similarity"),
    *("ctc", "dice", "hinge", "huber", "kl_divergence", "kld", "log_cosh", "mae", "mape"),
    *("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
    *("mean_squared_logarithmic_error", "mse", "msle", "poisson"),
    *("sparse_categorical_crossentropy", "squared_hinge", "tversky"),
)


def check_plan(plan: Plan, source: str) -> None:
    """Raise ConfigError, with the file and the key, where parts of a plan do not fit together."""
    _check_protocol(plan, source)
    _check_names(plan, source)
    _check_model(plan, source)
    _check_formats(plan, source)
    check_targets_of(plan.target, _names(plan), source)
    _check_gate(plan, source)


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


def _check_model(plan: Plan, source: str) -> None:
    """Whether `objects` and `loss` can name anything; whether it is there is asked later."""
    objects, loss = plan.model.objects, plan.model.loss
    if objects is not None and not objects.endswith(".py"):
        msg = f"{source}: `model.objects` is {objects!r}, which is no file of Python."
        raise ConfigError(msg, hint="A file that registers custom layers: objects = 'layers.py'.")
    if loss is not None and loss not in LOSSES and A_FUNCTION.fullmatch(loss) is None:
        near = difflib.get_close_matches(loss, LOSSES, n=1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        msg = f"{source}: `model.loss` is {loss!r}, which is no loss."
        hint = f"{meant}A function 'losses.py:my_loss', or one of {', '.join(LOSSES)}."
        raise ConfigError(msg, hint=hint)


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


def check_targets_of(
    targets: Sequence[Target], names: Mapping[str, Sequence[str]], source: str
) -> None:
    """Raise ConfigError for a target that speaks of nothing, or says nothing that can be held.

    Args:
        names: What there is, by the key of a target: `device`, `variant`.
    """
    for number, target in enumerate(targets):
        for kind, known in names.items():
            name = getattr(target, kind)
            if name != "*" and name not in known:
                msg = f"{source}: `target[{number}].{kind}` is {name!r}, which is no {kind} here."
                raise ConfigError(msg, hint=f"It has: {', '.join(known)}.")
        if not target.limits():
            msg = f"{source}: `target[{number}]` sets no limit."
            raise ConfigError(msg, hint="For example: latency_p90_ms = 12.0")
        for name, limit in target.limits().items():
            _check_limit(f"target[{number}].{name}", limit, source)


def _check_gate(plan: Plan, source: str) -> None:
    names = _names(plan)["variant"]
    for number, name in enumerate(plan.gate.send):
        if name not in names:
            msg = f"{source}: `gate.send[{number}]` is {name!r}, which is no variant here."
            raise ConfigError(msg, hint=f"It has: {', '.join(names)}.")
    if plan.gate.accuracy_drop_points is not None:
        where = "gate.accuracy_drop_points"
        _check_limit(where, plan.gate.accuracy_drop_points, source)


def _check_limit(where: str, limit: float, source: str) -> None:
    # A variant may be asked to gain accuracy; time, memory and size are above zero.
    is_drop = where.endswith(".accuracy_drop_points")
    if not math.isfinite(limit) or (limit <= 0 and not is_drop):
        bound = "a finite number" if is_drop else "a finite number above 0"
        msg = f"{source}: `{where}` is {limit}; it must be {bound}."
        raise ConfigError(msg)


def _names(plan: Plan) -> dict[str, list[str]]:
    return {"variant": [v.name for v in plan.variant], "device": [d.name for d in plan.device]}
