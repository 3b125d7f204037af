"""`report` on runs that are on disk."""

import csv

import pytest

from edgebench.errors import ConfigError
from edgebench.results.report.kept import KEPT
from edgebench.results.store import CellSpec, write_recorded, write_run
from edgebench.workflow.report import digest_run, write_report
from tests.results.conftest import recorded_cell, run_document


def spec(variant):
    return CellSpec(
        key=f"{variant}.tflite.board",
        variant=variant,
        format="tflite",
        device="board",
        runtime="litert",
        threads=1,
        reference="float.tflite.board",
    )


@pytest.fixture
def folder(tmp_path):
    """A `bench` of two files."""
    specs = (spec("float"), spec("=int8"))
    run = tmp_path / "20260101T000000Z-bench-0001"
    write_run(run, run_document(cells=specs))
    for one in specs:
        write_recorded(run, recorded_cell(one, [1.0, 1.1, 1.05], scores=[1, 0, 1, 1]))
    return run


def test_a_digest_is_kept_until_something_of_the_run_changes(folder):
    first = digest_run(folder)
    kept = (folder / KEPT).read_bytes()
    (folder / KEPT).write_bytes(kept.replace(b'"board"', b'"known"'))
    assert digest_run(folder).cells[0].text("device") == "known", "it was read and not made anew"
    write_recorded(folder, recorded_cell(spec("=int8"), [2.0, 2.1, 2.05]))
    second = digest_run(folder)
    assert second.cells[0] == first.cells[0]
    assert second.cells[1].number("latency_p50_ms") == pytest.approx(2.05, rel=0.01)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"stamp": 1}'])
def test_a_damaged_digest_is_made_anew(folder, damage):
    first = digest_run(folder)
    (folder / KEPT).write_bytes(damage)
    assert digest_run(folder) == first
    assert digest_run(folder) == first


@pytest.mark.parametrize("name", ["x.html", "x.md", "x.csv"])
def test_every_ending_is_written(folder, tmp_path, name):
    write_report([folder, folder], tmp_path / name)
    text = (tmp_path / name).read_text("utf-8")
    assert text.count("float") >= 1
    assert "only a plan says" in text or name == "x.csv"


def test_a_formula_is_none_in_the_table_of_cells(folder, tmp_path):
    write_report([folder], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == ["float", "'=int8"]


def test_what_is_wrong_is_known_before_anything_is_written(folder, tmp_path):
    with pytest.raises(ConfigError, match=r"No report ends in '\.pdf'"):
        write_report([folder], tmp_path / "x.pdf")
    with pytest.raises(ConfigError, match="is no run"):
        write_report([folder, tmp_path / "none"], tmp_path / "x.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_report([folder], tmp_path / "file" / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_a_run_that_was_cut_off_is_reported_as_such(folder):
    document = run_document(cells=(spec("float"), spec("open")), finished=False)
    write_run(folder, document)
    told = digest_run(folder)
    assert (told.finished, [cell.text("status") for cell in told.cells]) == (
        False,
        ["ok", "failed"],
    )
