"""`edgebench results` with runs that are whole and runs that are not."""

import json

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from edgebench.results.store import RunDocument, create_run, write_recorded


@pytest.fixture
def runs(tmp_path, spec_of, recorded_of):
    """Two folders, the first whole."""
    spec = spec_of("float")
    document = RunDocument(
        command="bench",
        name="bench",
        created="2026-01-01T00:00:00+00:00",
        base="/somewhere",
        plan={},
        protocol={"margin_ratio": 0.05, "ci_ratio": 0.2},
        host={},
        cells=(spec,),
        seed=0,
        finished=True,
    )
    folders = [create_run(tmp_path / "results", document) for _ in range(2)]
    for folder in folders:
        write_recorded(folder, recorded_of(spec, [1.0, 1.0]))
    return folders


@pytest.mark.parametrize("text", ["", "{", '{"schema": "edgebench.run/1"}'])
def test_a_broken_run_is_listed_among_the_others(runs, text):
    whole, broken = runs
    (broken / "run.json").write_text(text)
    done = CliRunner().invoke(main, ["results", "list", "--out", str(whole.parent), "--json"])
    assert done.exit_code == 0
    rows = {row["run"]: row for row in json.loads(done.stdout)["runs"]}
    assert rows[str(whole)]["error"] is None
    assert rows[str(whole)]["finished"] is True
    assert "run.json" in rows[str(broken)]["error"]
    assert rows[str(whole)].keys() == rows[str(broken)].keys()
    done = CliRunner().invoke(main, ["results", "list", "--out", str(whole.parent)])
    assert f"{broken}\tbroken: " in done.stdout
    assert f"{whole}\t2026" in done.stdout


def test_a_run_with_damaged_samples_is_refused_with_a_way_out(runs):
    (samples,) = (runs[0] / "samples").iterdir()
    samples.write_bytes(b"")
    done = CliRunner().invoke(main, ["results", "show", str(runs[0])])
    assert done.exit_code == 2
    assert samples.name in done.stderr
    assert "hint: Remove" in done.stderr


def test_what_is_shown_says_what_is_missing(runs):
    done = CliRunner().invoke(main, ["results", "show", str(runs[0]), "--json"])
    (cell,) = json.loads(done.stdout)["cells"]
    assert cell["latency_ms"]["p99"] is None
    assert cell["missing"]["latency_p99"] == "percentile_n"


def test_an_export_to_a_folder_is_refused(runs, tmp_path):
    (tmp_path / "dir.csv").mkdir()
    words = ["results", "export", str(runs[0]), "--to", str(tmp_path / "dir.csv")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "dir.csv" in done.stderr
