import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.rows import with_rows
from tests.compress.flatbuffers import operation, save, tensor

WEIGHTS = np.arange(8, dtype=np.float32).reshape(2, 4)
BIAS = np.array([10, 20], np.float32)


def made(path, read, **options):
    """A FULLY_CONNECTED of four to two that reads a tensor of this shape."""
    rows = int(np.prod(read)) // 4
    written = (*read[:-1], 2) if options.get("keepNumDims") else (rows, 2)
    tensors = [
        tensor("x", read),
        tensor("w", (2, 4), data=WEIGHTS),
        tensor("b", (2,), data=BIAS),
        tensor("y", written),
    ]
    dense = operation("FULLY_CONNECTED", ["x", "w", "b"], ["y"], **options)
    return save(path, tensors, [dense], ["x"], ["y"])


def computed(content, x):
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize("read", [(1, 1, 1, 4), (1, 3, 4), (1, 2, 2)])
def test_a_map_is_made_rows_before_it_is_read(tmp_path, read):
    path = made(tmp_path / "map.tflite", read)
    x = np.random.default_rng(0).random(read, dtype=np.float32)
    content = with_rows(path.read_bytes())
    (tmp_path / "rows.tflite").write_bytes(content)
    assert read_tflite_counts(tmp_path / "rows.tflite").operations == {
        "FULLY_CONNECTED": 1,
        "RESHAPE": 1,
    }
    graph = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
    assert len(graph.tensors[graph.operators[1].inputs[0]].shape) == 2
    np.testing.assert_allclose(computed(content, x), computed(path.read_bytes(), x))
    np.testing.assert_allclose(computed(content, x), x.reshape(-1, 4) @ WEIGHTS.T + BIAS, rtol=1e-6)


@pytest.mark.parametrize(("read", "options"), [((3, 4), {}), ((1, 3, 4), {"keepNumDims": True})])
def test_what_reads_rows_or_keeps_axes_stays_as_it_is(tmp_path, read, options):
    path = made(tmp_path / "same.tflite", read, **options)
    (tmp_path / "after.tflite").write_bytes(with_rows(path.read_bytes()))
    assert read_tflite_counts(tmp_path / "after.tflite").operations == {"FULLY_CONNECTED": 1}
