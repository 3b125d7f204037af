"""`postgresql://user@host/name`: libpq's variables and `~/.pgpass` are heeded."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from edgebench.results.frames import Tables
from edgebench.results.writers.sql import Database, write_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

# Any number will do, as long as every export takes the same: two of them would make one table.
LOCK: Final = 0x65646765
CONNECT_S: Final = 15


def write(tables: Tables, target: str) -> list[str]:
    """Put the runs into the tables of a database."""
    return write_tables(tables, target, POSTGRESQL)


def _connect(url: "sa.URL") -> "sa.Engine":
    import sqlalchemy as sa

    url = url.set(drivername="postgresql+psycopg")
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_S)})
    # Where the database has another encoding, it and not the driver says what does not fit.
    return sa.create_engine(url, connect_args={"client_encoding": "utf8"})


def _lock(connection: "sa.Connection") -> object:
    import sqlalchemy as sa

    return connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _copy(table: Any, connection: Any, keys: Sequence[str], rows: Iterable[Any]) -> None:  # noqa: ANN401 - pandas'
    """Rows by COPY, which a million samples are no burden for."""
    import psycopg
    import sqlalchemy as sa
    from psycopg import sql

    words = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, keys))
    )
    try:
        with connection.connection.cursor() as cursor, cursor.copy(words) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # As everything else that is said to this connection would have raised it.
        statement = "COPY"
        raise sa.exc.DBAPIError(statement, None, error) from error


POSTGRESQL: Final = Database(connect=_connect, lock=_lock, method=_copy)
