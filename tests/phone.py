"""A phone behind adb: an adbd of the tests' own whose files and programs are this machine's.

It runs as a user of its own, below a root of its own: /data and /sdcard are the phone's, all else
is seen as it is here; or there is nothing else but the system of an Android for arm64. The real
adb client reaches it over TCP, by a server of the test's own.
"""

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from tests import android, fleet
from tests.programs import UnavailableError
from tests.sshd import end_all_of, free_port, wait_for

PATH = "/usr/local/bin:/usr/bin:/bin"
PYTHON = "/usr/bin/python3"
DISK_MB = 400
_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Phone:
    """A running adbd.

    Attributes:
        uid: Of whom its shells run as.
        faults: What is wrong with it; `tests.adbd` says what there is.
    """

    port: int
    pid: int
    uid: int
    faults: Path

    @property
    def serial(self) -> str:
        """As `adb devices` lists it, once it is connected to."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """For `connect`."""
        return f"adb://{self.serial}"

    def seen(self, path: PurePath | str) -> Path:
        """A path of the phone, as whoever starts it may open it."""
        return Path(f"/proc/{self.pid}/root{path}")

    def is_now(self, **faults: Any) -> None:
        """Switch faults on, and all others off."""
        part = self.faults.with_suffix(".part")
        part.write_text(json.dumps(faults))
        part.replace(self.faults)

    def cut(self) -> None:
        """Drop every connection, as a cable that is pulled does; what runs behind them goes on."""
        os.kill(self.pid, signal.SIGUSR1)


@dataclass(frozen=True, kw_only=True)
class AdbServer:
    """A server of adb, with a port and a home of its own.

    Attributes:
        program: Which adb it is.
        home: Where it keeps its keys, as would one that a client starts in its place.
        variables: By which a client finds it.
    """

    program: Path
    port: int
    home: Path
    variables: Mapping[str, str]

    def adb(self, *words: str) -> str:
        """What the real client prints."""
        done = subprocess.run(
            [self.program, *words],
            env={**os.environ, **self.variables, "HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.stdout + done.stderr

    def plug(self, phone: Phone) -> str:
        """Attach a phone under a serial number, as a cable does; the serial.

        An emulator tells the server itself where it stands, and cannot be connected to.
        """
        serial = f"emulator-{phone.port - 1}"
        self._wait_until(lambda: serial not in self.adb("devices"))
        request = f"host:emulator:{phone.port}".encode()
        with socket.create_connection(("127.0.0.1", self.port), 5) as link:
            link.sendall(b"%04x%b" % (len(request), request))
            link.recv(100)
        self._wait_until(lambda: serial in self.adb("devices"))
        return serial

    @staticmethod
    def _wait_until(is_so: Callable[[], bool]) -> None:
        for _ in range(100):
            if is_so():
                return
            time.sleep(0.05)
        raise TimeoutError

    def kill(self) -> None:
        """End the server, and one that a client has started in its place."""
        mine = rb"(?:.*:)?%d" % self.port
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == "adb" and any(
                    re.fullmatch(mine, word) for word in words
                ):
                    os.kill(int(entry.name), signal.SIGKILL)


@contextlib.contextmanager
def switched_on(
    programs: Path | None = None, *, android_from: Path | None = None
) -> Iterator[Phone]:
    """Start a phone, and end it with all that runs on it.

    Args:
        programs: Those that it has before all others.
        android_from: A cache for packages, of which it gets a system of its own: arm64, with
            Android's shell and tools, no C library and no Python.
    """
    if os.geteuid() != 0:
        raise UnavailableError("a phone's root takes root")
    folder = Path(tempfile.mkdtemp(prefix="eb-phone-"))
    folder.chmod(0o755)
    uid = 2_000_000 + os.getpid() % 10_000 * 100 + next(_NUMBERS)
    try:
        shutil.copytree(Path(__file__).parent / "adbd", folder / "lib" / "tests" / "adbd")
        port = free_port()
        (folder / "switches").mkdir()
        made = Phone(port=port, pid=0, uid=uid, faults=folder / "switches" / "faults")
        made.is_now()
        with contextlib.ExitStack() as stack:
            if android_from is None:
                script = _booting(folder, port, uid, programs)
            else:
                stack.enter_context(fleet.registered(fleet.ARM64, android_from))
                script = _booting_android(folder, port, uid, android_from)
            yield replace(made, pid=stack.enter_context(_begun(script, folder, made)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _begun(script: str, folder: Path, made: Phone) -> Iterator[int]:
    """The process id of an adbd, which is ended with all that it started."""
    argv = ["unshare", "--mount", "sh", "-c", script]
    with (folder / "adbd.log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(made.port, process, folder / "adbd.log")
        yield process.pid
    finally:
        process.kill()
        process.wait(10)
        end_all_of(made.uid)


def _booting(folder: Path, port: int, uid: int, programs: Path | None) -> str:
    """A script that makes the phone's root where nobody else sees it, and starts its adbd there."""
    root = folder / "root"
    root.mkdir()
    setup = [f"mount --bind {root} {root}"]
    for entry in Path("/").iterdir():
        place = root / entry.name
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in {"data", "sdcard"}:
            place.mkdir()
            setup.append(f"mount --rbind {shlex.quote(str(entry))} {shlex.quote(str(place))}")
    setup += _own(root, uid)
    user = f"setpriv --reuid={uid} --regid={uid} --clear-groups"
    path = f"{programs}:{PATH}" if programs else PATH
    variables = f"env -i PATH={path} HOME=/ TMPDIR=/data/local/tmp EDGEBENCH_LOCKS=/data/local/tmp"
    adbd = f"PYTHONPATH={folder}/lib {PYTHON} -B -m tests.adbd {port} {folder}/switches/faults"
    setup.append(f"exec chroot {root} {user} {variables} {adbd}")
    return " && ".join(setup)


def _booting_android(folder: Path, port: int, uid: int, cache: Path) -> str:
    """Likewise of a root of Android's; its adbd is loaded before that becomes its own."""
    root = folder / "root"
    for name in ("proc", "sys", "dev", "switches"):
        (root / name).mkdir(parents=True)
    android.furnish(root, cache)
    setup = [f"mount --rbind /{name} {root}/{name}" for name in ("proc", "sys", "dev")]
    (folder / "cpuinfo").write_text(fleet.cpuinfo(fleet.ARM64))
    setup += [f"mount --bind {folder}/cpuinfo {root}/proc/cpuinfo"]
    setup += [f"mount --bind {folder}/switches {root}/switches", *_own(root, uid)]
    variables = f"env -i PATH=/system/bin HOME=/ QEMU_CPU={fleet.ARM64.cpu}"
    variables += f" PYTHONPATH={folder}/lib"
    variables += " EDGEBENCH_LOCKS=/data/local/tmp"
    setup.append(f"exec {variables} {PYTHON} -B -m tests.adbd {port} /switches/faults {root} {uid}")
    return " && ".join(setup)


def _own(root: Path, uid: int) -> list[str]:
    """What a phone has for itself: where its shell may write, and what it cannot run from."""
    setup: list[str] = []
    for name, options in (("data", f"size={DISK_MB}m"), ("sdcard", "size=16m,noexec")):
        (root / name).mkdir()
        owner = f"mode=0771,uid={uid},gid={uid}"
        setup.append(f"mount -t tmpfs -o {options},{owner} tmpfs {root}/{name}")
    setup.append(f"mkdir -p -m 0771 {root}/data/local/tmp")
    setup.append(f"chown -R {uid}:{uid} {root}/data/local")
    return setup


@contextlib.contextmanager
def adb_server(program: Path | None = None) -> Iterator[AdbServer]:
    """Start a server of adb, that in PATH or another, and end it, or whoever took its place."""
    program = program or Path(shutil.which("adb") or "adb")
    home = Path(tempfile.mkdtemp(prefix="eb-adb-"))
    port = free_port()
    variables = {
        "ANDROID_ADB_SERVER_PORT": str(port),
        "ADB_VENDOR_KEYS": "",
        "EDGEBENCH_ADB": str(program),
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",  # it looks for no emulator by itself
    }
    server = AdbServer(program=program, port=port, home=home, variables=variables)
    try:
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, "-P", str(port), "nodaemon", "server"],
                env={**os.environ, **variables, "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(port, process, home / "log")
        yield server
    finally:
        server.kill()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)
