import numpy as np
import pytest

from edgebench.compress.onnx.stored import onnx_weights
from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Format
from edgebench.errors import NoEffect

pytestmark = pytest.mark.converter


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


def test_prune_then_cluster_leaves_few_values_and_all_zeros(make, net, images):
    steps = (
        {"prune": "60 %", "tune": "4 steps"},
        {"cluster": 8, "keep": ["zeros"], "tune": "1 epochs"},
    )
    variant = make(net("residual"), Format.TFLITE, *steps, dataset=images)
    weights = [w.values for w in tflite_weights(variant.artifact.path) if w.is_matrix]
    assert len(weights) == 5
    assert max(len(np.unique(values)) for values in weights) <= 8
    assert sum((values == 0).sum() for values in weights) >= int(0.6 * sum(v.size for v in weights))
    entry = variant.ledger[1]
    assert entry.changed["bn_folded"] == 3
    assert entry.changed["tuned"]["steps"] == 4
    assert entry.accuracy_after is not None
    # The first stage of both recipes is the same file, made once.
    again = make(net("residual"), Format.ONNX, steps[0], dataset=images)
    assert again.ledger[0].seconds == variant.ledger[0].seconds


def test_each_output_channel_may_have_values_of_its_own(make, net, images):
    step = {"cluster": 4, "scope": "channel", "init": "linear", "tune": "3 steps"}
    variant = make(net("residual"), Format.ONNX, step, dataset=images)
    kernels = [w.values for w in onnx_weights(variant.artifact.path) if w.values.ndim == 4]
    assert len(kernels) == 3
    for kernel in kernels:
        assert max(len(np.unique(channel)) for channel in kernel) <= 4
    assert max(len(np.unique(kernel)) for kernel in kernels) > 4


def test_tuning_moves_the_values(make, net, images):
    untuned = make(net("residual"), Format.TFLITE, {"cluster": 8}, dataset=images)
    tuned = make(net("residual"), Format.TFLITE, {"cluster": 8, "tune": "4 steps"}, dataset=images)
    values = [
        sorted({float(v) for w in tflite_weights(x.artifact.path) for v in np.unique(w.values)})
        for x in (untuned, tuned)
    ]
    assert values[0] != values[1]


def test_a_model_of_few_values_has_nothing_to_cluster(make, net, images):
    steps = {"cluster": 4}, {"cluster": 8}
    with pytest.raises(NoEffect, match="cluster 8"):
        make(net("residual"), Format.TFLITE, *steps, dataset=images)
