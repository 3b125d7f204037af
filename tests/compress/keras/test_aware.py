import json
from typing import Any

import numpy as np
import pytest

from edgebench.compress.keras.aware import WAY
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Needs
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Format
from edgebench.errors import ConfigError
from tests.compress.keras.test_channels import run

pytestmark = pytest.mark.converter

AWARE: dict[str, Any] = {"quantize": "int8", "aware": True}
NETS = ("gated", "decoder", "series", "several")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aware")
    run("-m", "tests.compress.keras.aware_checks", str(folder))
    return json.loads((folder / "cases.json").read_text())


@pytest.mark.parametrize("name", NETS)
def test_a_model_in_plain_layers_computes_the_same(cases, name):
    assert cases[name]["plain"] < 1e-5


@pytest.mark.parametrize("name", NETS)
def test_rounding_moves_the_outputs_a_little_and_leaves_their_names(cases, name):
    assert 0 < cases[name]["rounded"] < 0.05
    assert cases[name]["names"]


@pytest.mark.parametrize("form", ["tflite", "onnx"])
@pytest.mark.parametrize("name", ["gated", "decoder", "series"])
def test_without_data_it_becomes_a_file_of_integers_that_computes_what_it_rounds(cases, name, form):
    made = cases[name][form]
    assert made["floating"] == {}
    assert made["error"] < 0.03
    assert made["names"]
    assert cases[name]["is_integer"]


def test_outputs_of_all_kinds_keep_their_names(cases):
    made = cases["several"]["tflite"]
    assert made["names"]
    assert made["floating"] == {}
    assert made["error"] < 0.03


def test_what_tf2onnx_does_not_know_is_named(cases):
    assert "no ONNX form of the quantized GELU" in cases["several"]["onnx"]


def test_nothing_is_rounded_between_an_operation_and_its_clamp(cases):
    assert cases["series"]["ranges"] == [
        *("series_range", "conv1d_range", "batch_normalization_1_range", "conv1d_1_range"),
        *("global_average_pooling1d_range", "kind"),
    ]
    gated = cases["gated"]["ranges"]
    assert "relu_range" in gated
    assert "three_range" not in gated
    # Of a sum of three the first of two is rounded.
    assert "three_1_range" in gated


def test_what_only_moves_values_has_no_range_of_its_own(cases):
    names = {name for net in NETS for name in cases[net]["ranges"]}
    moved = ("pool", "flat", "zero_padding", "reshape")
    assert not [name for name in names if name.startswith(moved)]


@pytest.mark.parametrize("way", ["channel 1", "tensor 1", "channel 2"])
def test_weights_are_rounded_to_254_steps_of_which_zero_is_one(cases, way):
    case = cases["rounding"][way]
    assert case["steps"] < 1e-4
    assert case["zeros"] == 0
    assert case["error"] < 0.5 / 127 + 1e-6


def test_the_gradient_passes_rounding_and_stops_where_values_are_clipped(cases):
    rounding = cases["rounding"]
    assert rounding["channel 1"]["gradient"] == [1.0, 1.0]
    assert rounding["clipped"] == [[0.0, 1.0, 0.0]]


def test_ranges_are_found_follow_and_stand_still_in_the_end(cases):
    moving = cases["moving"]
    assert moving["found"] == [-2.0, 6.0]
    # Twice in 16 steps a batch of twice the size is seen: 1.9 times nine tenths of the way.
    assert moving["followed"] == pytest.approx([-2.38, 7.14])
    assert moving["frozen"] == moving["followed"]


def test_what_was_always_zero_has_a_range_all_the_same(cases):
    assert cases["moving"]["dead"] == [0.0, 1.0]


def test_a_prescribed_range_does_not_move_and_none_is_trained(cases):
    assert cases["moving"]["fixed"] == [0.0, 1.0]
    assert cases["moving"]["trainable"] == 0


def test_layers_without_an_integer_form_are_named(cases):
    kind, words, hint = cases["refused"]["unknown"]
    assert kind == "CompressionError"
    assert "no integer form of curved (Dense with elu), memory (LSTM)" in words
    assert 'skip = ["curved", "memory"]' in hint


def test_what_is_skipped_stays_float_and_then_no_integers_are_promised(cases):
    case = cases["left"]
    assert case["left"] == ["memory", "last"]
    assert case["promise"] is None
    assert case["error"] < 0.03
    assert case["dense"] >= 1
    assert case["conv"] is None


def test_clusters_that_a_normalization_would_take_apart_are_refused(cases):
    _, words, hint = cases["refused"]["clusters"]
    assert "clusters of 'conv' cannot be kept" in words
    assert "fold bn" in hint


def test_a_file_that_lost_a_bias_is_no_export(cases):
    assert "is wrong" in cases["lost"]


@pytest.mark.parametrize("name", NETS)
def test_the_file_holds_what_is_promised(cases, name):
    """Layers that are called twice, and their rounded weights, are stored once."""
    found = cases[name]["tflite"]["found"]
    # At most 43 channels are scaled by layers of their own, which no promise counts.
    assert cases[name]["weights"] <= found["weights"] <= cases[name]["weights"] + 43
    assert found["float_operations"] == {}


def test_a_step_that_touches_no_weights_has_no_effect(cases):
    kind, words, _ = cases["refused"]["nothing"]
    assert kind == "NoEffect"
    assert "found no layer" in words


def test_a_name_that_no_layer_has_is_refused(cases):
    assert "matches no layer" in cases["refused"]["nowhere"][1]


def test_a_file_may_take_and_give_integers(cases):
    assert cases["ends"]["dtypes"] == ["int8"]
    assert cases["ends"]["edges"] == []
    assert cases["ends"]["error"] < 0.03


@pytest.mark.parametrize(("scheme", "kind"), [("u8s8", "UINT8"), ("s8s8", "INT8")])
def test_activations_of_an_onnx_file_are_as_the_scheme_says(cases, scheme, kind):
    assert cases["ends"][scheme] == [kind]


def test_either_scheme_stands_for_the_same_reals(cases):
    # A step of softmax is 1/256.
    assert cases["ends"]["apart"] <= 1 / 256


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_a_lenet_trained_so_keeps_its_accuracy(make, lenet, target):
    variant = make(lenet, target, {**AWARE, "tune": "1 epochs"})
    step, export = variant.ledger
    assert step.changed["bn_folded"] == 2
    assert step.changed["weight_scales"] == {"channel": 2, "tensor": 2}
    assert step.changed["tuned"]["steps"] > 0
    assert step.accuracy_untuned is not None
    # Three standard errors of the validation set.
    assert export.accuracy_after > step.accuracy_before - 0.06
    assert export.settings["found"]["float_operations"] == {}
    assert [spec.name for spec in variant.artifact.inputs] == ["image"]
    assert [spec.name for spec in variant.artifact.outputs] == ["probabilities"]


def test_a_file_of_integers_rounds_at_its_ends_only(make, lenet):
    artifact = make(lenet, Format.TFLITE, {**AWARE, "tune": "1 epochs"}).artifact
    assert {spec.dtype for spec in (*artifact.inputs, *artifact.outputs)} == {"float32"}
    counts = read_tflite_counts(artifact.path)
    assert counts.operations["QUANTIZE"] == counts.operations["DEQUANTIZE"] == 1
    assert set(counts.weights) == {"INT8"}


def test_pruned_and_clustered_weights_stay_so_in_integers(make, net, labelled):
    steps = (
        {"prune": "60 %"},
        {"cluster": 8, "keep": ["zeros"]},
        {**AWARE, "tune": "1 epochs", "keep": ["zeros", "clusters"]},
    )
    data = labelled(image=(8, 8, 1))
    variant = make(net("residual"), Format.TFLITE, *steps, dataset=data)
    weights = [w.values for w in tflite_weights(variant.artifact.path) if w.is_matrix]
    assert {w.dtype for w in weights} == {np.dtype(np.int8)}
    assert max(len(np.unique(values)) for values in weights) <= 8
    assert sum((values == 0).sum() for values in weights) >= int(0.6 * sum(v.size for v in weights))
    assert variant.ledger[2].changed["weight_scales"] == {"tensor": 5}


def test_it_needs_data_whether_it_trains_or_not(make, lenet):
    assert WAY.traits(parse_step(AWARE)).needs is Needs.TUNING
    with pytest.raises(ConfigError, match="needs data"):
        make(lenet, Format.TFLITE, AWARE, dataset=None, metric=None)
