"""A user's samples and the metric that judges a model on them."""

from edgebench.data.arrays import Arrays, inputs_for
from edgebench.data.dataset import (
    Dataset,
    Split,
    dataset_from_arrays,
    dataset_from_streams,
    load_dataset,
)
from edgebench.data.function import load_function, load_objects
from edgebench.data.metric import METRICS, Metric, accuracy, load_metric

__all__ = [
    "METRICS",
    "Arrays",
    "Dataset",
    "Metric",
    "Split",
    "accuracy",
    "dataset_from_arrays",
    "dataset_from_streams",
    "inputs_for",
    "load_dataset",
    "load_function",
    "load_metric",
    "load_objects",
]
