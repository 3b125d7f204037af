import numpy as np
import pytest
from onnx import helper

from edgebench.compress.inspect import read_artifact
from edgebench.compress.promises import check_promises
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Promises, Task
from edgebench.compress.tflite.quantize import quantize_tflite
from edgebench.errors import CompressionError
from tests.compress import flatbuffers, graphs

pytestmark = [
    pytest.mark.converter,
    # The quantizer's own choice; elsewhere it runs in a process of its own.
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]

ROWS, COLUMNS = 24, 32
HALF = ROWS * COLUMNS // 2


def pruned():
    """Half of the weights are zero."""
    weights = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    smallest = np.argsort(np.abs(weights).ravel())[:HALF]
    weights.ravel()[smallest] = 0
    return weights


def clustered(values=4, *, scaled=False):
    """So many different values; `scaled` multiplies each output by a number of its own."""
    rng = np.random.default_rng(1)
    codebook = rng.standard_normal(values).astype(np.float32)
    weights = codebook[rng.integers(0, values, (ROWS, COLUMNS))]
    factors = rng.uniform(0.5, 2, (ROWS, 1)).astype(np.float32)
    return weights * factors if scaled else weights


def tflite(path, weights):
    return flatbuffers.dense(path / "model.tflite", weights)


def onnx(path, weights):
    """The same layer; a Gemm takes weights as `(out, in)` too."""
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    return graphs.save(
        path / "model.onnx",
        [node],
        {"x": (graphs.FLOAT, [1, COLUMNS])},
        {"y": (graphs.FLOAT, [1, ROWS])},
        [graphs.initializer("w", weights)],
    )


def quantized(path, weights, granularity="channel"):
    """The layer in integers, by the step."""
    artifact = read_artifact(flatbuffers.dense(path / "float.tflite", weights))
    samples = np.random.default_rng(2).standard_normal((8, COLUMNS)).astype(np.float32)
    np.savez(path / "samples.npz", x=samples)
    step = parse_step({"quantize": "int8", "granularity": granularity})
    data = path / "samples.npz"
    task = Task(way="quantize tflite", source=artifact, step=step, folder=path, data=data)
    return quantize_tflite(task, lambda words: None).path


both = pytest.mark.parametrize("write", [tflite, onnx])
all_ways = pytest.mark.parametrize("write", [tflite, onnx, quantized])


def check(path, **promises):
    return check_promises(read_artifact(path), Promises(**promises))


@all_ways
def test_zeros_are_counted_in_the_file(tmp_path, write):
    assert check(write(tmp_path, pruned()), zeros=HALF)["zeros"] >= HALF


@both
def test_fewer_zeros_than_promised_are_an_error(tmp_path, write):
    with pytest.raises(CompressionError, match=f"{HALF} of its weights are exactly zero, not 385"):
        check(write(tmp_path, pruned()), zeros=HALF + 1)


@all_ways
@pytest.mark.parametrize("scaled", [False, True])
def test_clusters_are_found_through_the_scale_of_a_channel(tmp_path, write, scaled):
    path = write(tmp_path, clustered(scaled=scaled))
    assert check(path, values=4, clustered=ROWS * COLUMNS)["clustered"] == ROWS * COLUMNS


def test_clusters_are_found_under_one_scale_for_all(tmp_path):
    path = quantized(tmp_path, clustered(), granularity="tensor")
    assert check(path, values=4, clustered=ROWS * COLUMNS)["clustered"] == ROWS * COLUMNS


@all_ways
def test_weights_that_moved_apart_are_an_error(tmp_path, write):
    weights = clustered()
    weights[3] += np.linspace(0, 1, COLUMNS, dtype=np.float32)
    with pytest.raises(CompressionError, match="lie in tensors of 4 values, not 768"):
        check(write(tmp_path, weights), values=4, clustered=ROWS * COLUMNS)


@both
def test_a_channel_too_small_to_tell_is_said_to_be(tmp_path, write):
    found = check(write(tmp_path, pruned()), values=COLUMNS, clustered=ROWS * COLUMNS)
    assert (found["clustered"], found["clusters_unclear"]) == (0, ROWS * COLUMNS)


def test_an_integer_file_holds_its_promise(tmp_path):
    path = quantized(tmp_path, pruned())
    assert check(path, is_integer=True)["float_operations"] == {}


@pytest.mark.parametrize(("write", "named"), [(tflite, "FULLY_CONNECTED"), (onnx, "Gemm")])
def test_an_operation_on_floats_is_named(tmp_path, write, named):
    with pytest.raises(CompressionError, match=f"1 {named} of its operations compute on floats"):
        check(write(tmp_path, pruned()), is_integer=True)


@all_ways
def test_as_many_weights_as_predicted_are_there(tmp_path, write):
    assert check(write(tmp_path, pruned()), weights=ROWS * COLUMNS)["weights"] == ROWS * COLUMNS


@both
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_other_than_predicted_weights_are_an_error(tmp_path, write, factor):
    with pytest.raises(CompressionError, match="it has 768 weights, not"):
        check(write(tmp_path, pruned()), weights=round(factor * ROWS * COLUMNS))


def test_a_shared_weight_counts_once(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    shape = (graphs.FLOAT, [1, 8])
    stored = [graphs.initializer("w", graphs.weights(8, 8))]
    path = graphs.save(tmp_path / "m.onnx", nodes, {"x": shape}, {"y": shape}, stored)
    assert check(path, weights=64)["weights"] == 64


def test_a_vector_in_disguise_may_be_predicted_or_not(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Mul", ["h", "m"], ["y"]),
    ]
    stored = [
        graphs.initializer("w", graphs.weights(8, 8)),
        graphs.initializer("m", graphs.weights(1, 8)),
    ]
    shape = (graphs.FLOAT, [1, 8])
    path = graphs.save(tmp_path / "m.onnx", nodes, {"x": shape}, {"y": shape}, stored)
    assert check(path, weights=64) == check(path, weights=72)


def test_what_was_not_promised_is_not_looked_for(tmp_path):
    assert set(check(tflite(tmp_path, pruned()))) == {"weights", "zeros"}
