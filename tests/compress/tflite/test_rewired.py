import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebench.compress.inspect import read_artifact
from edgebench.compress.tflite.rewired import rewire
from tests.compress.flatbuffers import operation, save, tensor

pytestmark = pytest.mark.converter

SHAPE = (1, 4, 5, 3)


def doubled(path):
    """x + x and x + x + x, both channels last."""
    return save(
        path,
        [tensor("x", SHAPE), tensor("two", SHAPE), tensor("three", SHAPE)],
        [operation("ADD", ["x", "x"], ["two"]), operation("ADD", ["two", "x"], ["three"])],
        ["x"],
        ["two", "three"],
    )


@pytest.mark.parametrize("order", [None, (0, 3, 1, 2)])
def test_outputs_have_new_names_and_a_new_order_of_axes(tmp_path, order):
    path = doubled(tmp_path / "m.tflite")
    names = {"inputs": ["input.1:0"], "outputs": ["/a:0", "/b"]}
    path.write_bytes(rewire(path.read_bytes(), **names, orders=[order, None]))
    artifact = read_artifact(path)
    x = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    found = Interpreter(str(path)).get_signature_runner()(**{"input.1:0": x})
    turned = x if order is None else x.transpose(order)
    assert np.allclose(found["/a:0"], 2 * turned)
    assert np.allclose(found["/b"], 3 * x)
    assert {spec.name: spec.shape for spec in (*artifact.inputs, *artifact.outputs)} == {
        "input.1:0": SHAPE,
        "/a:0": turned.shape,
        "/b": SHAPE,
    }


def test_every_output_needs_a_name(tmp_path):
    content = doubled(tmp_path / "m.tflite").read_bytes()
    with pytest.raises(ValueError, match="argument 2"):
        rewire(content, inputs=["x"], outputs=["y"], orders=[None, None])
