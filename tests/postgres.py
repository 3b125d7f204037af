"""A real PostgreSQL: its own folder, port and user; nothing of the system is changed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.programs import UnavailableError

USER = "eb tester"
PASSWORD = "swordfish @ / : % chips"
STARTS_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running server, and how to reach one of its databases."""

    port: int

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        """As a user would write it."""
        login = f"{quote(USER)}:{quote(password, safe='')}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, *, encoding: str = "UTF8") -> str:
        """Make an empty database, and return its address."""
        import psycopg
        from psycopg import sql

        words = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0")
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(words.format(sql.Identifier(database), sql.Literal(encoding)))
        return self.url(database)


@contextlib.contextmanager
def started() -> Iterator[Postgres]:
    """Start a server; ends with the block, by its process id.

    Raises:
        UnavailableError: It is not installed, or does not start.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        msg = "postgresql is not installed"
        raise UnavailableError(msg)
    binaries = programs[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="eb-postgres-"))
    # The server refuses to be root's; the package has made a user for it.
    user = "postgres" if os.geteuid() == 0 else None
    try:
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user, user)
        _make(binaries, folder, user)
        yield from _served(binaries, folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(binaries: Path, folder: Path, user: str | None) -> None:
    words: list[str | Path] = [
        binaries / "initdb",
        "-D",
        folder / "data",
        "-U",
        USER,
        "-E",
        "UTF8",
        "--locale=C",
    ]
    words += ["-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
    done = subprocess.run(
        words, user=user, group=user, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = f"initdb: {done.stderr.strip()}"
        raise UnavailableError(msg)


def _served(binaries: Path, folder: Path, user: str | None) -> Iterator[Postgres]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    words: list[str | Path] = [
        binaries / "postgres",
        "-D",
        folder / "data",
        "-p",
        str(port),
        "-k",
        folder,
    ]
    words += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            words, user=user, group=user, cwd=folder, stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait(process, folder / "data" / "postmaster.pid", folder / "log")
            yield Postgres(port=port)
        finally:
            # SIGINT is the fast shutdown: clients are not waited for.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STARTS_S)
            process.kill()


def _wait(process: "subprocess.Popen[bytes]", told: Path, log: Path) -> None:
    """Until the server says `ready` in the last line of its pid file."""
    deadline = time.monotonic() + STARTS_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if told.read_text().split()[-1:] == ["ready"]:
                return
        time.sleep(0.05)
    msg = f"postgres: {log.read_text(errors='replace')[-500:]}"
    raise UnavailableError(msg)
