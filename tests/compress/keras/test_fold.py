import json

import pytest

from edgebench.compress.recipe import parse_step
from edgebench.compress.route import stages
from edgebench.core import Format, Recipe
from edgebench.errors import ConfigError, NoEffect
from tests.compress.keras.test_channels import run

pytestmark = pytest.mark.converter

FOLDED = (
    *("dense", "dense on a map", "conv1d", "conv2d", "without bias", "groups", "depthwise"),
    *("depthwise1d", "transposed", "transposed1d", "separable", "separable1d", "volume"),
    *("without scale", "without center", "axis by number", "end", "nested"),
)
LEFT = {
    "first": "it follows the input",
    "padded": "it follows ZeroPadding2D",
    "activated": "has an activation",
    "read twice": "others read",
    "also an output": "others read",
    "shared": "more than once",
    "other axis": "last axis",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fold")
    run("-m", "tests.compress.keras.fold_checks", str(folder))
    return json.loads((folder / "cases.json").read_text())


@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_model_computes_the_same_without_its_normalization(cases, name):
    case = cases[name]
    assert case["error"] < 1e-5
    assert (case["count"], case["norms"], case["left"]) == (1, 0, {})


@pytest.mark.parametrize("name", [*FOLDED, *LEFT])
def test_outputs_keep_their_names_and_weights_their_number(cases, name):
    assert cases[name]["names"]
    before, after = cases[name]["weights"]
    assert before == after


@pytest.mark.parametrize("name", LEFT)
def test_a_normalization_that_cannot_be_folded_stays_and_says_why(cases, name):
    case = cases[name]
    assert case["is_same"]
    assert (case["count"], case["norms"]) == (0, 1)
    assert LEFT[name] in case["left"]["norm"]


def test_a_frozen_layer_is_folded_and_stays_frozen(cases):
    assert cases["frozen"] == {"count": 1, "trainable": False}


def test_zeros_stay_zeros(cases):
    before, after = cases["pruned"]["zeros"]
    assert before == after > 0


def test_the_ledger_says_how_many_were_folded(make, net, labelled):
    data = labelled(image=(8, 8, 1))
    variant = make(net("residual"), Format.TFLITE, "fold bn", dataset=data)
    entry = variant.ledger[0]
    assert entry.changed == {"folded": 3, "left": {}}
    assert entry.accuracy_before == entry.accuracy_after


def test_without_a_normalization_there_is_no_effect(make, net):
    with pytest.raises(NoEffect, match="no batch normalization"):
        make(net("two"), Format.TFLITE, "fold bn", dataset=None, metric=None)


def test_a_keras_model_has_no_constants_to_fold():
    recipe = Recipe(name="mine", steps=(parse_step("fold constants"),))
    ways = [stage.way.name for stage in stages(Format.KERAS, recipe, Format.ONNX)]
    assert ways == ["keras to onnx", "fold onnx"]
    with pytest.raises(ConfigError, match="tflite"):
        stages(Format.KERAS, recipe, Format.TFLITE)


@pytest.mark.parametrize("raw", ["fold", "fold relu", {"fold": "bn", "tune": "1 epochs"}])
def test_what_fold_does_not_know_is_refused(raw):
    with pytest.raises(ConfigError):
        parse_step(raw)
