"""Runs in SQLite and in a real PostgreSQL come back as they were, whoever wrote there before."""

import itertools
import resource
import subprocess
import sys
import threading

import pandas as pd
import pytest
import sqlalchemy as sa
from pandas.testing import assert_frame_equal

from edgebench.errors import ConfigError
from edgebench.results.columns import CELLS, SAMPLES, Kind
from edgebench.results.export import export
from edgebench.results.frames import Tables, typed
from edgebench.results.store import create_run, write_recorded
from edgebench.results.writers.sql import CELLS_TABLE, SAMPLES_TABLE
from tests.postgres import PASSWORD
from tests.results.test_export import NAMES

_NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'x.db'}"
    return request.getfixturevalue("postgresql").create(f"export {next(_NUMBERS)}")


@pytest.fixture
def engine_of():
    """Another program's way into the database."""
    engines = []

    def make(target):
        url = sa.make_url(target)
        driver = {"postgresql": "postgresql+psycopg"}.get(url.drivername, url.drivername)
        engines.append(sa.create_engine(url.set(drivername=driver)))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def rows_of(engine_of):
    """Both tables, each row in the order of its key."""

    def read(target):
        with engine_of(target).connect() as connection:
            return tuple(
                ordered(typed(pd.read_sql_table(name, connection), columns), columns)
                for name, columns in ((CELLS_TABLE, CELLS), (SAMPLES_TABLE, SAMPLES))
            )

    return read


def ordered(table, columns):
    return table.sort_values([c.name for c in columns if c.is_key], ignore_index=True)


def assert_holds(rows, runs):
    tables = Tables(runs)
    assert_frame_equal(rows[0], ordered(tables.cells, CELLS))
    assert_frame_equal(rows[1], ordered(tables.samples, SAMPLES))


def test_every_cell_and_sample_comes_back_whatever_it_is_called(target, readable_of, rows_of):
    run = readable_of("r1", NAMES)
    export([run], target)
    assert_holds(rows_of(target), [run])


def test_two_runs_stand_side_by_side_and_the_same_run_twice_is_once(target, readable_of, rows_of):
    first, second = readable_of("r1", NAMES), readable_of("r2")
    export([first], target)
    export([second], target)
    export([first], target)
    assert_holds(rows_of(target), [first, second])


def test_a_run_that_has_shrunk_leaves_nothing_of_what_it_was(target, readable_of, rows_of):
    other = readable_of("r0")
    export([other, readable_of("r1", NAMES, (1.0, 1.1, 1.2))], target)
    short = readable_of("r1", ("float",))
    export([short], target)
    assert_holds(rows_of(target), [other, short])


def test_no_key_can_stand_there_twice_and_numbers_are_numbers(target, readable_of, engine_of):
    export([readable_of("r1")], target)
    inspected = sa.inspect(engine_of(target))
    for name, columns in ((CELLS_TABLE, CELLS), (SAMPLES_TABLE, SAMPLES)):
        assert inspected.get_pk_constraint(name)["constrained_columns"] == [
            column.name for column in columns if column.is_key
        ]
        kinds = {c["name"]: c["type"].python_type for c in inspected.get_columns(name)}
        python = {Kind.TEXT: str, Kind.INTEGER: int, Kind.REAL: float, Kind.BOOLEAN: bool}
        assert kinds == {column.name: python[column.kind] for column in columns}


def test_tables_of_an_older_version_are_widened(target, readable_of, engine_of, rows_of):
    old, new = readable_of("r1"), readable_of("r2")
    export([old], target)
    with engine_of(target).begin() as connection:
        for name in ("latency_p99_ms", "is_finished", "seed", "error"):
            connection.execute(sa.text(f"ALTER TABLE {CELLS_TABLE} DROP COLUMN {name}"))
    export([new], target)
    cells, _ = rows_of(target)
    assert cells.loc[cells["run"] == "r1", ["is_finished", "seed"]].isna().all(axis=None)
    export([old], target)
    assert_holds(rows_of(target), [old, new])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"ALTER TABLE {CELLS_TABLE} ADD COLUMN latency_ms_p50 REAL", "holds 'latency_ms_p50'"),
        (f"ALTER TABLE {SAMPLES_TABLE} ADD COLUMN power_w REAL", "holds 'power_w'"),
        (f"ALTER TABLE {SAMPLES_TABLE} RENAME COLUMN block TO process", "holds 'process'"),
    ],
)
def test_tables_of_another_version_are_left_alone(
    target, readable_of, engine_of, rows_of, words, told
):
    run = readable_of("r1")
    export([run], target)
    with engine_of(target).begin() as connection:
        connection.execute(sa.text(words))
        before = connection.execute(
            sa.select(sa.text("*")).select_from(sa.table(CELLS_TABLE))
        ).all()
    with pytest.raises(ConfigError, match=f"{told}.*another version") as caught:
        export([readable_of("r2")], target)
    assert PASSWORD not in caught.value.in_full()
    with engine_of(target).connect() as connection:
        after = connection.execute(sa.select(sa.text("*")).select_from(sa.table(CELLS_TABLE))).all()
    assert after == before


def test_tables_of_other_programs_are_not_touched(target, readable_of, engine_of):
    with engine_of(target).begin() as connection:
        connection.execute(sa.text("CREATE TABLE cells (run TEXT)"))
        connection.execute(sa.text("INSERT INTO cells VALUES ('mine')"))
    export([readable_of("r1")], target)
    with engine_of(target).connect() as connection:
        assert connection.execute(sa.text("SELECT run FROM cells")).all() == [("mine",)]
    names = set(sa.inspect(engine_of(target)).get_table_names())
    assert names == {"cells", CELLS_TABLE, SAMPLES_TABLE}


def test_what_fails_on_the_way_changes_nothing(target, readable_of, engine_of, rows_of):
    before = readable_of("r1")
    export([before], target)
    with engine_of(target).begin() as connection:
        # The cells of r2 are in by the time that its samples are refused.
        connection.execute(sa.text(f"ALTER TABLE {SAMPLES_TABLE} RENAME TO kept"))
        connection.execute(
            sa.text(
                f"CREATE TABLE {SAMPLES_TABLE} (run TEXT, cell TEXT, block BIGINT, "
                "invocation BIGINT CHECK (invocation < 50), latency_ns BIGINT)"
            )
        )
    with pytest.raises(ConfigError, match=r"does not take the runs.*(?i:check)") as caught:
        export([readable_of("r1", ("float",)), readable_of("r2")], target)
    assert PASSWORD not in caught.value.in_full()
    with engine_of(target).begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {SAMPLES_TABLE}"))
        connection.execute(sa.text(f"ALTER TABLE kept RENAME TO {SAMPLES_TABLE}"))
    assert_holds(rows_of(target), [before])


def test_exports_that_make_the_tables_at_the_same_time_all_succeed(target, readable_of, rows_of):
    runs = [readable_of(f"r{number}") for number in range(6)]
    threads = [threading.Thread(target=export, args=([run], target)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_holds(rows_of(target), runs)


def test_a_full_disk_leaves_a_sqlite_file_as_it_was(tmp_path, readable_of, rows_of):
    target = f"sqlite:///{tmp_path / 'x.db'}"
    run = readable_of("r1")
    export([run], target)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "x.db").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, limits[1]))
    try:
        with pytest.raises(ConfigError, match="does not take the runs"):
            export([readable_of("r2", NAMES)], target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_holds(rows_of(target), [run])


@pytest.mark.parametrize("target", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_keeps_nothing_is_refused(readable_of, target):
    with pytest.raises(ConfigError, match="keeps nothing"):
        export([readable_of("r1")], target)


def test_a_file_that_is_no_database_is_left_alone(tmp_path, readable_of):
    (tmp_path / "x.db").write_text("a letter\n" * 100)
    with pytest.raises(ConfigError, match=r"x\.db.*not a database"):
        export([readable_of("r1")], f"sqlite:///{tmp_path / 'x.db'}")
    assert (tmp_path / "x.db").read_text() == "a letter\n" * 100


def test_a_password_is_shown_nowhere(tmp_path, postgresql, document_of, spec_of, recorded_of):
    spec = spec_of("float")
    folder = create_run(tmp_path, document_of(cells=(spec,)))
    write_recorded(folder, recorded_of(spec, [1.0, 1.1]))
    command = [sys.executable, "-m", "edgebench", "results", "export", str(folder), "--to"]
    target = postgresql.create("secrets")
    outcomes = {}
    for url in (target, postgresql.url("secrets", password="wrong one"), postgresql.url("absent")):
        done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
        outcomes[done.returncode, done.stdout + done.stderr] = url
    said = "".join(text for _, text in outcomes)
    assert [code for code, _ in outcomes] == [0, 2, 2]
    assert "password authentication failed" in said
    assert '"absent" does not exist' in said
    assert said.count("***") == 3
    for secret in (PASSWORD, target.split(":")[2].split("@")[0], "wrong one", "wrong%20one"):
        assert secret not in said


def test_a_server_that_is_not_there_is_said(readable_of):
    with pytest.raises(ConfigError, match=r"does not take the runs.*port 1") as caught:
        export([readable_of("r1")], "postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in caught.value.in_full()


@pytest.mark.parametrize("address", ["there:port/db", "[there/db", "there/db?sslmode=never"])
def test_an_address_that_is_none_is_refused_without_its_password(readable_of, address):
    with pytest.raises(ConfigError, match=r"cannot be read|does not take") as caught:
        export([readable_of("r1")], f"postgresql://me:secret@{address}")
    assert "secret" not in caught.value.in_full()


def test_a_database_that_cannot_hold_a_name_takes_nothing(postgresql, readable_of, engine_of):
    target = postgresql.create("latin", encoding="LATIN1")
    with pytest.raises(ConfigError, match="does not take the runs"):
        export([readable_of("r1", NAMES)], target)
    assert sa.inspect(engine_of(target)).get_table_names() == []
