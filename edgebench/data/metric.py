"""How outputs are judged against labels, and how sure that judgement is."""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgebench.core import Accuracy
from edgebench.data.arrays import Arrays
from edgebench.data.function import load_function
from edgebench.errors import ConfigError
from edgebench.student_t import t_quantile

Kind = Literal["share", "error"]
KINDS: Final[Mapping[str, Kind]] = {"share": "share", "error": "error"}
TWO_SIDED_95: Final = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """How outputs are judged against labels.

    Attributes:
        kind: A `share` of 0..1 should grow; an `error` in the output's unit should shrink.
        score: Outputs by name and labels to one number a sample, shape `(samples,)`.
        digest: sha256 of the file it was read from; empty for the metrics that are built in.
    """

    name: str
    kind: Kind
    score: Callable[[Arrays, NDArray[Any]], NDArray[Any]]
    digest: str = ""


def load_metric(name: str, *, base: Path) -> Metric:
    """Load a metric by its name, or from a file as `"data.py:my_metric"`.

    The user's function takes outputs by name and labels, and gives one number a sample. It is a
    share where it has no attribute `kind` that says `"error"`.

    Raises:
        ConfigError: There is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    if ":" not in name:
        msg = f"There is no metric {name!r}."
        raise ConfigError(msg, hint=_known())
    score, digest = load_function(name, base=base, kind="metric", hint=_known())
    said = getattr(score, "kind", "share")
    if said not in KINDS:
        msg = f"The metric {name!r} has the kind {said!r}."
        raise ConfigError(msg, hint="A metric's kind is 'share' or 'error'.")
    return Metric(name=name, kind=KINDS[said], score=score, digest=digest)


def _known() -> str:
    return f"Metrics: {', '.join(METRICS)}, or a function 'data.py:my_metric'."


def accuracy(
    metric: Metric, outputs: Arrays, y: NDArray[Any], *, on: Literal["device", "host"]
) -> Accuracy:
    """Score outputs against labels, with the 95 % interval of the mean over the samples.

    Wilson's interval for a share; Student's t for an error, which has no bounds to respect.

    Raises:
        ConfigError: The metric does not fit the outputs, or gave no number for a sample.
    """
    scores = np.asarray(metric.score(outputs, y), dtype=np.float64)
    if scores.shape != (len(y),) or not len(y):
        msg = f"The metric {metric.name!r} gave an array {scores.shape} for {len(y)} samples."
        raise ConfigError(msg, hint="A metric gives one number a sample, and needs a sample.")
    # A NaN is a model's wrong answer, not a missing one: a share counts it as a miss.
    scores = np.nan_to_num(scores) if metric.kind == "share" else scores
    value = float(scores.mean())
    interval = wilson(value, len(y)) if metric.kind == "share" else _student(scores)
    return Accuracy(
        metric=metric.name, kind=metric.kind, value=value, ci95=interval, samples=len(y), on=on
    )


def wilson(share: float, samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    >>> [round(bound, 4) for bound in wilson(0.9, 100)]
    [0.8256, 0.9448]
    """
    z2 = TWO_SIDED_95**2
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    spread = TWO_SIDED_95 * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    half = spread / (1 + z2 / samples)
    return max(0.0, middle - half), min(1.0, middle + half)


def _student(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Student's 95 % interval of a mean."""
    samples = len(scores)
    if samples < 2:
        msg = "One sample has no interval."
        raise ConfigError(msg, hint="Give at least two labelled samples.")
    half = t_quantile(0.975, samples - 1) * float(scores.std(ddof=1)) / math.sqrt(samples)
    return float(scores.mean()) - half, float(scores.mean()) + half


def _only(outputs: Arrays, *, samples: int) -> NDArray[Any]:
    """The single output, as `(samples, values)`."""
    if len(outputs) != 1:
        msg = f"The model has the outputs {sorted(outputs)}: which of them is meant?"
        raise ConfigError(msg, hint="Write a metric of your own: metric = 'data.py:my_metric'.")
    output = next(iter(outputs.values()))
    if len(output) != samples:
        msg = f"The model gave {len(output)} outputs for {samples} labels."
        raise ConfigError(msg, hint="The first axis of every array of data is the sample.")
    return output.reshape(samples, -1)


def _classes(outputs: Arrays, y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores `(samples, classes)` and labels `(samples,)`; labels may be one-hot."""
    scores = _only(outputs, samples=len(y))
    labels = y.reshape(len(y), -1)
    if scores.shape[1] < 2 or labels.shape[1] not in (1, scores.shape[1]):
        msg = f"Outputs {scores.shape} and labels {y.shape} are no classes."
        raise ConfigError(msg, hint="Labels are class numbers, outputs have one score a class.")
    return scores, labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)


def top1(outputs: Arrays, y: NDArray[Any]) -> NDArray[Any]:
    """Whether the class with the highest score is the right one."""
    return top_classes(outputs, y, best=1)


def top5(outputs: Arrays, y: NDArray[Any]) -> NDArray[Any]:
    """Whether the right class is among the five with the highest scores."""
    return top_classes(outputs, y, best=5)


def top_classes(outputs: Arrays, y: NDArray[Any], *, best: int) -> NDArray[Any]:
    """Whether the right class is among the `best` highest scores, in the order of the samples.

    Ties go to the lower class number, and a sample with a NaN has no best class at all.
    """
    scores, labels = _classes(outputs, y)
    highest = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :best]
    hits = (highest == labels[:, np.newaxis]).any(axis=1)
    is_scored = ~np.isnan(scores.astype(np.float64)).any(axis=1)
    return np.asarray(hits & is_scored, dtype=np.float64)


def mae(outputs: Arrays, y: NDArray[Any]) -> NDArray[Any]:
    """Mean absolute error of each sample."""
    values = _only(outputs, samples=len(y))
    wanted = y.reshape(len(y), -1)
    if values.shape != wanted.shape:
        msg = f"Outputs {values.shape} and labels {wanted.shape} cannot be subtracted."
        raise ConfigError(msg, hint="For mae the labels have the shape of the output.")
    return np.asarray(np.abs(values.astype(np.float64) - wanted).mean(axis=1))


METRICS: Final[Mapping[str, Metric]] = {
    "top1": Metric(name="top1", kind="share", score=top1),
    "top5": Metric(name="top5", kind="share", score=top5),
    "mae": Metric(name="mae", kind="error", score=mae),
}
