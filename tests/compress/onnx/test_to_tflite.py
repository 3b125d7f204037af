import os
import shutil
import subprocess
import sys

import numpy as np
import onnxruntime as ort
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper

from edgebench.compress.inspect import read_artifact
from edgebench.compress.onnx.to_tflite import convert_onnx
from edgebench.compress.onnx2tf import (
    COMMAND,
    PYTHON_VARIABLE,
    TOOL_VARIABLE,
    find_python,
    refusal,
)
from edgebench.compress.recipe import parse_step
from edgebench.compress.technique import Task
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.quantize import quantize_tflite
from edgebench.errors import CompressionError, ConfigError
from tests.compress import graphs
from tests.conftest import miss

pytestmark = [
    pytest.mark.converter,
    # The quantizer's own choice; elsewhere it runs in a process of its own.
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]

FLOAT = graphs.FLOAT


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """The real onnx2tf, in an environment made for these tests and removed behind them."""
    if TOOL_VARIABLE in os.environ and refusal() is None:
        yield
        return
    try:
        find_python()
    except ConfigError as error:
        miss(f"{error} {error.hint} ({PYTHON_VARIABLE})")
    cache = tmp_path_factory.mktemp("onnx2tf")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(TOOL_VARIABLE, raising=False)
        patch.setenv("EDGEBENCH_CACHE", str(cache))
        argv = [sys.executable, *COMMAND.split()[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert refusal() is None
        yield
    shutil.rmtree(cache)


def convert(path, folder):
    folder.mkdir()
    task = Task(way="onnx to tflite", source=read_artifact(path), step=None, folder=folder)
    outcome = convert_onnx(task, lambda words: None)
    assert [file.name for file in folder.iterdir()] == ["model.tflite"]
    return outcome


def conv(path, *, batch=1, names=("image", "mask"), size=(12, 10)):
    """Two convolutions, channels first at both ends, as PyTorch exports them."""
    stored = [
        graphs.initializer("k", graphs.weights(8, 3, 3, 3)),
        graphs.initializer("l", graphs.weights(3, 8, 1, 1, seed=1)),
    ]
    nodes = [
        helper.make_node("Conv", [names[0], "k"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "l"], [names[1]]),
    ]
    shape = (FLOAT, [batch, 3, *size])
    return graphs.save(path, nodes, {names[0]: shape}, {names[1]: shape}, stored)


def channels_last(path):
    """As tf2onnx exports a Keras model."""
    stored = [graphs.initializer("k", graphs.weights(8, 3, 3, 3))]
    nodes = [
        helper.make_node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "k"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["c"], ["mask"], perm=[0, 2, 3, 1]),
    ]
    ends = {"image": (FLOAT, [1, 12, 10, 3])}, {"mask": (FLOAT, [1, 12, 10, 8])}
    return graphs.save(path, nodes, *ends, stored)


def words(path):
    stored = [
        graphs.initializer("table", graphs.weights(9, 4)),
        graphs.initializer("w", graphs.weights(4, 3, seed=1)),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("ReduceMean", ["e"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    ends = {"ids": (TensorProto.INT64, [1, 7])}, {"y": (FLOAT, [1, 3])}
    return graphs.save(path, nodes, *ends, stored)


def lstm(path):
    stored = [
        graphs.initializer("w", graphs.weights(1, 16, 6)),
        graphs.initializer("r", graphs.weights(1, 16, 4, seed=1)),
    ]
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=4)]
    ends = {"x": (FLOAT, [5, 1, 6])}, {"y": (FLOAT, [5, 1, 1, 4])}
    return graphs.save(path, nodes, *ends, stored)


def square(path):
    """Shapes alone do not tell which axis holds the channels."""
    return conv(path, size=(3, 3))


def oddly_named(path):
    return conv(path, names=("input.1:0", "/head/out.2:0"))


def free_batch(path):
    return conv(path, batch="N")


@pytest.mark.parametrize(
    "write",
    [conv, square, oddly_named, free_batch, channels_last, words, graphs.dense, graphs.two_inputs],
)
def test_the_same_data_gives_the_same_answers(tool, tmp_path, write):
    path = write(tmp_path / "m.onnx")
    made = convert(path, tmp_path / "out")
    source, artifact = read_artifact(path), read_artifact(made.path)
    ends = [
        sorted((spec.name, (1, *map(int, (spec.shape or ())[1:])), spec.dtype) for spec in specs)  # type: ignore[arg-type]
        for specs in (source.inputs, artifact.inputs, source.outputs, artifact.outputs)
    ]
    assert ends[0] == ends[1]
    assert ends[2] == ends[3]
    rng = np.random.default_rng(7)
    x = {
        name: rng.random(shape).astype(dtype) if dtype == "float32" else rng.integers(0, 9, shape)
        for name, shape, dtype in ends[0]
    }
    wanted = ort.InferenceSession(str(path)).run([name for name, _, _ in ends[2]], x)
    found = Interpreter(str(made.path)).get_signature_runner()(**x)
    for (name, _, _), answer in zip(ends[2], wanted, strict=True):
        assert np.abs(found[name] - answer).max() < 1e-4 * np.abs(answer).max()
    assert made.settings["parity_max_error"] < 1e-4
    assert made.settings["batch"] == 1


def test_an_operation_that_no_runtime_has_is_refused(tool, tmp_path):
    with pytest.raises(CompressionError, match="operations that no runtime has: ONNX_IF"):
        convert(graphs.branches(tmp_path / "m.onnx"), tmp_path / "out")


def test_an_lstm_that_would_remember_is_refused(tool, tmp_path):
    with pytest.raises(CompressionError, match="keeps state between inferences"):
        convert(lstm(tmp_path / "m.onnx"), tmp_path / "out")


def test_what_is_made_can_be_quantized(tool, tmp_path):
    made = convert(conv(tmp_path / "m.onnx"), tmp_path / "out")
    samples = np.random.default_rng(0).random((8, 3, 12, 10), dtype=np.float32)
    np.savez(tmp_path / "samples.npz", image=samples)
    task = Task(
        way="quantize tflite",
        source=read_artifact(made.path),
        step=parse_step("quantize int8"),
        folder=tmp_path,
        data=tmp_path / "samples.npz",
    )
    quantized = quantize_tflite(task, lambda words: None)
    assert read_tflite_counts(quantized.path).weights == {"INT8": 2}


def test_axes_other_than_the_batch_must_be_fixed(tmp_path, monkeypatch):
    monkeypatch.setenv(TOOL_VARIABLE, str(failing(tmp_path / "venv")))
    path = conv(tmp_path / "m.onnx", size=("height", "width"))
    with pytest.raises(CompressionError, match=r"'image' of m\.onnx is float32") as caught:
        convert(path, tmp_path / "out")
    assert "make_dynamic_shape_fixed" in str(caught.value.hint)


def failing(folder):
    """An environment whose program says why it cannot."""
    program = folder / "bin" / "onnx2tf"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    program.chmod(0o755)
    (folder / "lib/python3.12/site-packages/onnx2tf-9.9.dist-info").mkdir(parents=True)
    return folder


def test_what_the_tool_said_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv(TOOL_VARIABLE, str(failing(tmp_path / "venv")))
    with pytest.raises(CompressionError, match="onnx2tf failed: no such luck"):
        convert(conv(tmp_path / "m.onnx"), tmp_path / "out")


def test_without_the_tool_the_command_that_makes_it_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv(TOOL_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path))
    with pytest.raises(CompressionError, match=COMMAND):
        convert(conv(tmp_path / "m.onnx"), tmp_path / "out")
