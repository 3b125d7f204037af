import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.own import WAY
from edgebench.errors import CompressionError, ConfigError
from tests.compress.onnx.nets import Draft, normal, step, take, weights

pytestmark = pytest.mark.converter

STEPS = """
import onnx
from onnx import numpy_helper


def scale(model, options):
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor) * options["by"]
        tensor.CopyFrom(numpy_helper.from_array(array.astype("float32"), tensor.name))
    return model


def forget(model, options):
    scale(model, options)


def spoil(model, options):
    del model.graph.node[:]
    return model


def fail(model, options):
    raise KeyError("whatever")
"""


@pytest.fixture
def walk(tmp_path):
    (tmp_path / "steps.py").write_text(STEPS)
    model = Draft().add("MatMul", normal(0, 4, 3)).model([1, 4])

    def walk(name, **options):
        return take(WAY, model, step("step", name, **options), tmp_path, base=tmp_path)

    return walk


def test_the_users_function_gets_the_model_and_its_options(walk):
    made, outcome = walk("steps.py:scale", by=2, seed=5)
    assert (weights(made)["matmul0.w"] == 2 * normal(0, 4, 3)).all()
    assert outcome.changed["after"]["operations"] == {"MatMul": 1}
    assert read_artifact(outcome.path).outputs[0].name == "matmul0.out"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("steps.py:forget", "returned NoneType, no ONNX model"),
        ("steps.py:spoil", "is no valid ONNX graph"),
    ],
)
def test_what_is_no_model_is_refused(walk, name, words):
    with pytest.raises(CompressionError, match=words):
        walk(name, by=1)


@pytest.mark.parametrize("name", ["steps.py:nowhere", "other.py:scale"])
def test_a_function_that_is_not_there_is_a_fault_of_the_plan(walk, name):
    with pytest.raises(ConfigError):
        walk(name)


def test_an_error_of_the_users_own_keeps_its_traceback(walk):
    with pytest.raises(KeyError, match="whatever"):
        walk("steps.py:fail")


def test_the_file_is_part_of_what_the_outcome_depends_on():
    assert WAY.traits(step("step", "my/steps.py:scale")).files == ("my/steps.py",)


def test_training_is_refused():
    assert "cannot be trained" in str(WAY.refuse(step("step", "steps.py:scale", tune="1 epoch")))
