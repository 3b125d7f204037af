import json

import pytest

from edgebench.compress.keras.filters import WAY
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Needs
from edgebench.core import Format
from tests.compress.keras.test_channels import run

pytestmark = pytest.mark.converter

SCORES = ("l1", "group", "bn", "taylor", "activation")
MADE = (
    *(*SCORES, "layer", "global", "most", "skip", "only", "tuned"),
    *("by gamma", "by gradient", "by activation"),
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    run("-m", "tests.compress.keras.filter_checks", str(folder))
    return json.loads((folder / "cases.json").read_text())


@pytest.mark.parametrize("score", SCORES)
def test_each_score_finds_the_channels_that_it_alone_can(cases, score):
    assert cases[score]["kept_the_useful"]
    assert cases[score]["changed"]["widths"] == {"conv": [16, 8]}


@pytest.mark.parametrize("name", MADE)
def test_the_ledger_counts_what_the_file_holds(cases, name):
    case = cases[name]
    assert case["changed"]["parameters"][1] == case["parameters"]
    assert case["changed"]["macs"][1] == case["macs"]
    assert case["weights"] == case["matrices"]
    for layer, (_, after) in case["changed"]["widths"].items():
        assert case["shapes"][f"{layer}/bias"] == [after]


def test_every_group_loses_the_share_to_the_nearest_multiple(cases):
    changed = cases["layer"]["changed"]
    # 12 of 24 lie between two multiples: rather one more than one less.
    assert changed["widths"] == {
        **{name: [16, 8] for name in ("stem", "a_2", "b_2")},
        **{name: [24, 16] for name in ("a_1", "b_1")},
        "wide": [64, 32],
    }
    assert changed["groups"] == 5
    assert set(changed["frozen"]) == {"last", "memory", "kind"}


def test_one_ranking_leaves_something_of_every_group(cases):
    widths = cases["most"]["changed"]["widths"]
    assert {after for _, after in widths.values()} == {8}


def test_one_ranking_takes_the_useless_half_first(cases):
    """Of `wide` every other unit has all but no weight."""
    assert cases["global"]["changed"]["widths"]["wide"] == [64, 32]


def test_layers_without_a_normalization_are_scored_by_their_weights_and_named(cases):
    assert cases["by gamma"]["changed"]["scored_by_l1"] == ["second", "hidden"]


def test_a_layer_left_out_keeps_all_that_it_is_tied_to(cases):
    changed = cases["skip"]["changed"]
    assert not {"stem", "a_2", "b_2"} & set(changed["widths"])
    assert changed["frozen"]["stem"] == "'a_2' is left out by the plan"


def test_only_what_is_named_is_touched(cases):
    assert set(cases["only"]["changed"]["widths"]) == {"wide"}


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("held", "NoEffect", "'kind' makes an output of the model"),
        ("coarse", "NoEffect", "The widest of 5 groups has 64; round = 64 keeps it."),
        ("nobody", "CompressionError", "Names begin 'stem'"),
        ("no data", "ConfigError", "x_train and y_train"),
        ("narrow", "NoEffect", "The widest of 3 groups has 32; round = 64 keeps it."),
    ],
)
def test_where_nothing_can_go_the_step_says_why(cases, name, error, told):
    assert cases[name]["error"] == error
    assert told in cases[name]["hint"]


def test_what_is_left_can_be_tuned(cases):
    losses = cases["tuned"]["changed"]["tuned"]["loss"]
    assert losses[-1] < losses[0]


def test_mobilenet_loses_channels_and_nothing_else(cases):
    mobilenet = cases["mobilenet"]
    assert mobilenet["untouched"] == 0
    assert mobilenet["smaller"] < 1e-4
    assert mobilenet["moved"] > 1e-3
    assert mobilenet["parameters"][1] < 0.6 * mobilenet["parameters"][0]
    assert mobilenet["odd_widths"] == []
    assert set(mobilenet["frozen"]) == {"predictions"}


@pytest.mark.parametrize("name", ["mobilenet", "memory"])
def test_what_is_left_converts_to_tflite(cases, name):
    assert cases[name]["converted"] < 1e-4


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_a_plan_makes_a_smaller_file(make, lenet, target):
    whole = make(lenet, target).artifact
    variant = make(lenet, target, "filters 50 %")
    assert variant.artifact.size_bytes < 0.5 * whole.size_bytes
    assert variant.ledger[0].step == "filters 50 %"


@pytest.mark.parametrize(
    ("words", "needs", "reads_origin"),
    [
        ({"filters": "50 %"}, Needs.VALIDATION, False),
        ({"filters": "50 %", "tune": "1 epoch"}, Needs.TUNING, True),
        ({"filters": "50 %", "score": "activation"}, Needs.TUNING, False),
        # The gradient is of a loss, which may be that of the user's own file.
        ({"filters": "50 %", "score": "taylor"}, Needs.TUNING, True),
    ],
)
def test_a_score_that_looks_at_samples_says_so(words, needs, reads_origin):
    traits = WAY.traits(parse_step(words))
    assert (traits.needs, traits.reads_origin) == (needs, reads_origin)
