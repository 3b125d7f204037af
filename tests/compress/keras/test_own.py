import pytest

from edgebench.compress.technique import UserCode
from edgebench.core import Format
from edgebench.errors import CompressionError

pytestmark = pytest.mark.converter

STEPS = """
def shrink(model, options):
    layer = model.get_layer(options["layer"])
    layer.set_weights([array * options["factor"] for array in layer.get_weights()])
    return model

def nothing(model, options):
    return None
"""


@pytest.fixture(scope="module")
def data(labelled):
    return labelled(row=(16,))


@pytest.fixture
def code(tmp_path):
    (tmp_path / "steps.py").write_text(STEPS)
    return UserCode(base=tmp_path)


def test_the_users_own_step_is_in_the_ledger_like_any_other(make, net, data, code, tmp_path):
    step = {"step": "steps.py:shrink", "layer": "kind", "factor": 0.5, "tune": "2 steps"}
    first = make(net("twice"), Format.ONNX, step, dataset=data, code=code)
    entry = first.ledger[0]
    assert "steps.py:shrink" in entry.step
    assert entry.changed["tuned"]["steps"] == 2
    assert entry.accuracy_untuned is not None
    # The function's file decides what comes out: changed, it is another step.
    (tmp_path / "steps.py").write_text(STEPS.replace('options["factor"]', "0.25"))
    again = make(net("twice"), Format.ONNX, step, dataset=data, code=code)
    assert again.artifact.sha256 != first.artifact.sha256


def test_a_step_that_returns_no_model_is_named(make, net, data, code):
    with pytest.raises(CompressionError, match="returned a NoneType"):
        make(net("twice"), Format.ONNX, {"step": "steps.py:nothing"}, dataset=data, code=code)


def test_a_model_of_two_outputs_is_tuned_by_the_users_loss(make, net, labelled, tmp_path):
    (tmp_path / "losses.py").write_text(
        "import keras\n\n"
        "def both(y, outputs):\n"
        "    kind, size = outputs\n"
        "    own = keras.losses.sparse_categorical_crossentropy(y, kind)\n"
        "    return own + keras.ops.mean(keras.ops.square(size), axis=-1)\n"
    )
    code = UserCode(base=tmp_path, loss="losses.py:both")
    data = labelled(image=(8, 8, 1), facts=(6,))
    step = {"prune": "50 %", "tune": "3 steps"}
    variant = make(net("two"), Format.ONNX, step, dataset=data, code=code, metric=None)
    assert variant.ledger[0].changed["zeros_share"] >= 0.5
