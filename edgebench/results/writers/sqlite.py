"""`sqlite:///x.db`: a file that many programs read, written by one export at a time."""

from typing import TYPE_CHECKING, Any, Final

from edgebench.errors import ConfigError
from edgebench.results.frames import Tables
from edgebench.results.writers.sql import Database, write_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

# How long an export waits for another one, or for another program, to let go of the file.
LOCKED_S: Final = 120.0


def write(tables: Tables, target: str) -> list[str]:
    """Put the runs into the tables of a file."""
    return write_tables(tables, target, SQLITE)


def _connect(url: "sa.URL") -> "sa.Engine":
    import sqlalchemy as sa

    if url.database in {None, "", ":memory:"}:
        msg = "'sqlite://' without a file keeps nothing."
        raise ConfigError(msg, hint="Write sqlite:///x.db, or sqlite:////folder/x.db.")
    # None leaves BEGIN to us: the driver's own would come too late to keep a reader of the same
    # rows out, and not at all before a CREATE TABLE.
    options = {"timeout": LOCKED_S, "isolation_level": None}
    engine = sa.create_engine(url.set(drivername="sqlite+pysqlite"), connect_args=options)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    connection.exec_driver_sql("BEGIN IMMEDIATE")


SQLITE: Final = Database(connect=_connect, lock=lambda _: None)
