import pytest

from edgebench.compress.technique import UserCode
from edgebench.core import Format
from edgebench.errors import CompressionError

pytestmark = pytest.mark.converter

STUDENT = """
import keras

def make(shape, classes, width=1.0):
    image = keras.Input(shape, name="image")
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(max(4, int(32 * width)), activation="relu", name="hidden")(x)
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax", name="kind")(x))
"""


@pytest.fixture(scope="module")
def images(labelled):
    return labelled(image=(8, 8, 1))


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("students")
    (folder / "student.py").write_text(STUDENT)
    return UserCode(base=folder)


def test_a_narrower_self_learns_from_the_model(make, net, images):
    step = {"distil": "self", "width": 0.5, "tune": "4 epochs", "learning_rate": 0.01}
    variant = make(net("residual"), Format.TFLITE, step, dataset=images)
    entry = variant.ledger[0]
    assert entry.changed["teacher"] == "residual.keras"
    assert entry.changed["parameters"] < 4000
    losses = entry.changed["tuned"]["loss"]
    assert losses[-1] < losses[0]
    found = variant.ledger[-1].settings["found"]
    assert found["weights"] == 8 * 9 + 2 * 8 * 8 * 9 + 8 * 8 + 8 * 4


def test_the_features_of_two_layers_are_brought_together(make, net, images):
    step = {"distil": "self", "tune": "3 steps", "features": ["pool: pool"]}
    assert make(net("residual"), Format.ONNX, step, dataset=images).ledger[0].changed["tuned"]


@pytest.mark.parametrize("pair", ["pool: nothing", "pool: dense: x", "relu0: pool"])
def test_features_that_do_not_go_together_are_refused(make, net, images, pair):
    step = {"distil": "self", "tune": "3 steps", "features": [pair]}
    with pytest.raises(CompressionError, match=r"pool|nothing|dense"):
        make(net("residual"), Format.ONNX, step, dataset=images)


@pytest.mark.parametrize("teacher", [Format.ONNX, Format.TFLITE])
def test_a_teacher_of_any_format_teaches_a_student_of_the_users(make, net, images, code, teacher):
    from edgebench.core import Model

    taught = make(net("residual"), teacher, dataset=images)
    model = Model(name="teacher", artifact=taught.artifact)
    step = {"distil": "student.py:make", "width": 0.5, "tune": "2 epochs", "learning_rate": 0.01}
    variant = make(model, Format.TFLITE, step, dataset=images, code=code)
    assert variant.ledger[0].changed["student"] == "student.py:make"
    assert variant.ledger[0].accuracy_before is not None
    assert variant.ledger[-1].settings["found"]["weights"] == 64 * 16 + 16 * 4


def test_a_student_is_trained_from_nothing(make, net, images):
    step = {"student": "zoo:ds-cnn", "width": 0.25, "tune": "2 epochs", "learning_rate": 0.01}
    variant = make(net("residual"), Format.TFLITE, step, dataset=images)
    entry = variant.ledger[0]
    assert entry.changed["student"] == "zoo:ds-cnn"
    assert entry.accuracy_before is not None
    assert entry.changed["tuned"]["loss"][0] > entry.changed["tuned"]["loss"][1]


def test_two_outputs_cannot_be_distilled(make, net, labelled):
    data = labelled(image=(8, 8, 1), facts=(6,))
    with pytest.raises(CompressionError, match="outputs"):
        make(net("two"), Format.ONNX, {"distil": "self", "tune": "2 steps"}, dataset=data)
