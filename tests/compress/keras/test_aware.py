"""Explore."""
import numpy as np
import pytest

from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Format

pytestmark = pytest.mark.converter

AWARE = {"quantize": "int8", "aware": True}


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


CASES = {
    "plain": ("residual", [{**AWARE}]),
    "tuned": ("residual", [{**AWARE, "tune": "1 epochs"}]),
    "nested": ("nested", [{**AWARE, "tune": "1 epochs"}]),
    "half": ("half", [{**AWARE, "tune": "1 epochs"}]),
    "io": ("residual", [{**AWARE, "io": "int"}]),
    "skip": ("residual", [{**AWARE, "skip": ["dense", "kind"]}]),
    "skip io": ("residual", [{**AWARE, "skip": ["dense", "kind"], "io": "int"}]),
    "only": ("residual", [{**AWARE, "only": ["conv1", "relu1"]}]),
    "only conv2": ("residual", [{**AWARE, "only": ["conv2"]}]),
    "pcqat": ("residual", [{"prune": "60 %"}, {"cluster": 8, "keep": ["zeros"]}, {**AWARE, "tune": "1 epochs", "keep": ["zeros", "clusters"]}]),
    "pq": ("residual", [{"prune": "60 %"}, {**AWARE, "tune": "1 epochs", "keep": ["zeros"]}]),
    "cq channel": ("residual", [{"cluster": 8, "scope": "channel"}, {**AWARE, "tune": "1 epochs", "keep": ["clusters"]}]),
    "share": ("residual", [{"share": ["conv1", "conv2"]}, {**AWARE, "tune": "1 epochs"}]),
    "filters": ("residual", [{"filters": "50 %"}, {**AWARE, "tune": "1 epochs"}]),
    "custom": ("custom", [{**AWARE}]),
    "text": ("text", [{**AWARE}]),
    "own": ("own", [{**AWARE}]),
}


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
@pytest.mark.parametrize("name", CASES)
def test_explore(make, net, labelled, name, target, nets):
    from edgebench.compress.technique import UserCode
    from edgebench.errors import EdgebenchError
    model, steps = CASES[name]
    data = labelled(**{"text": {"ids": (6,)}, "custom": {"row": (16,)}, "own": {"row": (16,)}}.get(model, {"image": (8, 8, 1)}))
    try:
        v = make(net(model), target, *steps, dataset=data, code=UserCode(base=nets, objects="layers.py"))
    except EdgebenchError as e:
        print(name, target, "REFUSED", type(e).__name__, e, e.hint)
        return
    e = v.ledger[-2]
    print(name, target, {k: x for k, x in e.changed.items()}, e.accuracy_before, e.accuracy_untuned, e.accuracy_after, v.ledger[-1].settings, v.ledger[-1].accuracy_after)
    if target == Format.TFLITE:
        print(read_tflite_counts(v.artifact.path).operations, [(w.values.shape, len(np.unique(w.values))) for w in tflite_weights(v.artifact.path)])
