"""A phone behind adb: an adbd of the tests' own whose files and programs are this machine's.

It runs as a user of its own, below a root of its own: /data and /sdcard are the phone's, all else
is seen as it is here; or, of a bare one, there is nothing else but a shell and small programs in
/system/bin. The real adb client reaches it over TCP, by a server of the test's own.
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
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.sshd import UnavailableError, end_all_of, free_port, wait_for

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
        home: Where it keeps its keys, as would one that a client starts in its place.
        variables: By which a client finds it.
    """

    port: int
    home: Path
    variables: Mapping[str, str]

    def adb(self, *words: str) -> str:
        """What the real client prints."""
        done = subprocess.run(
            ["adb", *words],
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
def switched_on(programs: Path | None = None, *, is_bare: bool = False) -> Iterator[Phone]:
    """Start a phone, and end it with all that runs on it.

    Args:
        programs: Those that it has before all others.
        is_bare: It has a shell and its tools, and no C library and no Python.
    """
    if os.geteuid() != 0:
        raise UnavailableError("a phone's root takes root")
    folder = Path(tempfile.mkdtemp(prefix="eb-phone-"))
    folder.chmod(0o755)
    uid = 2_000_000 + os.getpid() % 10_000 * 100 + next(_NUMBERS)
    process: subprocess.Popen[bytes] | None = None
    try:
        shutil.copytree(Path(__file__).parent / "adbd", folder / "lib" / "tests" / "adbd")
        port = free_port()
        (folder / "switches").mkdir()
        made = Phone(port=port, pid=0, uid=uid, faults=folder / "switches" / "faults")
        made.is_now()
        if is_bare:
            script = _booting_bare(folder, port, uid)
        else:
            script = _booting(folder, port, uid, programs)
        with (folder / "adbd.log").open("wb") as log:
            argv = ["unshare", "--mount", "sh", "-c", script]
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(port, process, folder / "adbd.log")
        yield Phone(port=port, pid=process.pid, uid=uid, faults=made.faults)
    finally:
        if process is not None:
            process.kill()
            process.wait(10)
        end_all_of(uid)
        shutil.rmtree(folder, ignore_errors=True)


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


def _booting_bare(folder: Path, port: int, uid: int) -> str:
    """Likewise of a root without a C library, a Python or anything else of this machine's.

    Its adbd is loaded before the root becomes its own.
    """
    root = folder / "root"
    for name in ("proc", "sys", "dev", "switches", "system/bin"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("mksh-static") or "", root / "system" / "bin" / "sh")
    busybox = root / "system" / "bin" / "busybox"
    shutil.copy(shutil.which("busybox") or "", busybox)
    for name in subprocess.check_output([busybox, "--list"], text=True).split():
        if name not in {"sh", "busybox"}:
            (root / "system" / "bin" / name).symlink_to("busybox")
    setup = [f"mount --rbind /{name} {root}/{name}" for name in ("proc", "sys", "dev")]
    setup += [f"mount --bind {folder}/switches {root}/switches", *_own(root, uid)]
    variables = f"env -i PATH=/system/bin HOME=/ PYTHONPATH={folder}/lib"
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
def adb_server() -> Iterator[AdbServer]:
    """Start a server of adb, and end it, or whoever has taken its place."""
    home = Path(tempfile.mkdtemp(prefix="eb-adb-"))
    port = free_port()
    variables = {
        "ANDROID_ADB_SERVER_PORT": str(port),
        "ADB_VENDOR_KEYS": "",
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",  # it looks for no emulator by itself
    }
    server = AdbServer(port=port, home=home, variables=variables)
    try:
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                ["adb", "-P", str(port), "nodaemon", "server"],
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
