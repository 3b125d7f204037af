"""`edgebench results` with runs that are whole and runs that are not."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from edgebench.cli import main
from edgebench.errors import ConfigError
from edgebench.results.listing import INDEX, SETTLED_NS, Wanted, list_runs, since
from edgebench.results.store import create_run, write_recorded, write_run


@pytest.fixture
def runs(tmp_path, document_of, spec_of, recorded_of):
    """Two folders, the first whole."""
    spec = spec_of("float")
    document = document_of(cells=(spec,))
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


@pytest.fixture
def many(tmp_path, document_of, spec_of):
    """Runs of several models on several devices, by day of January 2026."""
    plans = {
        1: ({"model": {"source": "models/resnet8.keras"}}, [("float", "pi5"), ("int8", "pi5")]),
        2: ({"model": {"source": "zoo:lenet"}}, [("float", "pi4"), ("int8", "jetson")]),
        3: ({"models": ["a/resnet8.tflite", "b/mobile.onnx"]}, [("mobile", "pi5")]),
        4: ({"model": {"source": "zoo:lenet"}}, []),
    }
    for day, (plan, pairs) in plans.items():
        specs = tuple(spec_of(variant, device=device) for variant, device in pairs)
        created = f"2026-01-0{day}T10:00:00+00:00"
        create_run(tmp_path / "runs", document_of(plan=plan, cells=specs, created=created))
    return tmp_path / "runs"


def days(runs):
    return [int(str(run.created)[8:10]) for run in runs]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [4, 3, 2, 1]),
        (("--model", "resnet8"), [3, 1]),
        (("--model", "resnet8.keras"), [1]),
        (("--model", "models/resnet8.keras"), [1]),
        (("--model", "lenet"), [4, 2]),
        (("--model", "zoo:*"), [4, 2]),
        (("--model", "lenet", "--model", "mobile"), [4, 3, 2]),
        (("--device", "pi?"), [3, 2, 1]),
        (("--variant", "int8"), [2, 1]),
        (("--variant", "int8", "--device", "pi*"), [1]),
        (("--device", "pi"), []),
        (("--since", "2026-01-03"), [4, 3]),
        (("--since", "2026-01-03T10:00:00"), [4, 3]),
        (("--since", "2026-01-03T12:00:01+02:00"), [4]),
        (("--since", "9999w"), [4, 3, 2, 1]),
        (("--since", "0h"), []),
        (("--since", "2026-01-02", "--model", "lenet", "--device", "jetson"), [2]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_the_newest_is_first_and_only_what_is_wanted(many, words, expected):
    done = CliRunner().invoke(main, ["results", "list", "--out", str(many), "--json", *words])
    assert [int(row["created"][8:10]) for row in json.loads(done.stdout)["runs"]] == expected
    done = CliRunner().invoke(main, ["results", "list", "--out", str(many), *words])
    assert len(done.stdout.splitlines()) == len(expected)
    assert done.exit_code == 0


@pytest.mark.parametrize("text", ["yesterday", "7", "7m", "2026-13-01", "99999999w", ""])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="neither a date nor a duration"):
        since(text, datetime.now(UTC))


def test_a_row_says_what_it_can_be_chosen_by(many):
    (row,) = [run.document() for run in list_runs(many, Wanted(devices=["jetson"]))]
    assert row["models"] == ["zoo:lenet"]
    assert row["variants"] == ["float", "int8"]
    assert row["devices"] == ["pi4", "jetson"]


def test_a_broken_run_is_listed_at_the_end_whatever_is_wanted(many):
    broken = max(many.iterdir())
    (broken / "run.json").write_text("{")
    assert list_runs(many, Wanted(models=["nothing"]))[-1].folder == broken
    text = (min(path for path in many.iterdir() if path.is_dir()) / "run.json").read_text()
    (broken / "run.json").write_text(text.replace('"created": "2026', '"created": "in 2026'))
    assert "created" in str(list_runs(many)[-1].error)


@pytest.fixture
def settled(many):
    """Runs that have been listed, and have been as they are for long enough to be remembered."""
    time.sleep(SETTLED_NS / 1e9 + 0.1)
    list_runs(many)
    assert len(json.loads((many / INDEX).read_text())["runs"]) == 4
    return many


def test_what_is_remembered_is_not_read_again(settled):
    index = json.loads((settled / INDEX).read_text())
    for entry in index["runs"].values():
        entry["row"]["cells"] = 77
    (settled / INDEX).write_text(json.dumps(index))
    assert [run.cells for run in list_runs(settled)] == [77] * 4


def test_a_run_that_is_new_changed_or_gone_is_seen(settled, document_of):
    first, second, third, fourth = sorted(
        (run.folder for run in list_runs(settled)), key=lambda folder: folder.name
    )
    shutil.rmtree(first)
    write_run(second, document_of(created="2026-01-08T00:00:00+00:00"))
    # In place, of the same length and with its old time, as a careless editor or `cp -p` does it.
    told = (third / "run.json").stat()
    text = (third / "run.json").read_text()
    (third / "run.json").write_text(text.replace("2026-01-0", "2025-01-0"))
    os.utime(third / "run.json", ns=(told.st_atime_ns, told.st_mtime_ns))
    fourth.rename(fourth.with_name("renamed"))
    new = create_run(settled, document_of(created="2026-01-09T00:00:00+00:00"))
    for _ in range(2):
        runs = list_runs(settled)
        assert [run.folder.name for run in runs[:2]] == [new.name, second.name]
        assert {run.folder for run in runs} == {new, second, third, fourth.with_name("renamed")}
        assert {str(run.created)[:4] for run in runs if run.folder == third} == {"2025"}
    (new / "run.json").unlink()
    (second / "run.json").write_text("")
    assert list_runs(settled)[-1].folder == second
    assert new not in {run.folder for run in list_runs(settled)}


def test_a_run_that_has_just_changed_is_not_remembered(many):
    list_runs(many)
    assert not (many / INDEX).exists()


@pytest.mark.parametrize(
    "text",
    ["", "\xff", "[]", "{}", "null", '{"schema": "edgebench.index/0", "runs": {}}', "half"],
)
def test_an_index_that_is_damaged_or_of_another_version_is_made_anew(settled, text):
    whole = (settled / INDEX).read_text()
    (settled / INDEX).write_text(whole[: len(whole) // 2] if text == "half" else text)
    assert days(list_runs(settled)) == [4, 3, 2, 1]
    assert json.loads((settled / INDEX).read_text()) == json.loads(whole)


@pytest.mark.parametrize("row", [None, [], {}, {"created": 3}, {"created": "x"}, {"more": 1}])
def test_an_entry_that_is_none_is_read_anew(settled, row):
    index = json.loads((settled / INDEX).read_text())
    entry = next(iter(index["runs"].values()))
    entry["row"] = row if row is None or isinstance(row, list) else {**entry["row"], **row}
    if row == {}:
        entry.pop("stamp")
    (settled / INDEX).write_text(json.dumps(index))
    assert days(list_runs(settled)) == [4, 3, 2, 1]


def test_a_folder_that_cannot_be_written_to_is_listed(settled):
    (settled / INDEX).unlink()
    (settled / INDEX).mkdir()
    assert days(list_runs(settled)) == [4, 3, 2, 1]


def test_a_listing_from_the_index_loads_nothing_heavy(settled):
    code = (
        "import sys; from pathlib import Path; from edgebench.results.listing import list_runs; "
        "print(len(list_runs(Path(sys.argv[1]))), *({'numpy', 'pydantic'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(settled)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["4"]
