"""The steps on ONNX through the front door: route, worker process, cache, promises."""

import numpy as np
import onnx
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.technique import UserCode
from edgebench.core import Format, Model
from edgebench.data import dataset_from_arrays
from edgebench.errors import CompressionError, ConfigError, NoEffect
from tests.compress.onnx.nets import Draft, normal, weights

pytestmark = pytest.mark.converter

SHAPE = (1, 4, 8, 8)


@pytest.fixture
def images():
    x = np.random.default_rng(0).standard_normal((40, *SHAPE[1:])).astype(np.float32)
    return dataset_from_arrays({"x_train": x, "x_test": x[:5]}, name="images")


@pytest.fixture
def model(tmp_path):
    """Two convolutions, the second with a twin, a normalization and a dense layer."""
    draft = Draft().add("Conv", normal(0, 16, 4, 3, 3), name="stem", pads=[1, 1, 1, 1])
    draft.add("BatchNormalization", *[np.abs(normal(s, 16)) + 0.5 for s in range(4)]).add("Relu")
    twin = normal(1, 16, 16, 3, 3) / 12
    draft.add("Conv", twin, name="body").add("Relu").add("Conv", twin, name="twin")
    draft.add("GlobalAveragePool").add("Flatten").add("MatMul", normal(2, 16, 10), name="head")
    onnx.save(draft.model(SHAPE), str(tmp_path / "net.onnx"))
    return Model(name="net", artifact=read_artifact(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    "steps",
    [
        ["prune 80 %"],
        [{"prune": "50 %", "pattern": "2:4"}, "quantize int8"],
        ["prune 80 %", {"cluster": 16, "keep": ["zeros"]}, "quantize int8"],
        ["cluster 16", "quantize int8-weights"],
        ["lowrank 50 %", "quantize int8"],
        [{"lowrank": "50 %", "kind": "spatial"}],
        [{"tucker": "50 %", "skip": ["stem"]}, "prune 50 %"],
        [{"cp": 12, "only": ["body", "twin"]}, "quantize float16"],
        ["share identical"],
        [{"share": ["body", "twin"]}, "prune 50 %"],
        ["fold bn", "cluster 8"],
    ],
    ids=str,
)
def test_a_recipe_is_made_and_holds_what_it_promises(make, images, model, steps):
    variant = make(model, Format.ONNX, *steps, dataset=images, metric=None)
    assert len(variant.ledger) == len(steps)
    assert variant.artifact.gzip_bytes < model.artifact.gzip_bytes


def test_the_users_own_step_is_made(tmp_path, make, images, model):
    body = "def sign(model, options):\n    model.doc_string = options['by']\n    return model\n"
    (tmp_path / "steps.py").write_text(body)
    given = {"dataset": images, "metric": None, "code": UserCode(base=tmp_path)}
    variant = make(model, Format.ONNX, {"step": "steps.py:sign", "by": "me"}, **given)
    assert onnx.load(str(variant.artifact.path)).doc_string == "me"


def test_what_is_skipped_is_what_it_was(make, images, model):
    said = {"prune": "50 %", "skip": ["body", r"head\.w"]}
    variant = make(model, Format.ONNX, said, dataset=images, metric=None)
    before, after = (weights(onnx.load(str(m.artifact.path))) for m in (model, variant))
    assert {name for name in before if np.array_equal(before[name], after[name])} == {
        *("body.w", "head.w")
    }


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ({"prune": "50 %", "tune": "1 epoch"}, ConfigError, "cannot be trained"),
        ({"prune": "50 %", "scope": "sensitivity"}, ConfigError, "in Keras only"),
        ({"lowrank": 500}, CompressionError, "500"),
        ({"cluster": 256, "only": ["head"]}, NoEffect, "found no layer"),
        ("fold constants", NoEffect, "found nothing constant"),
    ],
)
def test_what_cannot_be_done_is_said(make, images, model, said, kind, words):
    with pytest.raises(kind, match=words):
        make(model, Format.ONNX, said, dataset=images, metric=None)
