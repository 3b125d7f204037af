"""Runs in files of tables come back as they were, whoever wrote there before."""

import csv as standard_csv
import json
import re
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from edgebench.errors import ConfigError
from edgebench.plan import Target
from edgebench.results.columns import CELLS, SAMPLES, Kind, column_rows, plain_text
from edgebench.results.export import WRITERS, export, writer_of
from edgebench.results.frames import Tables
from edgebench.results.ship import Advice
from edgebench.results.store import create_run, write_recorded
from edgebench.results.targets import check_targets
from edgebench.results.writers.csv import CSV, FORMULA, defused, restored
from edgebench.results.writers.merging import read_table, samples_path
from edgebench.results.writers.parquet import PARQUET
from edgebench.workflow import export_runs, outcome_of
from edgebench.workflow.outcome import write_tables

README = Path(__file__).parent.parent.parent / "edgebench" / "results" / "README.md"
FORMATS = {"x.csv": CSV, "x.parquet": PARQUET}
NAMES = (
    *("float", "a \"quoted\" 'name'", "line\nbreak", "return\r\nand line", "\rreturn", "a,b;c\\"),
    *("=cmd()|'/C calc'!A1", "+1", "-1", "@SUM(A1)", "\ttab", "\nline", "'=quoted", "＝full"),  # noqa: RUF001
    *("模型 модель نموذج 🙂", "x" * 200, "NA", "null", "nan", "None", "0012", "1e5", "True", " "),
    *("%s%(a)s:a", "\\N", "'; DROP TABLE edgebench_cells; --", "nul\0nul", "half \ud83d pair"),
)


def read(path, name="x.csv"):
    form = FORMATS[name]
    return read_table(path, CELLS, form), read_table(samples_path(path), SAMPLES, form)


def assert_holds(path, runs):
    tables = Tables(runs)
    cells, samples = read(path, path.name)
    assert_frame_equal(cells, tables.cells)
    assert_frame_equal(samples, tables.samples)


@pytest.mark.parametrize("name", FORMATS)
def test_every_cell_and_sample_comes_back_whatever_it_is_called(tmp_path, readable_of, name):
    run = readable_of("r1", NAMES)
    assert export([run], str(tmp_path / name)) == [
        str(tmp_path / name),
        str(samples_path(tmp_path / name)),
    ]
    assert_holds(tmp_path / name, [run])
    cells, samples = read(tmp_path / name, name)
    assert list(cells["variant"]) == [plain_text(variant) for variant in (*NAMES, "open")]
    assert len(samples) == 200 * len(NAMES)
    assert cells["latency_p50_ms"].notna().tolist() == [True] * len(NAMES) + [False]
    assert cells["missing"].iloc[-1].split()[-1] == "vs_reference=not_measured"


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_run_twice_changes_nothing(tmp_path, readable_of, name):
    path = tmp_path / name
    first, second = readable_of("r1", NAMES), readable_of("r2")
    export([first, second], str(path))
    before = path.read_bytes(), samples_path(path).read_bytes()
    export([first], str(path))
    assert (path.read_bytes(), samples_path(path).read_bytes()) == before


@pytest.mark.parametrize("name", FORMATS)
def test_runs_stand_side_by_side_in_the_order_of_their_names(tmp_path, readable_of, name):
    first, second = readable_of("r1"), readable_of("r2", ("float",), (2.0, 2.2))
    export([second], str(tmp_path / name))
    export([first], str(tmp_path / name))
    assert_holds(tmp_path / name, [first, second])


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_has_grown_takes_the_place_of_what_it_was(tmp_path, readable_of, name):
    other, short = readable_of("r0"), readable_of("r1", ("float",))
    long = readable_of("r1", ("float", "int8"), (3.0, 3.1, 3.2))
    export([other, short], str(tmp_path / name))
    export([long], str(tmp_path / name))
    assert_holds(tmp_path / name, [other, long])


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_of_an_older_version_is_widened(tmp_path, readable_of, name):
    path = tmp_path / name
    old, new = readable_of("r1"), readable_of("r2")
    export([old], str(path))
    table = read(path, name)[0].drop(columns=["latency_p99_ms", "is_finished", "seed"])
    with path.open("wb") as file:
        FORMATS[name].write(table, file)
    export([new], str(path))
    cells, _ = read(path, name)
    assert list(cells.columns) == [column.name for column in CELLS]
    assert cells.loc[cells["run"] == "r1", ["is_finished", "seed"]].isna().all(axis=None)
    assert_frame_equal(cells[cells["run"] == "r2"].reset_index(drop=True), Tables([new]).cells)


def _foreign(path, table):
    return table.assign(latency_ms_p50=1.0)


def _keyless(path, table):
    return table.drop(columns="cell")


@pytest.mark.parametrize(
    ("change", "words"), [(_foreign, "holds 'latency_ms_p50'"), (_keyless, "lacks 'cell'")]
)
@pytest.mark.parametrize("name", FORMATS)
def test_a_table_of_others_is_left_alone(tmp_path, readable_of, name, change, words):
    path = tmp_path / name
    export([readable_of("r1")], str(path))
    table = change(path, read(path, name)[0])
    with path.open("wb") as file:
        FORMATS[name].write(table, file)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=rf"{name}.*{words}.*another version"):
        export([readable_of("r2")], str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PAR1", b"run,cell,threads\na,b,c\n"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_no_table_is_left_alone(tmp_path, readable_of, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        export([readable_of("r1")], str(tmp_path / name))
    assert (tmp_path / name).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_on_a_full_disk_everything_stays_as_it_was(tmp_path, readable_of, name):
    path = tmp_path / name
    export([readable_of("r1", ("float",))], str(path))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(map(len, before.values()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(ConfigError, match="cannot be written: File too large"):
            export([readable_of("r2", NAMES, [*range(1, 99)])], str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_no_text_is_a_formula_to_a_spreadsheet(tmp_path, readable_of):
    export([readable_of("r1", NAMES)], str(tmp_path / "x.csv"))
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(standard_csv.DictReader(file))
    texts = [row[c.name] for row in rows for c in CELLS if c.kind is Kind.TEXT]
    assert [text for text in texts if text.startswith(FORMULA)] == []
    assert "'=cmd()|'/C calc'!A1" in texts
    # A separator within a text opens no cell of its own, for every text stands in quotes.
    assert '"a,b;c\\"' in (tmp_path / "x.csv").read_text()


@given(st.text())
@example("'")
@example("''=")
def test_what_is_defused_can_be_restored(text):
    assert restored(defused(text)) == text
    assert not defused(text).startswith(FORMULA)


def test_markdown_has_a_section_a_run(tmp_path, readable_of):
    target = tmp_path / "x.md"
    export([readable_of("r1"), readable_of("r2")], str(target))
    assert [line for line in target.read_text().splitlines() if line.startswith("## ")] == [
        "## edgebench: r1",
        "## edgebench: r2",
    ]


def test_no_name_breaks_the_table_of_a_markdown(tmp_path, readable_of):
    names = (*NAMES, "a|b", "<b>", "`code`", "*_[x](y)")
    export([readable_of("r1", names)], str(tmp_path / "x.md"))
    lines = (tmp_path / "x.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(names) + 1
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[0].count("|")}
    assert [row for row in rows if re.search(r"(?<!\\)[<`*]", row)] == []


@pytest.mark.parametrize("name", ["dir.csv", "afile/x.md", "afile/x.csv", "dir.csv/x/y.parquet"])
def test_a_target_that_cannot_be_written_is_refused(tmp_path, readable_of, name):
    (tmp_path / "dir.csv").mkdir()
    (tmp_path / "dir.csv" / "x").write_text("")
    (tmp_path / "afile").write_text("")
    with pytest.raises(ConfigError, match=name.rpartition("/")[0] or name):
        export([readable_of("r1")], str(tmp_path / name))


@pytest.mark.parametrize(
    "target", ["x.xlsx", "x", "mysql://me:secret@there/db", "postgres://me:secret@there/db"]
)
def test_a_format_that_nobody_writes_is_refused_without_a_password(target):
    with pytest.raises(ConfigError, match="Nothing writes") as caught:
        writer_of(target)
    assert "secret" not in caught.value.in_full()
    assert all(kind in str(caught.value.hint) for kind in WRITERS)


@pytest.mark.parametrize(
    ("target", "package"),
    [
        ("x.parquet", "pyarrow"),
        ("sqlite:///x.db", "sqlalchemy"),
        ("postgresql://me:secret@there/db", "sqlalchemy"),
        ("postgresql+psycopg://me:secret@there/db", "psycopg"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_command(monkeypatch, target, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"needs the package '{package}'") as caught:
        writer_of(target)
    assert caught.value.hint == "pip install 'edgebench[export]'"
    assert "secret" not in str(caught.value)


@pytest.fixture
def folders(tmp_path, document_of, spec_of, recorded_of):
    """Four runs on disk, as a user has them."""
    made = []
    for number in range(4):
        specs = (spec_of("float"), spec_of(f"int8-{number}"))
        folder = create_run(tmp_path / "results", document_of(cells=specs))
        for spec in specs:
            write_recorded(folder, recorded_of(spec, [1.0 + number, 1.1 + number]))
        made.append(folder)
    return made


@pytest.mark.parametrize("target", ["x.csv", "x.parquet", "sqlite:///x.db"])
def test_exports_at_the_same_time_lose_nothing(tmp_path, folders, target):
    command = [sys.executable, "-m", "edgebench", "results", "export"]
    running = [
        subprocess.Popen([*command, folder, "--to", target], cwd=tmp_path) for folder in folders
    ]
    assert [process.wait() for process in running] == [0] * len(folders)
    if target in FORMATS:
        cells, samples = read(tmp_path / target, target)
    else:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        cells = pd.read_sql_table("edgebench_cells", url)
        samples = pd.read_sql_table("edgebench_samples", url)
    assert sorted(cells["run"]) == sorted(2 * [folder.name for folder in folders])
    assert len(samples) == 4 * 2 * 2 * 100


def test_two_runs_of_one_name_are_refused_and_one_named_twice_is_one(tmp_path, folders):
    twin = tmp_path / "elsewhere" / folders[0].name
    twin.parent.mkdir()
    twin.symlink_to(folders[0])
    target = tmp_path / "x.csv"
    export_runs([folders[0], twin], str(target))
    assert len(read(target)[0]) == 2
    before = target.read_bytes()
    twin.unlink()
    twin.mkdir()
    (twin / "run.json").write_bytes((folders[0] / "run.json").read_bytes())
    with pytest.raises(ConfigError, match="the same name"):
        export_runs([folders[0], twin], str(target))
    assert target.read_bytes() == before


def test_what_a_run_is_and_where_it_ran_stands_in_every_row(readable_of):
    rows = json.loads(Tables([readable_of("r1")]).cells.to_json(orient="records"))
    for row in rows:
        told = [row[name] for name in ("run", "model", "preset", "device_profile", "host_python")]
        assert told == ["r1", "models/net.tflite", "quick", "linux-board", "3.11.2"]
        assert row["device_cpu_count"] == 4
    assert (
        rows[0]["latency_p50_low_ms"] < rows[0]["latency_p50_ms"] < rows[0]["latency_p50_high_ms"]
    )
    assert [row["latency_verdict"] for row in rows] == [None, "equivalent", None]


def test_every_limit_and_the_advice_stand_in_their_row(readable_of):
    run = readable_of("r1", ("float", "int8"))
    targets = [Target(latency_p50_ms=0.5), Target(variant="int8", latency_p50_ms=2.0)]
    checked = check_targets(targets, run.cells)
    advice = (Advice(device="board", cell=run.cells[1], why="small"),)
    rows = Tables([replace(run, checked=checked, advice=advice)]).cells
    assert rows["targets"].tolist() == [
        "latency_p50_ms<=0.5:FAIL",
        "latency_p50_ms<=0.5:FAIL latency_p50_ms<=2:PASS",
        "latency_p50_ms<=0.5:NOT_MEASURED",
    ]
    assert rows["is_advised"].tolist() == [False, True, False]
    assert Tables([run]).cells["is_advised"].isna().all()


def test_the_table_of_a_run_is_of_that_run_alone(folders):
    (folders[0] / "table.csv").write_text("run,latency_ms_p50\nof an older version,1.0\n")
    write_tables(outcome_of(folders[0]))
    renamed = folders[0].rename(folders[0].with_name("renamed"))
    write_tables(outcome_of(renamed))
    cells = read_table(renamed / "table.csv", CELLS, CSV)
    assert cells["run"].tolist() == ["renamed", "renamed"]


@pytest.mark.parametrize("columns", [CELLS, SAMPLES], ids=["cells", "samples"])
def test_the_columns_stand_in_the_readme_as_the_code_has_them(columns):
    assert column_rows(columns) in README.read_text()
    assert len({column.name for column in columns}) == len(columns)
