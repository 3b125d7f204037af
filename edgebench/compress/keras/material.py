"""What a model is taught and judged with: the task's samples, its loss, its metric."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.keras.model import compiled_loss
from edgebench.compress.technique import Task, UserCode
from edgebench.core import Format
from edgebench.data import Metric, accuracy, load_metric
from edgebench.data.function import load_function
from edgebench.errors import CompressionError, ConfigError

if TYPE_CHECKING:
    import keras

Loss = Callable[[Any, Any], Any]
LOSS_HINT: Final = "A loss is a name of keras.losses, or 'losses.py:my_loss'."
BATCH: Final = 256
# A model that is not compiled keeps all it computes of a batch: of large samples fewer at once.
BATCH_VALUES: Final = 1 << 21
# Outputs that are shares of a whole sum to 1 to this.
SUM_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Inputs by name, `""` for the only one of a model, and labels."""

    x: Mapping[str, NDArray[Any]]
    y: NDArray[Any] | None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.x.values())))

    def fed(self) -> Any:  # noqa: ANN401 - Keras' own
        """The inputs as a model of Keras takes them."""
        return self.x[""] if set(self.x) == {""} else dict(self.x)

    def first(self, count: int) -> "Samples":
        """The first samples."""
        x = {name: array[:count] for name, array in self.x.items()}
        return Samples(x=x, y=None if self.y is None else self.y[:count])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The samples of a task; None where it has none.

    Attributes:
        origin: The user's own file, whose loss counts where the plan names none.
    """

    train: Samples | None
    validation: Samples | None
    metric: Metric | None
    code: UserCode
    origin: Path | None

    def judge(self, model: "keras.Model") -> float | None:
        """The metric on the validation samples; None where there is nothing to judge by."""
        if self.validation is None or self.validation.y is None or self.metric is None:
            return None
        outputs = outputs_of(model, self.validation)
        try:
            value = accuracy(self.metric, outputs, self.validation.y, on="host").value
        except ConfigError:
            return None
        return value if np.isfinite(value) else None

    def loss_of(self, model: "keras.Model") -> Loss:
        """The loss that the plan names, or the model was compiled with, or its labels suggest.

        Raises:
            ConfigError: The labels do not say what is to be learned.
        """
        if self.code.loss is not None:
            return _named_loss(self.code)
        own = compiled_loss(self.origin) if self.origin is not None else None
        if own is not None:
            return own  # type: ignore[no-any-return]  # of Keras, which has no types
        assert self.train is not None
        return _guessed_loss(model, self.train)


def material_of(task: Task) -> Material:
    """Read the samples of a task."""
    train = validation = None
    if task.data is not None:
        with np.load(task.data) as archive:
            arrays = {name: archive[name] for name in archive.files}
        train, validation = _samples(arrays, "train"), _samples(arrays, "validation")
    metric = load_metric(task.code.metric, base=task.code.base) if task.code.metric else None
    origin = task.origin.path if task.origin and task.origin.format is Format.KERAS else None
    return Material(
        train=train, validation=validation, metric=metric, code=task.code, origin=origin
    )


def outputs_of(model: "keras.Model", samples: Samples) -> dict[str, NDArray[Any]]:
    """What a model makes of samples, by the names of its outputs."""
    # predict() would compile a function of its own for every model that is looked at only once.
    count, parts = samples.count, []
    values = sum(array[:1].size for array in samples.x.values())
    size = max(1, min(BATCH, BATCH_VALUES // max(1, values)))
    for begin in range(0, count, size):
        batch = {name: array[begin : begin + size] for name, array in samples.x.items()}
        parts.append(_named(model, model(Samples(x=batch, y=None).fed(), training=False)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _named(model: "keras.Model", answer: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - Keras' own
    if isinstance(answer, Mapping):
        return {name: np.asarray(tensor) for name, tensor in answer.items()}
    listed = list(answer) if isinstance(answer, (list, tuple)) else [answer]
    names = getattr(model, "output_names", None) or [f"output_{i}" for i in range(len(listed))]
    return {name: np.asarray(tensor) for name, tensor in zip(names, listed, strict=False)}


def _samples(arrays: Mapping[str, NDArray[Any]], split: str) -> Samples | None:
    x = {
        key.partition("/")[2]: array
        for key, array in arrays.items()
        if key.partition("/")[0] == f"x_{split}"
    }
    return Samples(x=x, y=arrays.get(f"y_{split}")) if x else None


def _named_loss(code: UserCode) -> Loss:
    import keras

    assert code.loss is not None
    if ":" in code.loss:
        return load_function(code.loss, base=code.base, kind="loss", hint=LOSS_HINT)[0]
    try:
        return keras.losses.get(code.loss)  # type: ignore[no-any-return]  # of Keras
    except ValueError as error:
        msg = f"Keras has no loss {code.loss!r}."
        raise ConfigError(msg, hint=LOSS_HINT) from error


def _guessed_loss(model: "keras.Model", train: Samples) -> Loss:
    import keras

    if train.y is None:
        msg = "There are no labels in the training data to learn from."
        raise ConfigError(msg, hint="Add y_train to the data.")
    outputs = outputs_of(model, train.first(BATCH))
    if len(outputs) != 1:
        msg = f"The model has the outputs {sorted(outputs)}: what it learns must be said."
        raise ConfigError(msg, hint="Name a function of labels and outputs: [model] loss.")
    output = next(iter(outputs.values()))
    losses = keras.losses
    classes = output.shape[-1]
    is_classes = train.y.dtype.kind in "iu" and classes > 1
    if is_classes and output.ndim == 2 and train.y.size == len(train.y):
        _check_classes(train.y, classes)
        return losses.SparseCategoricalCrossentropy(from_logits=not is_shares(output))  # type: ignore[no-any-return]  # of Keras
    if output.shape[1:] == train.y.shape[1:] and train.y.dtype.kind == "f":
        return losses.MeanSquaredError()  # type: ignore[no-any-return]  # of Keras
    if output.shape[1:] == train.y.shape[1:] and is_classes:
        return losses.CategoricalCrossentropy(from_logits=not is_shares(output))  # type: ignore[no-any-return]  # of Keras
    shapes = f"Outputs {output.shape[1:]} and labels {train.y.shape[1:]} of {train.y.dtype}"
    msg = f"{shapes} do not say what is to be learned."
    raise ConfigError(msg, hint="Name it: [model] loss = 'mean_squared_error'.")


def _check_classes(y: NDArray[Any], classes: int) -> None:
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        msg = f"y_train holds the classes {low} to {high}, the model knows 0 to {classes - 1}."
        raise CompressionError(msg, hint="Classes are numbered from 0, one an output.")


def is_shares(output: NDArray[Any]) -> bool:
    """Whether outputs `(samples, classes)` are probabilities, and no logits."""
    sums = output.astype(np.float64).sum(axis=-1)
    return bool((output >= 0).all() and (np.abs(sums - 1) < SUM_TOLERANCE).all())
