"""What every room's tests may use: real devices, and the rule on missing tools."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from tests import fleet, guest, postgres
from tests.phone import PYTHON, Phone, adb_server, switched_on
from tests.programs import UnavailableError
from tests.sshd import Sshd, started

Made = TypeVar("Made")


def need(tool: str, *, package: str | None = None) -> str:
    """Where a program is; without it the test is skipped, or fails where everything is required."""
    found = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return found or miss(
        f"{tool} is not installed" + (f": apt-get install {package}" if package else "")
    )


def miss(reason: str) -> NoReturn:
    """Skip a test for what this machine lacks, or fail it where EDGEBENCH_REQUIRE_ALL=1."""
    if os.environ.get("EDGEBENCH_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def opened(made: AbstractContextManager[Made]) -> Iterator[Made]:
    """What is made for a test; the test is skipped, or fails, where this machine lets it not be."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(made)
        except UnavailableError as error:
            miss(str(error))
        yield found


@pytest.fixture(scope="session", autouse=True)
def locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where this machine keeps its locks for this session: another one may measure beside it."""
    folder = tmp_path_factory.mktemp("locks")
    folder.chmod(0o1777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBENCH_LOCKS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """A device behind SSH, of an unprivileged user; $EDGEBENCH_SSH_CONFIG leads to it."""
    need("sshd")
    with opened(started()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
        yield server


@pytest.fixture(scope="session")
def phone() -> Iterator[Phone]:
    """A device behind adb, which a server of adb of the session's own knows how to reach."""
    for program in ("adb", "unshare", "setpriv", PYTHON):
        need(program)
    with (
        opened(switched_on()) as made,
        opened(adb_server()) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.variables.items():
            patch.setenv(name, value)
        patch.delenv("ADB_SERVER_SOCKET", raising=False)
        yield made


@pytest.fixture(scope="session")
def android(phone: Phone, wheels: Path) -> Iterator[Phone]:
    """A second one behind the same server: Android's shell and tools for arm64, and no more."""
    del phone  # which knows whether there can be one
    for program in ("apt-get", "patchelf", *fleet.TOOLS):
        need(program)
    with opened(switched_on(android_from=wheels)) as made:
        yield made


@pytest.fixture(scope="session")
def arm64(wheels: Path) -> Iterator[fleet.Emulated]:
    """A Raspberry Pi 4 by emulation, with a link of its own."""
    with _emulated(fleet.ARM64, wheels) as board:
        yield board


@pytest.fixture(scope="session")
def armhf(wheels: Path) -> Iterator[fleet.Emulated]:
    """A Raspberry Pi 3 with a 32-bit system by emulation."""
    with _emulated(fleet.ARMHF, wheels) as board:
        yield board


@contextlib.contextmanager
def _emulated(kind: fleet.Kind, cache: Path) -> Iterator[fleet.Emulated]:
    for program in fleet.TOOLS:
        need(program)
    with opened(fleet.booted(kind, cache)) as board:
        yield board


@pytest.fixture(scope="session")
def virt(wheels: Path) -> Iterator[guest.Guest]:
    """A machine with a kernel of its own, two cores and 1 GiB."""
    with _switched_on(guest.VIRT, wheels) as machine:
        yield machine


@pytest.fixture(scope="session")
def pi3(wheels: Path) -> Iterator[guest.Guest]:
    """A Raspberry Pi 3 with its devices, and no clock that goes on while it is off."""
    with _switched_on(guest.PI3, wheels) as machine:
        yield machine


@contextlib.contextmanager
def _switched_on(kind: guest.Machine, cache: Path) -> Iterator[guest.Guest]:
    for program, package in guest.TOOLS.items():
        need(program, package=package)
    with opened(guest.switched_on(kind, cache)) as machine:
        yield machine


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Postgres]:
    """A PostgreSQL of the session's own."""
    with opened(postgres.started()) as server:
        yield server


def state_of(cell: dict[str, Any]) -> str:
    """`measured` for a cell with numbers, however noisy the machine was; else its status."""
    return "measured" if cell["status"] in {"ok", "suspect"} else str(cell["status"])


@pytest.fixture(scope="session")
def wheels() -> Path:
    """A cache for fetched wheels that outlives the session, as it does for a user."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path
