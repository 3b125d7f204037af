import numpy as np
import pytest

from edgebench.compress.onnx.stored import onnx_weights
from edgebench.compress.tflite.stored import tflite_weights
from edgebench.core import Format
from edgebench.errors import CompressionError, NoEffect

pytestmark = pytest.mark.converter

READ = {Format.TFLITE: tflite_weights, Format.ONNX: onnx_weights}


def zeros_in(variant):
    weights = list(READ[variant.artifact.format](variant.artifact.path))
    return sum(w.zeros for w in weights if w.is_matrix), [w for w in weights if w.is_matrix]


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


@pytest.mark.parametrize("target", [Format.TFLITE, Format.ONNX])
def test_the_zeros_that_were_asked_for_are_in_the_file(make, net, images, target):
    step = {"prune": "80 %", "tune": "60 epochs", "learning_rate": 0.01}
    variant = make(net("residual"), target, step, dataset=images)
    zeros, weights = zeros_in(variant)
    assert zeros >= int(0.8 * sum(w.values.size for w in weights))
    entry = variant.ledger[0]
    assert entry.changed["zeros_share"] >= 0.8
    assert None not in (entry.accuracy_before, entry.accuracy_untuned, entry.accuracy_after)
    # Four classes by their brightness are soon learned; the averages of normalization, which move
    # by a hundredth a step, take some hundred steps to follow.
    assert entry.accuracy_after > entry.accuracy_untuned


def test_a_layer_loses_as_much_as_any_other_where_the_plan_says_so(make, net, images):
    step = {"prune": "50 %", "scope": "layer", "skip": ["stem"]}
    variant = make(net("residual"), Format.TFLITE, step, dataset=images)
    shares = variant.ledger[0].changed["zeros_share_of"]
    assert set(shares) == {"conv1", "conv2", "dense", "kind"}
    assert set(shares.values()) == {0.5}


def test_of_four_inputs_two_stay(make, net, images):
    step = {"prune": "50 %", "pattern": "2:4", "tune": "3 steps"}
    variant = make(net("residual"), Format.ONNX, step, dataset=images)
    convolutions = [w.values for w in zeros_in(variant)[1] if w.values.shape == (16, 16, 3, 3)]
    assert len(convolutions) == 2
    for kernel in convolutions:
        groups = kernel.transpose(0, 2, 3, 1).reshape(-1, 4)
        assert ((groups == 0).sum(axis=1) >= 2).all()


def test_sensitivity_spares_what_would_lose_most(make, net, images):
    step = {"prune": "60 %", "scope": "sensitivity"}
    changed = make(net("residual"), Format.TFLITE, step, dataset=images).ledger[0].changed
    assert changed["zeros_share"] == pytest.approx(0.6, abs=0.01)
    curves = changed["sensitivity"]
    assert set(curves) == set(changed["zeros_share_of"])
    for curve in curves.values():
        losses = [loss for _, loss in curve]
        assert losses == sorted(losses)


def test_recurrent_and_embedding_weights_are_pruned_too(make, net, labelled):
    data = labelled(ids=(6,))
    variant = make(net("text"), Format.ONNX, {"prune": "50 %", "scope": "layer"}, dataset=data)
    shares = variant.ledger[0].changed["zeros_share_of"]
    assert {name.split("/")[0] for name in shares} == {"words", "lstm", "gru", "kind"}
    assert any("recurrent" in name for name in shares)
    assert set(shares.values()) == {0.5}


def test_a_frozen_layer_stays_and_a_shared_one_is_counted_once(make, net, labelled):
    data = labelled(row=(16,))
    variant = make(net("twice"), Format.ONNX, {"prune": "50 %", "tune": "2 steps"}, dataset=data)
    changed = variant.ledger[0].changed
    assert set(changed["zeros_share_of"]) == {"shared", "kind"}
    assert changed["weights"] == 16 * 16 + 16 * 4
    dense = [w for w in zeros_in(variant)[1] if w.values.shape == (16, 16)]
    assert sorted(int((w.values == 0).sum() > 0) for w in dense) == [0, 1]


def test_a_subclassed_model_of_the_users_own_classes_is_pruned(make, net, nets, labelled):
    from edgebench.compress.technique import UserCode

    code = UserCode(base=nets, objects="layers.py", metric="top1")
    step = {"prune": "50 %", "tune": "2 steps"}
    data = labelled(row=(16,))
    variant = make(net("custom"), Format.ONNX, step, dataset=data, code=code)
    assert variant.ledger[0].changed["zeros_share"] >= 0.5


def test_code_of_a_lambda_is_not_run(make, net, labelled):
    with pytest.raises(CompressionError, match="Lambda") as caught:
        make(net("lambda"), Format.ONNX, {"prune": "50 %"}, dataset=labelled(row=(16,)))
    assert "objects" in str(caught.value.hint)


def test_a_class_that_nobody_registered_is_named(make, net, labelled):
    with pytest.raises(CompressionError, match="Scale"):
        make(net("custom"), Format.ONNX, {"prune": "50 %"}, dataset=labelled(row=(16,)))


def test_no_layer_to_prune_is_no_variant(make, net, images):
    step = {"prune": "50 %", "only": ["norm"]}
    with pytest.raises((NoEffect, CompressionError), match="norm"):
        make(net("residual"), Format.TFLITE, step, dataset=images)


def test_a_loss_that_becomes_nan_ends_the_training_and_keeps_the_last_good(
    make, net, images, tmp_path
):
    from edgebench.compress.technique import UserCode

    (tmp_path / "losses.py").write_text(
        "import keras\n\n"
        "calls = keras.Variable(0.0, trainable=False)\n\n"
        "def breaks(y, p):\n"
        "    calls.assign_add(1.0)\n"
        "    good = keras.losses.sparse_categorical_crossentropy(y, p)\n"
        "    return good / keras.ops.cast(calls < 6, 'float32')\n"
    )
    code = UserCode(base=tmp_path, loss="losses.py:breaks", metric="top1")
    step = {"prune": "50 %", "tune": "3 epochs", "batch": 64}
    entry = make(net("residual"), Format.TFLITE, step, dataset=images, code=code).ledger[0]
    assert "NaN or infinite at step" in entry.changed["tuned"]["stopped"]
    assert "epoch 1" in entry.changed["tuned"]["stopped"]
    assert entry.changed["zeros_share"] >= 0.5


def test_mixed_precision_is_trained_and_exported_in_float32(make, net, images):
    variant = make(net("half"), Format.TFLITE, {"prune": "50 %", "tune": "2 steps"}, dataset=images)
    assert {w.values.dtype for w in zeros_in(variant)[1]} == {np.dtype(np.float32)}
