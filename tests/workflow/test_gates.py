"""A run that was really made, before a pipeline's gates; and runs that it might have been."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from edgebench.core import Reason, Status
from edgebench.results.store import read_recorded, read_run, write_recorded, write_run
from tests.workflow.conftest import BRISK

# A run of three short blocks is noisy: what is not looked at may change tenfold.
WIDE = ("--margin", "900%")

PLAN = """schema = 1
[model]
source = "model.onnx"
[data]
source = "data.npz"
{brisk}
[[device]]
name = "here"
address = "local://"
[[variant]]
name = "float"
[[variant]]
name = "int8"
steps = ["quantize int8"]
[[target]]
latency_p50_ms = 1000.0
size_mb = 1.0
accuracy_drop_points = 5.0
"""


@pytest.fixture(scope="session")
def made(classifier, caches):
    """The folder of a run of `float` and `int8`, which holds its targets."""
    (classifier / "gates.toml").write_text(PLAN.format(brisk=BRISK))
    env = {"EDGEBENCH_CACHE": str(caches), "XDG_CACHE_HOME": str(caches / "xdg")}
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", "run", "gates.toml", "--json"],
        cwd=classifier,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return classifier / json.loads(done.stdout)["run"]


@pytest.fixture
def altered(made, tmp_path):
    """A copy of the run in which one cell is another: `how` takes what was recorded of it."""

    def alter(name, how, variant="int8"):
        folder = tmp_path / name
        shutil.copytree(made, folder)
        (key,) = [cell.key for cell in read_run(folder).cells if cell.variant == variant]
        recorded = read_recorded(folder, key)
        assert recorded is not None
        write_recorded(folder, how(recorded))
        return folder

    return alter


def slowed(recorded, factor=2.0):
    samples = {block: ns * factor for block, ns in recorded.samples.items()}
    return replace(recorded, samples=samples)


def changed(recorded, **fields):
    return replace(recorded, measurement=replace(recorded.measurement, **fields))


def document(done):
    return json.loads(done.stdout)


def test_a_run_that_holds_its_targets_ends_with_0(made, edgebench):
    printed = document(edgebench("validate", made, "--json", exit_code=0))
    assert printed["schema"] == "edgebench.validation/1"
    assert printed["exit_code"] == 0
    told = [(t["variant"], t["target"], t["verdict"]) for t in printed["targets"]]
    names = ("latency_p50_ms", "accuracy_drop_points", "size_mb")
    assert told == [(v, name, "PASS") for v in ("float", "int8") for name in names]


def limits(folder, text):
    path = folder / "targets.toml"
    path.write_text("".join(f"[[target]]\n{line}\n" for line in text))
    return path


@pytest.mark.parametrize(
    ("text", "exit_code", "said"),
    [
        (["size_mb = 0.0001"], 1, "a target fails: 2 FAIL"),
        (["energy_mj = 1.0"], 3, "a target could not be decided: 2 NOT MEASURED"),
        (["size_mb = 1.0", "size_mb = 0.0001"], 1, "2 FAIL, 2 PASS"),
        (["size_mb = 1.0"], 0, "every target holds: 2 PASS"),
    ],
    ids=["fails", "not measured", "both", "holds"],
)
def test_targets_of_a_file_take_the_place_of_the_plans(
    made, edgebench, tmp_path, text, exit_code, said
):
    path = limits(tmp_path, text)
    done = edgebench("validate", made, "--targets", path, exit_code=exit_code)
    assert said in done.stdout.splitlines()[-1]


def test_a_failing_target_names_what_to_take_instead(made, edgebench, altered, tmp_path):
    folder = altered("slow", lambda recorded: slowed(recorded, 1e6))
    printed = document(edgebench("validate", folder, "--json", exit_code=1))
    (failing,) = [t for t in printed["targets"] if t["verdict"] == "FAIL"]
    assert (failing["variant"], failing["target"]) == ("int8", "latency_p50_ms")
    assert failing["nearest"]["variant"] == "float"
    assert "nearest that passes: float (onnx)" in edgebench("validate", folder, exit_code=1).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (['device = "pi6"\nsize_mb = 1.0'], "'pi6', which is no device here"),
        (['variant = "int4"\nsize_mb = 1.0'], "It has: float, int8"),
        (["size_m = 1.0"], "Nearest: `size_mb`"),
        (['scenario = "offline"\nsize_mb = 1.0'], "'offline', which is no scenario here"),
    ],
    ids=["device", "variant", "key", "scenario"],
)
def test_a_wrong_target_ends_with_2(made, edgebench, tmp_path, text, said):
    done = edgebench("validate", made, "--targets", limits(tmp_path, text), exit_code=2)
    assert said in done.stderr
    assert done.stdout == ""


def test_a_run_without_targets_is_an_error_with_a_hint(made, edgebench, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(made, folder)
    run = read_run(folder)
    write_run(folder, replace(run, plan={**run.plan, "target": []}))
    done = edgebench("validate", folder, exit_code=2)
    assert "has no targets" in done.stderr
    assert "hint: Name a file with --targets" in done.stderr


def test_a_run_that_was_cut_off_is_validated_as_far_as_it_came(made, edgebench, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(made, folder)
    run = read_run(folder)
    (key,) = [cell.key for cell in run.cells if cell.variant == "int8"]
    (folder / "measurements" / f"{key}.json").unlink()
    write_run(folder, replace(run, finished=False))
    printed = document(edgebench("validate", folder, "--json", exit_code=3))
    told = {(t["variant"], t["verdict"], t["reason"]) for t in printed["targets"]}
    assert told == {("float", "PASS", None), ("int8", "NOT MEASURED", "not_measured")}


def test_a_run_that_has_no_cells_yet_holds_nothing(made, edgebench, tmp_path):
    folder = tmp_path / "begun"
    shutil.copytree(made, folder)
    write_run(folder, replace(read_run(folder), cells=(), devices={}, finished=False))
    printed = document(edgebench("validate", folder, "--json", exit_code=3))
    assert {t["verdict"] for t in printed["targets"]} == {"NOT MEASURED"}
    assert {t["variant"] for t in printed["targets"]} == {"float", "int8"}


def test_files_that_were_measured_by_bench_are_held_to_a_file_of_targets(
    classifier, edgebench, tmp_path
):
    printed = document(edgebench("bench", classifier / "model.onnx", "--json", exit_code=0))
    assert edgebench("validate", printed["run"], exit_code=2).stderr
    path = limits(tmp_path, ['variant = "model"\nlatency_p50_ms = 1000.0'])
    edgebench("validate", printed["run"], "--targets", path, exit_code=0)


def test_a_run_is_equivalent_to_itself(made, edgebench):
    printed = document(edgebench("compare", made, made, *WIDE, "--json", exit_code=0))
    assert printed["schema"] == "edgebench.comparison/1"
    assert printed["differences"] == []
    told = {c["quantity"]: c["verdict"] for cell in printed["cells"] for c in cell["changes"]}
    assert set(told) == {"latency", "accuracy", "size", "memory"}
    assert set(told.values()) == {"equivalent"}


def test_what_became_slower_ends_with_1(made, altered, edgebench):
    slow = altered("slow", lambda recorded: slowed(recorded, 100.0))
    done = edgebench("compare", made, slow, *WIDE, exit_code=1)
    assert "slower" in done.stdout
    assert "! int8 (onnx) on here, latency: all of the interval lies beyond" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("something became worse: 1 slower")


def test_what_became_faster_ends_with_0(made, altered, edgebench):
    slow = altered("slow", lambda recorded: slowed(recorded, 100.0))
    assert "faster" in edgebench("compare", slow, made, *WIDE, exit_code=0).stdout


def test_options_say_from_where_on_a_change_counts(made, altered, edgebench):
    big = altered("big", lambda r: changed(r, size_bytes=r.measurement.size_bytes + 2000))
    for words, exit_code in (
        ((), 0),
        (("--margin", "size=1%"), 1),
        (("--margin", "size=0.01"), 1),
        (("--margin", "size=0.9"), 0),
        (("--margin", "size=1%", "--floor", "size=0.001"), 1),
        (("--margin", "size=1%", "--floor", "size=0.01"), 0),
    ):
        edgebench("compare", made, big, *WIDE, *words, exit_code=exit_code)


def test_other_conditions_are_said_first_and_end_with_3(made, altered, edgebench):
    newer = altered("newer", lambda recorded: changed(recorded, runtime_version="99.0"))
    done = edgebench("compare", made, newer, exit_code=3)
    first, *_ = done.stdout.splitlines()
    assert first.startswith("differs: here: onnxruntime: ")
    assert first.endswith("-> 99.0")
    assert "incomparable" in done.stdout


def test_a_cell_that_fails_now_ends_with_1(made, altered, edgebench):
    broken = altered(
        "broken",
        lambda r: changed(r, status=Status.INVALID, reasons=(Reason.WRONG_OUTPUT,), error="NaN"),
    )
    done = edgebench("compare", made, broken, exit_code=1)
    assert "fails now" in done.stdout
    assert re.search(r"invalid: wrong_output.*: NaN", done.stdout)


def reports(folder):
    paths = (folder / "reports" / "x.xml", folder / "reports" / "x.md")
    return SimpleNamespace(paths=paths, words=("--junit", paths[0], "--md", paths[1]))


@pytest.mark.parametrize("command", ["validate", "compare"])
def test_both_files_are_written_also_where_the_gate_is_shut(
    made, altered, edgebench, tmp_path, command
):
    slow = altered("slow", lambda recorded: slowed(recorded, 1e6))
    runs = [slow] if command == "validate" else [made, slow]
    files = reports(tmp_path)
    edgebench(command, *runs, *files.words, "--json", exit_code=1)
    root = ET.fromstring(files.paths[0].read_bytes())
    assert [suite.get("name") for suite in root] == ["here"]
    assert [element.tag for element in root.iter("failure")] == ["failure"]
    assert files.paths[1].read_text().startswith(f"## edgebench {command}: ")


def test_a_report_that_cannot_be_written_ends_with_2(made, edgebench, tmp_path):
    (tmp_path / "file").write_text("")
    done = edgebench("validate", made, "--junit", tmp_path / "file" / "x.xml", exit_code=2)
    assert "cannot be written" in done.stderr
