"""Devices to try things on: this machine in a folder of its own, a real sshd, a phone."""

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgebench.core import Device, Transport
from edgebench.device.connect import connect
from edgebench.device.local import LocalTransport
from edgebench.device.provision import Launch
from edgebench.device.transport import open_transport
from edgebench.runner import shipped
from tests.conftest import miss, need
from tests.fleet import Emulated
from tests.guest import Guest
from tests.phone import AdbServer, Phone, adb_server, switched_on
from tests.sshd import Sshd

SERVERS = {"ssh": "sshd", "adb": "phone"}
DEVICES = {"ssh": "board", "adb": "handset"}


@pytest.fixture(scope="session")
def board(sshd: Sshd) -> Iterator[Device]:
    """The sshd as a device."""
    device = connect(sshd.address)
    yield device
    device.transport.close()


@pytest.fixture
def here(tmp_path: Path) -> Device:
    """This machine, with a work folder whose name is an ugly one."""
    device = connect("local://")
    return replace(device, work_folder=PurePosixPath(tmp_path / 'it\'s a "work"\nfolder $HOME'))


@pytest.fixture(scope="session")
def handset(phone: Phone) -> Iterator[Device]:
    """The phone as a device."""
    device = connect(phone.address)
    yield device
    device.transport.close()


@pytest.fixture(params=["local", "ssh", "adb"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """Each transport that runs programs."""
    if request.param == "local":
        yield LocalTransport()
        return
    server: Sshd | Phone = request.getfixturevalue(SERVERS[request.param])
    made = open_transport(server.address)
    yield made
    made.close()


@pytest.fixture(params=["local", "ssh", "adb"])
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """Each kind of device, with a work folder of its own that is empty."""
    name = tmp_path_factory.mktemp("work").name
    if request.param == "local":
        here: Device = request.getfixturevalue("here")
        return here
    found: Device = request.getfixturevalue(DEVICES[request.param])
    return replace(found, work_folder=found.work_folder / f"{os.getpid()}-{name}-{id(request)}")


@pytest.fixture(scope="session")
def adbs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two generations of adb: 29 of Debian 12, and 36, which Google's platform tools have."""
    found = importlib.util.find_spec("adbutils")
    if found is None or found.origin is None:
        miss("adbutils, which carries an adb, is not installed")
    ours = tmp_path_factory.mktemp("adb") / "adb"
    shutil.copy(Path(found.origin).parent / "binaries" / "adb", ours)
    ours.chmod(0o755)
    return {"system": Path(need("adb")), "google": ours}


# For what a client of adb does in its own way.
EACH_ADB = pytest.mark.parametrize("server", ["system", "google"], indirect=True)


@pytest.fixture
def server(
    request: pytest.FixtureRequest,
    phone: Phone,
    adbs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AdbServer]:
    """A server of adb of the test's own, that knows no device yet."""
    del phone  # which knows whether there can be one
    with adb_server(adbs[getattr(request, "param", "system")]) as made:
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(made.home))
        for name in ("ANDROID_SERIAL", "ADB_SERVER_SOCKET"):
            monkeypatch.delenv(name, raising=False)
        yield made


@pytest.fixture
def spare(server: AdbServer) -> Iterator[Phone]:
    """A phone of the test's own, to be broken; its server does not know it yet."""
    del server
    with switched_on() as made:
        yield made


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Emulated | Guest], Device]]:
    """Connect to an emulated board or machine; the connection ends with the test."""
    with contextlib.ExitStack() as stack:

        def reach(board: Emulated | Guest) -> Device:
            monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(board.config))
            device = connect(board.address)
            stack.callback(device.transport.close)
            return device

        yield reach


def arrives_in(folder: Path) -> bool:
    """Whether something of a file has come there."""
    with contextlib.suppress(FileNotFoundError):
        return any(path.is_file() and path.stat().st_size for path in folder.rglob("*"))
    return False


@pytest.fixture
def launch_of() -> Iterator[Callable[[str], Launch]]:
    """A shell script in the runner's place, started by the real launcher."""
    made: list[Path] = []

    def make(script: str) -> Launch:
        folder = Path(tempfile.mkdtemp(prefix="eb-runner-"))
        folder.chmod(0o755)
        made.append(folder)
        (folder / "launch.sh").write_bytes((shipped("runners") / "launch.sh").read_bytes())
        (folder / "run.sh").write_text(f'cd "${{1%/*}}"\n{script}\n')
        argv = ("sh", str(folder / "run.sh"))
        return Launch(argv=argv, env={"EB_TEST": "a b"}, runtime="onnxruntime", how="a test")

    yield make
    for folder in made:
        shutil.rmtree(folder)
