"""Tables in a database: all runs in one transaction, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edgebench.errors import ConfigError, NotDone
from edgebench.results.columns import CELLS, SAMPLES, Column, Kind
from edgebench.results.frames import Tables
from edgebench.results.writers.merging import check_columns

if TYPE_CHECKING:
    import sqlalchemy as sa

CELLS_TABLE: Final = "edgebench_cells"
SAMPLES_TABLE: Final = "edgebench_samples"
ROWS_AT_ONCE: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What differs between databases.

    Attributes:
        connect: An engine for an address.
        lock: Keeps other exports out until the transaction ends.
        method: How pandas puts rows into a table; None is its own way.
    """

    connect: "Callable[[sa.URL], sa.Engine]"
    lock: "Callable[[sa.Connection], object]"
    method: Callable[..., int | None] | None = None


def write_tables(tables: Tables, target: str, database: Database) -> list[str]:
    """Put the runs into the two tables, in place of what these hold of them.

    Raises:
        ConfigError: The address is none, or a table is not one of this or an older edgebench.
        NotDone: The database cannot be reached, or refuses.
    """
    import sqlalchemy as sa

    try:
        url = sa.make_url(target)
    except (sa.exc.ArgumentError, ValueError) as error:
        msg = "The address of the database cannot be read."
        raise ConfigError(msg, hint="Write postgresql://user@host:5432/name.") from error
    shown = url.render_as_string(hide_password=True)
    parts = ((CELLS_TABLE, CELLS, tables.cells), (SAMPLES_TABLE, SAMPLES, tables.samples))
    with _told(shown), _disposed(database.connect(url)) as engine, engine.begin() as connection:
        database.lock(connection)
        for name, columns, frame in parts:
            table = _prepared(connection, name, columns, shown)
            connection.execute(table.delete().where(table.c.run.in_(tables.names)))
            types: dict[str, Any] = {column.name: column.type for column in table.c}
            frame.to_sql(
                name,
                connection,
                if_exists="append",
                index=False,
                chunksize=ROWS_AT_ONCE,
                dtype=types,
                method=database.method,
            )
    return [shown]


def table_of(name: str, columns: Sequence[Column]) -> "sa.Table":
    """A table with these columns, whose key no two rows share."""
    import sqlalchemy as sa

    kinds: dict[Kind, Any] = {
        Kind.TEXT: sa.Text(),
        Kind.INTEGER: sa.BigInteger(),
        Kind.REAL: sa.Double(),
        Kind.BOOLEAN: sa.Boolean(),
    }
    return sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(c.name, kinds[c.kind], primary_key=c.is_key) for c in columns),
    )


def _prepared(
    connection: "sa.Connection", name: str, columns: Sequence[Column], shown: str
) -> "sa.Table":
    """The table, made where it is not there, and widened where an older edgebench made it."""
    import sqlalchemy as sa

    table = table_of(name, columns)
    if not sa.inspect(connection).has_table(name):
        table.create(connection)
        return table
    found = [str(column["name"]) for column in sa.inspect(connection).get_columns(name)]
    check_columns(f"{shown} table {name}", found, columns)
    for column in table.c:
        if column.name not in found:
            words = sa.schema.CreateColumn(column).compile(connection)
            connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN {words}"))
    return table


@contextmanager
def _disposed(engine: "sa.Engine") -> "Iterator[sa.Engine]":
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """What the database says, in its own words and without a password."""
    import sqlalchemy as sa
    from pandas.errors import DatabaseError

    try:
        yield
    except (sa.exc.SQLAlchemyError, DatabaseError) as error:
        # pandas 3 puts an error of its own around that of SQLAlchemy, which has one around another.
        within = error.__cause__ if isinstance(error, DatabaseError) else error
        words = str(getattr(within, "orig", None) or error).strip().splitlines()
        msg = f"{shown!r} does not take the runs: {words[0] if words else type(error).__name__}"
        hint = "Nothing was changed there. Mend the database or its address, and export again."
        raise NotDone(msg, hint=hint) from error
