import gzip
import hashlib
import subprocess
import sys
import zipfile

import onnx
import pytest
from onnx import TensorProto, helper

from edgebench.compress.inspect import read_artifact
from edgebench.core import Format, TensorSpec
from edgebench.errors import ConfigError
from tests.compress import graphs

pytestmark = pytest.mark.converter


def test_an_onnx_file_tells_its_inputs_and_outputs(tmp_path):
    found = read_artifact(graphs.two_inputs(tmp_path / "two.onnx"))
    assert found.format is Format.ONNX
    assert found.inputs == (
        TensorSpec(name="image", shape=(1, 1, 8, 8), dtype="float32"),
        TensorSpec(name="facts", shape=(1, 6), dtype="float32"),
    )
    assert found.outputs == (TensorSpec(name="y", shape=(1, 4), dtype="float32"),)


def test_free_axes_scalars_and_text_are_told(tmp_path):
    path = graphs.save(
        tmp_path / "odd.onnx",
        [helper.make_node("Identity", [name], [f"{name}2"]) for name in "abc"],
        {
            "a": (TensorProto.INT64, ["batch", 3]),
            "b": (TensorProto.BOOL, []),
            "c": (TensorProto.STRING, [1]),
        },
        {
            "a2": (TensorProto.INT64, ["batch", 3]),
            "b2": (TensorProto.BOOL, []),
            "c2": (TensorProto.STRING, [1]),
        },
    )
    assert [(spec.shape, spec.dtype) for spec in read_artifact(path).inputs] == [
        ((None, 3), "int64"),
        ((), "bool"),
        ((1,), "string"),
    ]


def test_sizes_and_digest_are_those_of_the_file(tmp_path):
    path = graphs.dense(tmp_path / "d.onnx")
    found, content = read_artifact(path), path.read_bytes()
    assert found.size_bytes == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    # The header of a gzip file may hold a name and a time, the rest is the same.
    assert abs(found.gzip_bytes - len(gzip.compress(content, 9))) <= 8


def test_a_model_that_onnxruntime_refuses_is_read_all_the_same(tmp_path):
    node = helper.make_node("Invented", ["x"], ["y"], domain="org.example")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("org.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), str(tmp_path / "x.onnx"))
    found = read_artifact(tmp_path / "x.onnx")
    assert (found.inputs, found.outputs) == ((), ())
    assert found.size_bytes > 0


def test_weights_in_a_second_file_are_refused(tmp_path):
    whole = onnx.load(str(graphs.dense(tmp_path / "whole.onnx")))
    onnx.save(whole, str(tmp_path / "half.onnx"), save_as_external_data=True, size_threshold=0)
    with pytest.raises(ConfigError, match="another file beside it"):
        read_artifact(tmp_path / "half.onnx")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.onnx", b"this is no model\n", "no whole ONNX model"),
        ("a.onnx", b'{"model": 1}', "no whole ONNX model"),
        ("a.onnx", b"", "is empty"),
        ("a.tflite", b"this is no model\n", "no TFLite model"),
        ("a.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 40, "cannot be read as a TFLite model"),
        ("a.keras", b"this is no model\n", r"no whole \.keras file"),
        ("a.h5", b"\x89HDF", "no model that is known"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_artifact(tmp_path / name)


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="There is no model"):
        read_artifact(tmp_path / "gone.tflite")


def test_a_folder_without_a_saved_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no 'saved_model\.pb'"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_off_onnx_file_is_refused(tmp_path, share):
    content = graphs.dense(tmp_path / "whole.onnx").read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(content[: max(1, int(len(content) * share))])
    with pytest.raises(ConfigError, match="no whole ONNX model"):
        read_artifact(cut)


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.1, 0.5, 0.9])
def test_a_cut_off_tflite_file_is_refused(tmp_path, make, lenet, share):
    content = make(lenet, Format.TFLITE).artifact.path.read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(content[: max(12, int(len(content) * share))])
    with pytest.raises(ConfigError, match="TFLite model"):
        read_artifact(cut)


def test_a_keras_file_tells_its_inputs_without_keras(lenet):
    assert lenet.artifact.inputs == (
        TensorSpec(name="image", shape=(None, 28, 28, 1), dtype="float32"),
    )


def test_a_damaged_keras_file_is_refused(tmp_path, lenet):
    content = bytearray(lenet.artifact.path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bad.keras").write_bytes(content)
    with pytest.raises(ConfigError, match=r"damaged|no whole"):
        read_artifact(tmp_path / "bad.keras")


def test_an_archive_that_keras_did_not_write_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ConfigError, match=r"without 'config\.json'"):
        read_artifact(tmp_path / "a.keras")


def test_a_model_file_is_read_without_the_extra_compress(tmp_path, make, lenet):
    paths = [
        make(lenet, Format.TFLITE).artifact.path,
        graphs.dense(tmp_path / "d.onnx"),
        lenet.artifact.path,
    ]
    code = """
import os, sys
for name in ("tensorflow", "keras", "onnx", "litert_quantizer", "tf2onnx"):
    sys.modules[name] = None
from pathlib import Path
from edgebench.compress.inspect import read_artifact
print(*(len(read_artifact(Path(path)).inputs) for path in sys.argv[1:]))
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    argv = [sys.executable, "-c", code, *map(str, paths)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "1", "1"]
