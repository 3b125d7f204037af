import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.inspect import read_artifact
from edgebench.compress.linalg.ranks import parameters
from edgebench.compress.onnx.factor import WAYS
from edgebench.compress.onnx.graph import count
from edgebench.compress.promises import check_promises
from edgebench.errors import CompressionError, NoEffect
from tests.compress.onnx.nets import Draft, nets, normal, off, patient, run, step, take, weights

pytestmark = pytest.mark.converter


def stored(model):
    return sum(array.size for array in weights(model).values())


@patient
@given(
    drawn=nets(),
    said=st.sampled_from(
        [
            *(step("lowrank", "60 %"), step("lowrank", "60 %", kind="spatial")),
            *(step("lowrank", "energy 0.8"), step("tucker", "60 %"), step("cp", "40 %")),
        ]
    ),
)
def test_a_net_has_as_many_weights_as_arithmetic_says(tmp_path_factory, drawn, said):
    model, x = drawn
    try:
        made, outcome = take(WAYS[said.name], model, said, tmp_path_factory.mktemp("factor"))
    except NoEffect:
        return
    before, after = outcome.changed["weights"]
    layers = outcome.changed["layers"].values()
    assert stored(made) == after == outcome.promises.weights
    assert before - after == sum(a - b for a, b in (layer["weights"] for layer in layers))
    assert all(layer["weights"][1] < layer["weights"][0] for layer in layers)
    check_promises(read_artifact(outcome.path), outcome.promises)
    assert [a.shape for a in run(made, x)] == [a.shape for a in run(model, x)]


def planted(shape, rank, seed=0):
    """A convolution's kernel `(out, in, height, width)` of low rank in every unfolding."""
    outputs, inputs, *area = shape
    parts = [normal(seed + i, size, rank) for i, size in enumerate((outputs, inputs, *area))]
    return np.einsum("or,ir,hr,wr->oihw", *parts).astype(np.float32)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (step("lowrank", 3), 1e-5),
        (step("lowrank", "energy 1"), 1e-4),
        (step("lowrank", 3, kind="spatial"), 1e-5),
        (step("tucker", 3), 1e-5),
        (step("tucker", "energy 1"), 1e-4),
        (step("cp", 3), 2e-2),
    ],
    ids=str,
)
def test_a_layer_of_that_rank_computes_what_it_did(tmp_path, said, error):
    draft = Draft().add("Conv", planted((16, 12, 3, 3), 3), normal(9, 16), pads=[1, 1, 1, 1])
    model, x = draft.add("Relu").model([1, 12, 9, 9]), normal(8, 1, 12, 9, 9)
    made, outcome = take(WAYS[said.name], model, said, tmp_path)
    assert off(run(model, x), run(made, x)) < error
    assert set(outcome.changed["layers"]) == {"conv0"}
    assert set(outcome.changed["layers"]["conv0"]["ranks"]) == {3}


def test_noise_is_left_out_by_evbmf(tmp_path):
    array = (normal(0, 60, 5) @ normal(1, 5, 40) + 0.05 * normal(2, 60, 40)).astype(np.float32)
    model = Draft().add("MatMul", array).model([1, 60])
    made, outcome = take(WAYS["lowrank"], model, step("lowrank", "evbmf"), tmp_path)
    assert outcome.changed["layers"]["matmul0"]["ranks"] == [5]
    assert stored(made) == parameters((60, 40), "dense", (5,))


def two_layers():
    draft = Draft().add("Conv", normal(0, 16, 8, 3, 3)).add("Conv", normal(1, 1, 16, 1, 1))
    draft.add("GlobalAveragePool").add("Flatten")
    return draft.add("MatMul", normal(2, 1, 3)).model([1, 8, 9, 9])


def test_layers_that_would_not_become_smaller_are_left_and_the_ledger_says_so(tmp_path):
    made, outcome = take(WAYS["tucker"], two_layers(), step("tucker", "50 %"), tmp_path)
    assert set(outcome.changed["layers"]) == {"conv0"}
    assert outcome.changed["left"] == {
        "conv1": "it would not become smaller",
        "matmul4": "it is no convolution",
    }
    assert count(made).operations["Conv"] == 4


def test_nothing_that_becomes_smaller_is_no_effect(tmp_path):
    model = Draft().add("Conv", normal(0, 4, 2, 3, 3), group=2, name="grouped").model([1, 4, 9, 9])
    with pytest.raises(NoEffect, match="found no layer") as caught:
        take(WAYS["lowrank"], model, step("lowrank", "50 %"), tmp_path)
    assert "grouped: its channels are in 2 groups" in str(caught.value.hint)


@pytest.mark.parametrize(("name", "limit"), [("lowrank", 16), ("tucker", 16), ("cp", 72)])
def test_a_rank_larger_than_the_layer_is_refused(tmp_path, name, limit):
    model = Draft().add("Conv", normal(0, 16, 8, 3, 3), name="stem").model([1, 8, 9, 9])
    with pytest.raises(CompressionError, match=rf"'stem' .* [Rr]ank 1000 .* {limit}"):
        take(WAYS[name], model, step(name, 1000), tmp_path)


def test_a_weight_that_is_no_number_is_refused(tmp_path):
    array = normal(0, 20, 20)
    array[3, 3] = np.inf
    model = Draft().add("MatMul", array, name="dense").model([1, 20])
    with pytest.raises(CompressionError, match=r"'dense' cannot be factorized: 1 or more of 400"):
        take(WAYS["lowrank"], model, step("lowrank", 4), tmp_path)


def test_layers_that_are_skipped_stay_whole(tmp_path):
    model = Draft().add("MatMul", normal(0, 30, 30)).add("MatMul", normal(1, 30, 30)).model([1, 30])
    made, outcome = take(WAYS["lowrank"], model, step("lowrank", 4, only=["matmul1"]), tmp_path)
    assert sorted(weights(made)) == ["matmul0.w", "matmul1.w_first", "matmul1.w_last"]
    assert outcome.changed["left"] == {}


def test_a_step_may_follow_another_on_what_it_made(tmp_path):
    first, _ = take(WAYS["tucker"], two_layers(), step("tucker", "50 %"), tmp_path)
    said = step("lowrank", "80 %", only=["conv0_core"])
    made, outcome = take(WAYS["lowrank"], first, said, tmp_path)
    assert set(outcome.changed["layers"]) == {"conv0_core"}
    onnx.checker.check_model(made)


def test_the_seed_of_the_run_reaches_cp(tmp_path):
    model = Draft().add("Conv", normal(0, 16, 8, 3, 3)).model([1, 8, 9, 9])
    made = [
        weights(take(WAYS["cp"], model, step("cp", 20), tmp_path, seed=seed)[0])
        for seed in (0, 0, 1)
    ]
    same = [all(np.array_equal(made[0][n], other[n]) for n in made[0]) for other in made]
    assert same == [True, True, False]
