"""The time of each operation, by the profilers of the runtimes themselves."""

import sys
from dataclasses import replace
from importlib import metadata

import litert_profile  # type: ignore[import-not-found]  # it lies with the runners
import numpy as np
import op_profile  # type: ignore[import-not-found]
import pytest
from onnx import TensorProto, helper

from edgebench.runner import Loop

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def test_every_node_of_an_onnx_model_has_its_time(onnx_model, ask):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="small"),
        helper.make_node("MatMul", ["a", "a"], ["y"], name="large"),
    ]
    value = (FLOAT, [256, 256])
    result, folder = ask(onnx_model(nodes, {"x": value}, {"y": value}), kind="profile")
    profile = result.profile
    assert profile.source == "onnxruntime"
    assert [(row.name, row.op_type) for row in profile.rows] == [
        ("small", "Relu"),
        ("large", "MatMul"),
    ]
    small, large = profile.rows
    assert large.share > small.share
    assert large.share + small.share == pytest.approx(1)
    assert small.calls == large.calls == profile.inferences
    assert large.provider == "CPUExecutionProvider"
    assert large.is_delegated is False
    assert list(folder.glob("nodes*")) == []


def test_of_a_loop_only_the_whole_is_counted(onnx_model, ask):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["going"]),
            helper.make_node("MatMul", ["v", "v"], ["w"], name="inside"),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [64, 64]),
        ],
        [
            helper.make_tensor_value_info("going", BOOL, []),
            helper.make_tensor_value_info("w", FLOAT, [64, 64]),
        ],
    )
    nodes = [
        helper.make_node("Constant", [], ["n"], value=helper.make_tensor("n", INT64, [], [7])),
        helper.make_node("Loop", ["n", "", "x"], ["y"], body=body, name="outside"),
    ]
    value = (FLOAT, [64, 64])
    profile = ask(onnx_model(nodes, {"x": value}, {"y": value}), kind="profile")[0].profile
    assert [row.name for row in profile.rows] == ["outside"]
    assert profile.rows[0].calls == profile.inferences


def test_a_slow_model_is_looked_at_less_often(onnx_model, ask):
    value = (FLOAT, [4])
    model = onnx_model([helper.make_node("Relu", ["x"], ["y"])], {"x": value}, {"y": value})
    loop = replace(Loop(), sample_max_s=0.0)
    assert ask(model, kind="profile", loop=loop)[0].profile.inferences == 1


@pytest.mark.skipif(
    metadata.version("ai-edge-litert") not in litert_profile.TRIED, reason="not a version tried"
)
def test_litert_s_own_profiler_names_kernels_and_who_has_them(tflite, ask):
    profile = ask(tflite / "partly.tflite", kind="profile")[0].profile
    assert profile.unknown is None
    assert {row.op_type: row.is_delegated for row in profile.rows} == {
        "Convolution (NHWC, F32) IGEMM": True,
        "CUMSUM": False,
    }
    assert sum(row.share for row in profile.rows) == pytest.approx(1)
    assert {row.calls for row in profile.rows if row.op_type == "CUMSUM"} == {profile.inferences}


@pytest.mark.skipif(
    metadata.version("ai-edge-litert") not in litert_profile.TRIED, reason="not a version tried"
)
@pytest.mark.parametrize("name", ["embedding", "integers", "static_int8"])
def test_the_profiler_is_fed_what_the_model_can_take(tflite, ask, name):
    profile = ask(tflite / f"{name}.tflite", kind="profile")[0].profile
    assert profile.unknown is None
    assert profile.rows


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("partly", {"accelerator": "none"}, "knows XNNPACK alone, not 'none'"),
        ("free_axes", {"shapes": {"a": (2, 3), "b": (2, 3)}}, "free axes of input 'a'"),
    ],
)
def test_what_the_profiler_cannot_do_is_said(tflite, ask, name, options, words):
    profile = ask(tflite / f"{name}.tflite", kind="profile", **options)[0].profile
    assert profile.rows == ()
    assert words in profile.unknown


def test_the_old_runtime_has_no_profiler(tflite, ask, old_python):
    options = {"kind": "profile", "runtime": "tflite-runtime"}
    profile = ask(tflite / "float.tflite", python=old_python, **options)[0].profile
    assert profile.unknown == "tflite-runtime has no profiler."


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended with code -11"),
        ("raise SystemExit('the function is gone')", "the function is gone"),
        ("pass", "left no answer"),
    ],
)
def test_a_profiler_that_crashes_is_a_reason_and_no_more(tmp_path, code, words):
    found = op_profile.in_a_child([sys.executable, "-c", code], str(tmp_path / "none.json"))
    assert found["rows"] == []
    assert words in found["unknown"]


def test_a_table_of_another_form_is_no_profile():
    with pytest.raises(ValueError, match="has no table"):
        litert_profile.parse("Number of nodes executed: 2\n", 20)


def test_shares_of_a_profile_are_of_the_time_that_was_seen():
    def node(name, index, ts, dur):
        told = {"op_name": name, "node_index": str(index)}
        return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": told}

    def run(ts):
        return {"cat": "Session", "name": "model_run", "ts": ts, "dur": 40, "args": {}}

    events = [run(0), node("a", 0, 1, 30), run(50), node("a", 0, 51, 3), node("a", 1, 54, 1)]
    found = op_profile.of_events(events, 1)
    assert [row["share"] for row in found["rows"]] == [0.75, 0.25]
    assert np.sum([row["ns_per_inference"] for row in found["rows"]]) == 4000
