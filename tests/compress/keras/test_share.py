import pytest

from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Format
from edgebench.errors import CompressionError, NoEffect

pytestmark = pytest.mark.converter


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


def test_layers_that_share_are_stored_once_and_trained_together(make, net, images):
    step = {"share": ["conv1", "conv2"], "tune": "1 epochs"}
    variant = make(net("residual"), Format.TFLITE, step, dataset=images)
    kernels = [w for w in tflite_weights(variant.artifact.path) if w.values.shape == (16, 3, 3, 16)]
    assert len(kernels) == 1
    changed = variant.ledger[0].changed
    assert changed["shared"] == {"conv1": ["conv2"]}
    assert changed["weights"][0] - changed["weights"][1] == 16 * 16 * 9


def test_layers_of_other_shapes_cannot_share(make, net, images):
    with pytest.raises(CompressionError, match="'stem' has weights") as caught:
        make(net("residual"), Format.TFLITE, {"share": ["stem", "conv1"]}, dataset=images)
    assert "one shape" in str(caught.value.hint)


def test_layers_that_differ_are_not_called_identical(make, net, images):
    with pytest.raises(NoEffect, match="No two layers"):
        make(net("residual"), Format.TFLITE, "share identical", dataset=images)
