"""Finished files, measured as they are."""

import json

import numpy as np
import pytest

from edgebench.measure.plain_model import write_plain_model
from tests.conftest import state_of


def test_a_file_is_measured_without_a_plan(classifier, edgebench):
    done = edgebench("bench", classifier / "model.onnx", "--json", "--preset", "quick", exit_code=0)
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["variant"] == "model"
    assert cell["latency_ms"]["p50"] > 0
    assert cell["memory_mb"]["model"] is not None
    assert cell["agreement"]["cosine"] == pytest.approx(1.0)
    assert cell["accuracy"] == {
        **{"metric": None, "value": None, "ci95": None, "n": 0, "on": None},
        "reason": "no_data",
    }


def test_a_file_that_is_no_model_is_refused_before_anything_runs(edgebench, tmp_path):
    (tmp_path / "a.onnx").write_text("this is a text file\n")
    done = edgebench("bench", tmp_path / "a.onnx", exit_code=2)
    assert "a.onnx" in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--accelerator", "gpu"], "'gpu'"),
        (["--preset", "hasty"], "'hasty'"),
        (["--runtime", "tflite-runtime"], "'tflite-runtime'"),
        (["--inputs", "none.npz"], "none.npz"),
        (["--device", "nowhere"], "nowhere"),
        (["--shape", "x"], "x"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_word_is_refused_before_anything_runs(classifier, edgebench, tmp_path, words, said):
    done = edgebench("bench", classifier / "model.onnx", *words, exit_code=2)
    assert said in done.stderr
    assert not (tmp_path / "results").exists()


def test_inputs_of_the_user_are_fed(classifier, edgebench, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.ones((5, 16), np.float32))
    words = ["--inputs", tmp_path / "in.npz", "--json"]
    printed = json.loads(edgebench("bench", classifier / "model.onnx", *words, exit_code=0).stdout)
    key = printed["cells"][0]["key"]
    path = next((tmp_path / "results").glob(f"*/measurements/{key}.json"))
    measurement = json.loads(path.read_text())
    assert measurement["inputs"]["origin"] == "in.npz"
    assert measurement["fidelity"]["samples"] == 5


def test_inputs_that_do_not_fit_are_refused(classifier, edgebench, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.ones((5, 7), np.float32))
    done = edgebench(
        "bench", classifier / "model.onnx", "--inputs", tmp_path / "in.npz", exit_code=2
    )
    assert "(5, 7)" in done.stderr


def test_a_model_that_cannot_run_is_a_failed_cell_and_the_others_go_on(
    classifier, edgebench, tmp_path
):
    from onnx import TensorProto, helper, save

    text = helper.make_tensor_value_info("s", TensorProto.STRING, [1])
    out = helper.make_tensor_value_info("o", TensorProto.STRING, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["s"], ["o"])], "text", [text], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save(model, str(tmp_path / "text.onnx"))
    files = [classifier / "model.onnx", tmp_path / "text.onnx"]
    cells = json.loads(edgebench("bench", *files, "--json", exit_code=3).stdout)["cells"]
    assert [(c["variant"], state_of(c)) for c in cells] == [
        ("model", "measured"),
        ("text", "failed"),
    ]
    assert cells[1]["reasons"] == ["unsupported_input"]
    assert "string" in cells[1]["error"]


def test_files_whose_names_differ_in_odd_characters_are_two_cells(classifier, edgebench, tmp_path):
    content = (classifier / "model.onnx").read_bytes()
    files = [tmp_path / name for name in ("a b.onnx", "a_b.onnx", "it's $x\n.onnx")]
    for file in files:
        file.write_bytes(content)
    cells = json.loads(edgebench("bench", *files, "--json").stdout)["cells"]
    assert len({cell["key"] for cell in cells}) == 3
    assert {state_of(cell) for cell in cells} == {"measured"}


def test_a_bench_that_was_cut_off_goes_on(classifier, edgebench, tmp_path):
    whole = json.loads(edgebench("bench", classifier / "model.onnx", "--json").stdout)
    (path,) = (tmp_path / "results").glob("*/run.json")
    path.write_text(path.read_text().replace('"finished": true', '"finished": false'))
    for gone in path.parent.glob("measurements/*.json"):
        gone.unlink()
    resumed = json.loads(edgebench("run", "--resume", path.parent, "--json").stdout)
    assert [c["key"] for c in resumed["cells"]] == [c["key"] for c in whole["cells"]]
    assert {state_of(c) for c in resumed["cells"]} == {"measured"}


def test_beside_an_accelerator_the_cpu_is_measured_as_its_reference(classifier, edgebench):
    words = ["--accelerator", "cuda", "--profile", "--json"]
    printed = edgebench("bench", classifier / "model.onnx", *words, exit_code=3)
    plain, asked = json.loads(printed.stdout)["cells"]
    assert (plain["accelerator"], asked["accelerator"]) == ("cpu", "cuda")
    assert plain["accel"]["effective"] == "cpu"
    assert {kind["op_type"] for kind in plain["profile"]["by_type"]} >= {"Gemm"}
    assert asked["reasons"] == ["silent_fallback"]
    assert "CPUExecutionProvider" in asked["error"]
    assert asked["latency_ms"]["p50"] is None


def test_each_scenario_is_a_cell_of_its_own(classifier, edgebench, tmp_path):
    names = ["offline", "multi:4", "periodic:200"]
    words = [word for name in names for word in ("--scenario", name)]
    model = classifier / "model.onnx"
    other = tmp_path / "other.onnx"
    other.write_bytes(model.read_bytes())
    cells = json.loads(edgebench("bench", model, other, *words, "--json").stdout)["cells"]
    assert [cell["scenario"] for cell in cells] == names * 2
    assert len({cell["key"] for cell in cells}) == 6
    references = {cell["scenario"]: cell["key"] for cell in cells[:3]}
    (run,) = (tmp_path / "results").glob("*/run.json")
    specs = json.loads(run.read_text())["cells"]
    assert [spec["reference"] for spec in specs] == [references[name] for name in names] * 2
    offline, multi, periodic = cells[:3]
    assert offline["latency_ms"]["group"] > 1
    assert offline["missing"]["latency_p90"] == "percentile_n"
    # Four inferences a query, of a model whose batch is fixed.
    assert multi["latency_ms"]["batch"] == 1
    assert multi["latency_ms"]["p50"] > 2 * offline["latency_ms"]["p50"]
    assert 0 < offline["throughput_per_s"] < 1000 / offline["latency_ms"]["min"]
    low, high = offline["throughput_per_s_ci95"]
    assert low < offline["throughput_per_s"] < high
    assert periodic["throughput_per_s"] is None
    assert periodic["deadlines"]["due"] >= 64 * 5
    assert 0 <= periodic["deadlines"]["missed_share"] <= 1
    shown = edgebench("results", "show", run.parent).stdout
    assert "periodic:200" in shown
    assert "missed %" in shown


@pytest.mark.parametrize("runtime", ["litert-native", "onnxruntime-native"])
def test_the_native_runner_is_taken_where_it_is_asked_for(
    classifier, edgebench, tmp_path, wheels, runtime
):
    model = classifier / "model.onnx"
    if runtime == "litert-native":
        write_plain_model(model := tmp_path / "model.tflite")
    asked = ("bench", model, "--device", "local://", "--runtime", runtime, "--json")
    done = edgebench(*asked, EDGEBENCH_CACHE=str(wheels))
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["runtime"], state_of(cell)) == (runtime, "measured")
    assert (cell["agreement"]["cosine"], cell["agreement"]["max_abs"]) == (1.0, 0.0)
    assert cell["load_ms"] > 0
    assert cell["first_ms"] > 0
    assert cell["memory_mb"]["model"] > 0
    assert cell["latency_ms"]["processes"] >= 3
    assert cell["latency_ms"]["p50"] > 0
