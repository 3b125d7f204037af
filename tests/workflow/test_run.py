"""The whole way, as a user goes it: a plan in, a table out."""

import json
import os
import signal

import numpy as np
import pytest

from tests.conftest import state_of
from tests.workflow.runs import document, only_run, processes_of, wait_for_processes

TWO_VARIANTS = """
[[variant]]
name = "float"
[[variant]]
name = "int8"
steps = ["quantize int8"]
"""
TARGETS = """
[[target]]
size_mb = {size_mb}
accuracy_drop_points = 5.0
"""
LOCAL = '\n[[device]]\nname = "here"\naddress = "local://"\n'


def test_a_plan_becomes_a_table_with_every_cell_measured(plan_with, edgebench, tmp_path):
    plan = plan_with(TWO_VARIANTS + LOCAL + TARGETS.format(size_mb=1.0))
    printed = document(edgebench("run", plan, "--json", exit_code=0))
    assert printed["schema"] == "edgebench.run/1"
    cells = {cell["variant"]: cell for cell in printed["cells"]}
    assert {name: state_of(cell) for name, cell in cells.items()} == dict.fromkeys(
        ("float", "int8"), "measured"
    )
    assert cells["float"]["accuracy"]["value"] == 1.0
    assert cells["float"]["accuracy"]["on"] == "device"
    assert cells["int8"]["agreement"]["cosine"] > 0.99
    assert cells["int8"]["latency_ms"]["processes"] == 3
    assert cells["int8"]["vs_reference"]["verdict"] is not None
    assert {target["verdict"] for target in printed["targets"]} == {"PASS"}
    run = only_run(tmp_path / "results")
    assert {path.name for path in run.iterdir()} == {
        *("run.json", "variants", "measurements", "samples", "table.csv", "table.md"),
        *("report.html", ".report.json"),
    }
    assert {path.name for path in (run / "variants").iterdir()} == {
        *("float.onnx", "float.onnx.json", "int8.onnx", "int8.onnx.json")
    }


def test_a_target_that_fails_ends_with_1(plan_with, edgebench):
    plan = plan_with(TWO_VARIANTS + LOCAL + TARGETS.format(size_mb=0.0001))
    done = edgebench("run", plan, exit_code=1)
    assert "FAIL" in done.stdout


def test_a_variant_that_cannot_be_made_ends_with_3_and_the_rest_is_measured(plan_with, edgebench):
    more = '[[variant]]\nname = "again"\nsteps = [{ quantize = "int8", skip = ["nobody"] }]\n'
    printed = document(edgebench("run", plan_with(TWO_VARIANTS + more), "--json", exit_code=3))
    assert {state_of(cell) for cell in printed["cells"]} == {"measured"}
    assert "again.onnx" in printed["not_built"]


def test_a_device_that_is_away_ends_with_3_and_the_others_are_measured(plan_with, edgebench):
    away = '\n[[device]]\nname = "away"\naddress = "ssh://nobody@127.0.0.1:1"\n'
    printed = document(
        edgebench("run", plan_with(TWO_VARIANTS + LOCAL + away), "--json", exit_code=3)
    )
    by_device = {(c["device"], state_of(c)) for c in printed["cells"]}
    assert by_device == {("here", "measured"), ("away", "failed")}
    assert "127.0.0.1" in printed["lost"]["away"]


def test_the_gate_keeps_a_variant_at_home(plan_with, edgebench):
    more = LOCAL + "\n[gate]\naccuracy_drop_points = -1.0\n"
    printed = document(edgebench("run", plan_with(TWO_VARIANTS + more), "--json", exit_code=3))
    cells = {cell["variant"]: cell for cell in printed["cells"]}
    assert cells["int8"]["status"] == "refused"
    assert cells["int8"]["reasons"] == ["gate"]
    assert cells["int8"]["latency_ms"]["p50"] is None
    assert state_of(cells["float"]) == "measured"


def test_a_second_run_makes_nothing_again(plan_with, edgebench):
    plan = plan_with(TWO_VARIANTS)
    edgebench("run", plan, exit_code=0)
    shown = edgebench("results", "list", "--json", exit_code=0)
    second = edgebench("run", plan, exit_code=0)
    assert len(document(shown)["runs"]) == 1
    assert "quantize" not in second.stderr


def test_a_dry_run_says_what_would_be_done_and_does_nothing(plan_with, edgebench, tmp_path):
    plan = plan_with(TWO_VARIANTS)
    printed = document(edgebench("run", plan, "--dry-run", "--json", exit_code=0))
    assert [cell["variant"] for cell in printed["cells"]] == ["float", "int8"]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_a_run_that_was_cut_off_goes_on_where_it_was(plan_with, edgebench, start, tmp_path, end):
    plan = plan_with(TWO_VARIANTS + LOCAL)
    whole = document(edgebench("run", plan, "--json", "--out", tmp_path / "whole", exit_code=0))
    process = start("run", plan, "--out", tmp_path / "cut")
    before = wait_for_processes(tmp_path / "cut", 3)
    os.kill(process.pid, end)
    assert process.wait(timeout=60) != 0
    run = only_run(tmp_path / "cut")
    listed = document(
        edgebench("results", "list", "--json", "--out", tmp_path / "cut", exit_code=0)
    )
    assert [row["finished"] for row in listed["runs"]] == [False]
    resumed = document(edgebench("run", "--resume", run, "--json", exit_code=0))
    after = processes_of(run)
    # What was measured before the cut stands as it was, and every block is there just once.
    assert before.items() <= after.items()
    assert sorted(block for _, block in after) == sorted([0, 1, 2] * 2)
    assert shape_of(resumed) == shape_of(whole)
    again = document(edgebench("run", "--resume", run, "--json", exit_code=0))
    assert processes_of(run) == after
    assert again["cells"] == resumed["cells"]


def test_a_plan_of_scenarios_has_a_cell_for_each_and_a_verdict_within_each(
    plan_with, edgebench, brisk, tmp_path
):
    asked = brisk + 'scenario = ["single", "periodic:400"]\nbudget_s = 0.001\n'
    asked = asked.replace("ci_ratio = 9.0", "ci_ratio = 1e-9")
    # Two processes, and no more: where they differ by chance, their interval has no near end.
    limit = '[[target]]\nscenario = "periodic:400"\nlatency_p90_ms = 1e12\n'
    bounded = "[[target]]\nscenario = 'single'\nlatency_p90_ms = 1e12\n"
    plan = plan_with(TWO_VARIANTS + limit + bounded, protocol=asked)
    printed = document(edgebench("run", plan, "--dry-run", "--json"))
    assert [c["scenario"] for c in printed["cells"]] == ["single", "periodic:400"] * 2
    whole = document(edgebench("run", plan, "--json", exit_code=0))
    cells = {(cell["variant"], cell["scenario"]): cell for cell in whole["cells"]}
    assert len(cells) == 4
    for (variant, scenario), cell in cells.items():
        assert cell["latency_ms"]["processes"] == 2
        assert {"budget_exhausted", "ci_not_met"} <= set(cell["reasons"])
        assert (cell["vs_reference"]["verdict"] is None) == (variant == "float")
        assert cell["vs_reference"]["differs"] == []
        assert (cell["deadlines"]["due"] is None) == (scenario == "single")
    # A model of microseconds has no p90, but what several inferences together take bounds it.
    assert cells["float", "single"]["latency_ms"]["p90"] is None
    checked = {(t["variant"], t["scenario"]): t["verdict"] for t in whole["targets"]}
    assert checked == dict.fromkeys(cells, "PASS")
    assert whole["ship"]["local"]["cell"].endswith(".cpu")
    table = (only_run(tmp_path / "results") / "table.md").read_text()
    assert "periodic:400" in table


METRICS = """
def broken(outputs, y):
    return [float("nan")] * len(y)
broken.kind = "error"
"""


def test_an_accuracy_that_is_no_number_is_not_printed_as_one(plan_with, edgebench, tmp_path):
    plan = plan_with(TWO_VARIANTS)
    (tmp_path / "metrics.py").write_text(METRICS)
    text = plan.read_text().replace("[data]", '[data]\nmetric = "metrics.py:broken"')
    plan.write_text(text)
    printed = edgebench("run", plan, "--json", exit_code=3).stdout
    assert "NaN" not in printed
    cells = json.loads(printed)["cells"]
    assert {(c["status"], c["accuracy"]["value"]) for c in cells} == {("invalid", None)}


def test_a_run_is_resumed_whole(plan_with, edgebench, tmp_path):
    edgebench("run", plan_with(TWO_VARIANTS))
    run = only_run(tmp_path / "results")
    for words in (["--dry-run"], ["--variant", "int8"], ["--device", "here"]):
        done = edgebench("run", "--resume", run, *words, exit_code=2)
        assert "--resume" in done.stderr


def test_a_device_that_is_away_on_resume_keeps_its_cells(plan_with, edgebench, tmp_path):
    edgebench("run", plan_with(TWO_VARIANTS))
    run = only_run(tmp_path / "results")
    whole = document(edgebench("results", "show", run, "--json"))
    reopen(run)
    path = run / "run.json"
    path.write_text(path.read_text().replace('"local://"', '"ssh://nobody@127.0.0.1:1"'))
    resumed = document(edgebench("run", "--resume", run, "--json", exit_code=3))
    assert resumed["lost"]
    assert [c["latency_ms"] for c in resumed["cells"]] == [c["latency_ms"] for c in whole["cells"]]


def reopen(run):
    """As if the run had been cut off just before its end."""
    path = run / "run.json"
    path.write_text(path.read_text().replace('"finished": true', '"finished": false'))


def shape_of(printed):
    """The table less its times: cells, verdicts on outputs, sizes, accuracy."""
    return [
        (c["key"], state_of(c), c["size_bytes"], c["accuracy"], c["latency_ms"]["processes"])
        for c in printed["cells"]
    ]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda arrays: arrays["x_train"].__setitem__((3, 5), np.nan), "NaN"),
        (lambda arrays: arrays.update(x_test=arrays["x_test"][:, :7]), "(7,)"),
        (lambda arrays: arrays.update(y_test=arrays["y_test"][:7]), "y_test: 7"),
        (lambda arrays: arrays.pop("x_test"), "x_test"),
        (lambda arrays: arrays.update(x_tests=arrays["x_test"]), "x_tests"),
    ],
    ids=["a NaN", "a wrong shape", "too few labels", "a missing array", "an unknown array"],
)
def test_data_that_cannot_be_right_is_refused_before_anything_runs(
    plan_with, edgebench, tmp_path, spoil, words
):
    plan = plan_with(TWO_VARIANTS)
    with np.load(tmp_path / "data.npz") as archive:
        arrays = dict(archive)
    spoil(arrays)
    np.savez(tmp_path / "data.npz", **arrays)
    done = edgebench("run", plan, exit_code=2)
    assert words in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "content", [b"", b"this is a text file\n", None], ids=["empty", "text", "missing"]
)
def test_a_model_that_is_none_is_refused_before_anything_runs(
    plan_with, edgebench, tmp_path, content
):
    plan = plan_with(TWO_VARIANTS)
    (tmp_path / "model.onnx").unlink()
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    done = edgebench("run", plan, exit_code=2)
    assert "model.onnx" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_run_that_is_taken_up_keeps_its_variants_and_refuses_another_model(
    plan_with, edgebench, tmp_path
):
    edgebench("run", plan_with(TWO_VARIANTS), "--json")
    run = only_run(tmp_path / "results")
    reopen(run)
    kept = {path: path.read_bytes() for path in (run / "measurements").iterdir()}
    # Another cache: what is made anew might differ by a tool's version, so nothing is.
    again = edgebench("run", "--resume", run, EDGEBENCH_CACHE=str(tmp_path / "empty"))
    assert "quantize" not in again.stderr
    assert {path: path.read_bytes() for path in (run / "measurements").iterdir()} == kept
    reopen(run)
    with np.load(tmp_path / "data.npz") as archive:
        arrays = dict(archive)
    arrays["y_test"] = arrays["y_test"][::-1].copy()
    np.savez(tmp_path / "data.npz", **arrays)
    other = edgebench("run", "--resume", run, exit_code=2)
    assert "not what the run began with" in other.stderr
    assert {path: path.read_bytes() for path in (run / "measurements").iterdir()} == kept
