"""A real sshd as a device: its own keys, port, home and user; nothing of the system is changed.

As root the server runs as a user of its own, who exists in a private mount namespace only. As
anybody else it runs as that user, who then is the one that may log in.
"""

import contextlib
import getpass
import itertools
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from tests.link import Link, relay, tunnel
from tests.programs import UnavailableError

SSHD = "/usr/sbin/sshd"
USER = "eb-board"
PASSWORD = "swordfish & <chips>"


_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a simulated device has of its own.

    Attributes:
        mounts: By path of the device, the folder that is seen there.
        path: Programs that it has before all others.
        etc: Files that its /etc has beside this machine's.
        host: What it calls itself.
        disk_mb: Size of the disk that its home lies on; None for this machine's own.
    """

    mounts: Mapping[str, Path]
    path: Path
    etc: Path | None = None
    host: str = "eb-board-host"
    disk_mb: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sshd:
    """A running server.

    Attributes:
        address: For `connect`; $EDGEBENCH_SSH_CONFIG must point to `config`.
        home: The login user's home.
        locks: Where it keeps its locks, for every user: those of this machine are not in its way.
        key: The client's private key.
        uid: Of the login user; None where that is who runs the tests.
        link: The way to it, where it is one of its own.
    """

    address: str
    server: str
    port: int
    user: str
    home: Path
    locks: Path
    key: Path
    known_hosts: Path
    host_key: Path
    config: Path
    pid: int
    uid: int | None
    link: Link | None

    def seen(self, path: PurePath) -> Path:
        """A path of the device, as whoever starts it may open it."""
        return Path(f"/proc/{self.pid}/root{path}")

    def sessions(self) -> list[int]:
        """Process ids of the server's side of each connection."""
        found = [pid for pid, (parent, name) in _processes().items() if name.startswith("sshd")]
        ours = {self.pid}
        for _ in range(3):
            ours |= {pid for pid in found if _processes().get(pid, (0, ""))[0] in ours}
        return sorted(ours - {self.pid})

    def cut(self) -> None:
        """Break every connection, as a router that dies does; what runs behind them goes on."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def sftp(self, batch: str) -> list[str]:
        """Command line of OpenSSH's own sftp to this server, reading commands from a file."""
        return ["sftp", "-q", "-F", str(self.config), "-b", batch, "-P", str(self.port), self.host]

    @property
    def host(self) -> str:
        """As OpenSSH's programs want it."""
        return f"{self.user}@{self.server}"


@contextlib.contextmanager
def started(
    *,
    shell: str = "/bin/bash",
    settings: str = "",
    is_root: bool = False,
    board: Board | None = None,
    far: Literal["tunnel", "relay"] | None = None,
) -> Iterator[Sshd]:
    """Start a server, and end it with all that its user left running.

    Args:
        shell: The login shell, where the user is one of our own.
        settings: Lines for sshd_config.
        is_root: Whether the server itself runs as root, which password logins need.
        board: What the device has in the place of this machine's own; for root only.
        far: The way to it: a network of its own behind a link, for root only; a port of the
            loopback that leads to the server's; None for the server's port itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="eb-sshd-"))
    folder.chmod(0o755)
    has_own_user = os.geteuid() == 0
    # Each server has a user of its own, whose processes are all ended with it.
    uid = 200_000 + os.getpid() % 10_000 * 100 + next(_NUMBERS) if has_own_user else None
    process: subprocess.Popen[bytes] | None = None
    try:
        address = "0.0.0.0" if far == "tunnel" else "127.0.0.1"
        port = _prepare(folder, settings, address, uid=uid, path=board.path if board else None)
        spaces = ["--mount", *(["--uts"] if board else []), *(["--net"] if far == "tunnel" else [])]
        argv = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
        if uid is not None:
            argv = _as_own_user(folder, argv, uid, shell, is_root=is_root, board=board)
            argv = ["unshare", *spaces, *argv]
        with (folder / "sshd.log").open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with _reached(far, process.pid, port) as link:
            server = _describe(folder, process.pid, uid, link or port)
            _trust(server)
            wait_for(server.port, process, folder / "sshd.log", host=server.server)
            yield server
    finally:
        if process is not None:
            process.terminate()
            process.wait(10)
        end_all_of(uid)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _reached(far: str | None, pid: int, port: int) -> Iterator[Link | None]:
    if far == "tunnel" and os.geteuid() != 0:
        raise UnavailableError("a link of packets takes root")
    if far == "tunnel":
        with tunnel(pid, port) as link:
            yield link
    elif far == "relay":
        with relay(port) as link:
            yield link
    else:
        yield None


def _describe(folder: Path, pid: int, uid: int | None, way: Link | int) -> Sshd:
    user = USER if uid is not None else getpass.getuser()
    host, port = ("127.0.0.1", way) if isinstance(way, int) else (way.host, way.port)
    return Sshd(
        address=f"ssh://{user}@{host}:{port}",
        server=host,
        port=port,
        user=user,
        home=folder / "home",
        locks=folder / "locks",
        key=folder / "id_ed25519",
        known_hosts=folder / "known_hosts",
        host_key=folder / "host_ed25519.pub",
        config=folder / "config",
        pid=pid,
        uid=uid,
        link=None if isinstance(way, int) else way,
    )


def _trust(server: Sshd) -> None:
    """Have its clients know its keys."""
    keys = [path.read_text().split()[:2] for path in server.host_key.parent.glob("host_*.pub")]
    lines = [f"[{server.server}]:{server.port} {' '.join(key)}\n" for key in keys]
    server.known_hosts.write_text("".join(lines))


def _prepare(
    folder: Path, settings: str, address: str, *, uid: int | None, path: Path | None
) -> int:
    """Write keys and configurations; the port that was free."""
    port = free_port()
    home = folder / "home"
    home.mkdir()
    (folder / "locks").mkdir()
    (folder / "locks").chmod(0o1777)
    # bash reads this also for commands that come over ssh; many a board greets like that.
    (home / ".bashrc").write_text("echo Welcome to the board; echo and good luck >&2\n")
    for name in ("host_ed25519", "host_ecdsa", "id_ed25519"):
        kind = name.partition("_")[2]
        keygen = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(folder / name)]
        subprocess.run(keygen, check=True)
    shutil.copy(folder / "id_ed25519.pub", folder / "authorized_keys")
    (folder / "config").write_text(
        f"Host *\n  IdentityFile {folder}/id_ed25519\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n"
    )
    more = f" PATH={path}:/usr/local/bin:/usr/bin:/bin" if path else ""
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {address}\nPidFile {folder}/sshd.pid\n"
        f"HostKey {folder}/host_ed25519\nHostKey {folder}/host_ecdsa\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"SetEnv HOME={home} EDGEBENCH_LOCKS={folder}/locks{more}\n"
        "Subsystem sftp internal-sftp\nUseDNS no\n"
        f"{settings or 'PasswordAuthentication no'}\nKbdInteractiveAuthentication no\n"
    )
    if uid is not None:
        for path in (home, *folder.glob("host_*")):
            os.chown(path, uid, uid)
    return port


def _as_own_user(
    folder: Path,
    argv: list[str],
    uid: int,
    shell: str,
    *,
    is_root: bool,
    board: Board | None,
) -> list[str]:
    """A command line that starts the server where its user exists, and nowhere else."""
    passwd = f"{USER}:x:{uid}:{uid}::{folder}/home:{shell}\n"
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + passwd)
    setup = _as_board(board) if board else []
    setup += [f"mount --bind {folder}/passwd /etc/passwd"]
    if board is not None and board.disk_mb is not None:
        options = f"size={board.disk_mb}m,mode=0755,uid={uid},gid={uid}"
        setup.append(f"mount -t tmpfs -o {options} tmpfs {folder}/home")
    if is_root:
        words = ["openssl", "passwd", "-6", "-stdin"]
        hashed = subprocess.run(words, input=PASSWORD, capture_output=True, text=True, check=True)
        (folder / "shadow").write_text(f"{USER}:{hashed.stdout.strip()}:19000:0:99999:7:::\n")
        (folder / "shadow").chmod(0o600)
        setup += [f"mount --bind {folder}/shadow /etc/shadow", "mkdir -p /run/sshd"]
        for path in folder.glob("host_*"):
            os.chown(path, 0, 0)
    else:
        argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv]
    script = " && ".join([*setup, f"exec {shlex.join(argv)}"])
    return ["sh", "-c", script]


def _as_board(board: Board) -> list[str]:
    """What makes this machine look like another to whoever logs in."""
    setup = [f"echo {board.host} > /proc/sys/kernel/hostname"]
    if board.etc is not None:
        setup.append(f"mount -t overlay overlay -o lowerdir={board.etc}:/etc /etc")
    return setup + [f"mount --bind {path} {target}" for target, path in board.mounts.items()]


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    port: int, process: subprocess.Popen[bytes], log: Path, *, host: str = "127.0.0.1"
) -> None:
    """Wait until a server listens."""
    for _ in range(100):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.05)
    raise UnavailableError(f"{process.args!r} does not start: {log.read_text()[-500:]}")


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and name of every process by its id."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
                found[int(entry.name)] = (int(rest.split()[1]), name)
    return found


def end_all_of(uid: int | None) -> None:
    """End what our own user left; a uid that nobody else has."""
    if uid is None:
        return
    for pid in _processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid == uid:
                os.kill(pid, signal.SIGKILL)
