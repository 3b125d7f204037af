"""Nets as Keras makes them: `tests/compress/keras/test_sparse.py`."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgebench.compress.tflite.xnnpack import sparse_faults
from tests.compress.flatbuffers import operation, save, tensor

pytestmark = pytest.mark.converter

IMAGE, ROWS = (1, 4, 4, 8), (1, 8)
VALID = schema.Padding.VALID


def net(path, *, side=1, zeros=1.0, behind=(), tensors=(), outputs=("p",)):
    """A stem behind a padding of `side`, and a 1x1 convolution with that share of zeros."""
    pads = np.array([[0, 0], [side, side], [side, side], [0, 0]], np.int32)
    point = np.ones((8, 1, 1, 8), np.float32)
    point.ravel()[: round(zeros * point.size)] = 0
    conv = {"padding": VALID, "dilationHFactor": 1, "dilationWFactor": 1}
    return save(
        path,
        [
            tensor("x", (1, 8, 8, 3)),
            tensor("pads", (4, 2), "INT32", data=pads),
            tensor("padded", (1, 8 + 2 * side, 8 + 2 * side, 3)),
            tensor("k", (8, 3, 3, 3), data=np.ones((8, 3, 3, 3), np.float32)),
            tensor("s", IMAGE),
            tensor("w", point.shape, data=point),
            tensor("p", IMAGE),
            tensor("axes", (2,), "INT32", data=np.array([1, 2], np.int32)),
            *tensors,
        ],
        [
            operation("PAD", ["x", "pads"], ["padded"]),
            operation("CONV_2D", ["padded", "k"], ["s"], strideH=2, strideW=2, **conv),
            operation("CONV_2D", ["s", "w"], ["p"], strideH=1, strideW=1, **conv),
            *behind,
        ],
        ["x"],
        list(outputs),
    )


def mean(source, target, **options):
    return operation("MEAN", [source, "axes"], [target], **options)


def ended(path, **options):
    behind = [mean("p", "m", keepDims=False)]
    return net(path, behind=behind, tensors=[tensor("m", ROWS)], outputs=["m"], **options)


def test_what_fits_has_no_fault(tmp_path):
    assert sparse_faults(ended(tmp_path / "m.tflite")) == ()


@pytest.mark.parametrize(("zeros", "count"), [(0.66, 1), (0.68, 0)])
def test_two_thirds_must_be_zero(tmp_path, zeros, count):
    assert len(sparse_faults(ended(tmp_path / "m.tflite", zeros=zeros))) == count


@pytest.mark.parametrize("side", [0, 2])
def test_the_stem_is_padded_by_one(tmp_path, side):
    assert "does not begin" in sparse_faults(ended(tmp_path / "m.tflite", side=side))[0]


def test_without_a_mean_it_does_not_end(tmp_path):
    found = sparse_faults(net(tmp_path / "m.tflite"))
    assert found == ("no mean over rows and columns ends it",)


def test_a_factor_without_rows_is_a_fault(tmp_path):
    """As a gate of dense layers makes it."""
    path = net(
        tmp_path / "m.tflite",
        behind=[
            mean("p", "m", keepDims=False),
            operation("LOGISTIC", ["m"], ["g"]),
            operation("MUL", ["p", "g"], ["q"]),
            mean("q", "n", keepDims=False),
        ],
        tensors=[tensor("m", ROWS), tensor("g", ROWS), tensor("q", IMAGE), tensor("n", ROWS)],
        outputs=["n"],
    )
    assert sparse_faults(path) == ("MUL 'q': all that it reads must have rows and columns",)
