"""Boards of another architecture, by emulation: their user space is real, and so is their sshd.

A root of Debian's packages, extracted and not configured, run by qemu-user in namespaces of its own
for processes, mounts, names and network, with a link of its own that can be cut, and files below
/sys as a Raspberry Pi has them. What is timed there says nothing of a real board.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from tests.link import Link, tunnel
from tests.programs import UnavailableError, run

TOOLS = ("mmdebstrap", "arch-test", "ip", "unshare", "ssh-keygen")
MIRROR = "deb http://deb.debian.org/debian bookworm main"
BASE = (
    *("base-files", "bash", "coreutils", "dash", "findutils", "grep", "gzip", "hostname"),
    *("libc-bin", "libstdc++6", "mawk", "openssh-server", "procps", "python3", "sed", "tar"),
    "util-linux",
)
BINFMT = Path("/proc/sys/fs/binfmt_misc")

# A job's environment is made anew, and this stands for what the board has of its own: its CPU.
ENV = """#!/bin/sh
[ "$1" = -i ] || exec /usr/bin/env "$@"
shift
exec /usr/bin/env -i QEMU_CPU={cpu} "$@"
"""
USERS = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:106:65534::/run/sshd:/bin/false\n"
    "pi:x:1000:1000::/home/pi:/bin/bash\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\ntty:x:5:\npi:x:1000:\n",
    "etc/shadow": "root:*:19000::::::\nsshd:*:19000::::::\npi:*:19000::::::\n",
}
SSHD_CONFIG = """
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
SetEnv {variables}PATH=/usr/local/bin:/usr/bin:/bin
"""
BOOT = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o lowerdir={root},upperdir={folder}/upper,workdir={folder}/work {folder}/m
cd {folder}/m
mount -t proc proc proc
mount --bind {folder}/cpuinfo proc/cpuinfo
mount -t tmpfs -o mode=0755 tmpfs dev
for name in null zero full random urandom tty; do
  : > dev/$name
  mount --bind /dev/$name dev/$name
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
echo raspberrypi > /proc/sys/kernel/hostname
until ip addr show eth0 2> {folder}/link | grep -q inet; do sleep 0.05; done
exec chroot . /usr/bin/env -i QEMU_CPU={cpu} PATH=/usr/bin:/bin /usr/sbin/sshd -D -e
"""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of board.

    Attributes:
        debian: Debian's name of the architecture; `qemu` is qemu's.
        cpu: By qemu's name. Its own default has what no such board has, and runtimes choose their
            kernels by that.
        model: As the device tree says it.
        packages: Beside the base.
        links: That a package's script would have made.
    """

    debian: str
    qemu: str
    cpu: str
    model: str
    part: str
    packages: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


ARM64 = Kind(
    debian="arm64",
    qemu="aarch64",
    cpu="cortex-a72",
    model="Raspberry Pi 4 Model B Rev 1.4",
    part="0xd08",
)
_ARMHF_LIB = "usr/lib/arm-linux-gnueabihf"
ARMHF = Kind(
    debian="armhf",
    qemu="arm",
    cpu="cortex-a15",
    model="Raspberry Pi 3 Model B Rev 1.2",
    part="0xd03",
    # No wheel of numpy is for this architecture.
    packages=("python3-numpy",),
    links=(
        (f"{_ARMHF_LIB}/libblas.so.3", "blas/libblas.so.3"),
        (f"{_ARMHF_LIB}/liblapack.so.3", "lapack/liblapack.so.3"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """A running board.

    Attributes:
        pid: Of its first process, as this machine counts.
        link: All of its network.
    """

    address: str
    config: Path
    pid: int
    link: Link

    def seen(self, path: PurePath | str) -> Path:
        """A path of the board, as whoever starts it may open it."""
        return Path(f"/proc/{self.pid}/root{path}")


def root_of(kind: Kind, cache: Path) -> Path:
    """The board's files as they are before it is first started, made once for its packages."""
    packages = ",".join((*BASE, *kind.packages))
    digest = hashlib.sha256(f"{MIRROR} {packages} {kind.links}".encode()).hexdigest()[:16]
    place = cache / "roots" / f"{kind.debian}-{digest}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _make(kind, packages, place)
    return place


def _make(kind: Kind, packages: str, place: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    made = [f"--arch={kind.debian}", "--variant=extract", f"--include={packages}"]
    try:
        run("mmdebstrap", "--quiet", *made, "bookworm", str(part / "root"), MIRROR)
        for link, target in (("bin/sh", "dash"), ("usr/bin/awk", "mawk"), *kind.links):
            with contextlib.suppress(FileExistsError):
                (part / "root" / link).symlink_to(target)
        _compile(part / "root")
        (part / "root").chmod(0o755)
        (part / "root").rename(place)
    finally:
        shutil.rmtree(part)


def _compile(root: Path) -> None:
    """Bytecode, as a package's script would have made it there: else each start compiles anew."""
    python = shutil.which("python3.11")
    if python is None:
        return
    folders = [str(root / "usr/lib" / name) for name in ("python3.11", "python3/dist-packages")]
    words = ("-m", "compileall", "-q", "-s", str(root), "--invalidation-mode", "unchecked-hash")
    # What is no Python of this version stays uncompiled, as it does there.
    subprocess.run([python, *words, *folders], capture_output=True, check=False)


@contextlib.contextmanager
def registered(kind: Kind, cache: Path) -> Iterator[None]:
    """Have the kernel start programs of this architecture by qemu, as Debian does at its boot.

    For as long as anybody's board runs; what stood there before stays.
    """
    entry = Path(f"/usr/lib/binfmt.d/qemu-{kind.qemu}.conf")
    if not entry.exists():
        raise UnavailableError("qemu-user-static is not installed")
    if not (BINFMT / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
    known = BINFMT / f"qemu-{kind.qemu}"
    with (cache / f"{known.name}.registered").open("a+") as ours:
        fcntl.flock(ours, fcntl.LOCK_SH)
        if not known.exists():
            ours.write("by a test\n")
            ours.flush()
            with contextlib.suppress(FileExistsError):
                (BINFMT / "register").write_text(entry.read_text())
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(ours.fileno()).st_size:
                    known.write_text("-1")
                    ours.truncate(0)


@contextlib.contextmanager
def booted(kind: Kind, cache: Path) -> Iterator[Emulated]:
    """Start a board, and end it with all that runs on it."""
    if os.geteuid() != 0:
        raise UnavailableError("a board of another architecture takes root")
    folder = Path(tempfile.mkdtemp(prefix="eb-fleet-"))
    folder.chmod(0o755)
    try:
        _furnish(kind, folder)
        with (
            registered(kind, cache),
            _begun(_boot(kind, cache, folder), folder / "log") as pid,
            tunnel(pid, 22) as link,
        ):
            _trust(folder, link.host)
            _until(lambda: _listens(link.host), why=folder / "log")
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            yield Emulated(
                address=f"ssh://pi@{link.host}",
                config=folder / "config",
                pid=int(children.split()[0]),
                link=link,
            )
    finally:
        _until(lambda: _is_removed(folder))


def _boot(kind: Kind, cache: Path, folder: Path) -> str:
    return BOOT.format(root=root_of(kind, cache), folder=folder, cpu=kind.cpu)


@contextlib.contextmanager
def _begun(script: str, log: Path) -> Iterator[int]:
    """The first process of a board, in spaces of its own; all that it started ends with it."""
    spaces = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
    with log.open("wb") as words:
        argv = ["unshare", *spaces, "sh", "-c", script]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait(10)


def _furnish(kind: Kind, folder: Path) -> None:
    """What the board has of its own: users, keys, and what its kernel would say of it."""
    upper = folder / "upper"
    for name in ("work", "m"):
        (folder / name).mkdir()
    for name, key in (("host", "ssh_host_ed25519_key"), ("client", "id_ed25519")):
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name)
        (upper / "etc/ssh").mkdir(parents=True, exist_ok=True)
        run(*keygen, "-f", str((upper / "etc/ssh" if name == "host" else folder) / key))
    public = (folder / "id_ed25519.pub").read_text()
    (folder / "config").write_text(
        f"Host *\n  IdentityFile {folder}/id_ed25519\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n"
    )
    write(upper, _system(kind, public))
    (upper / "usr/local/bin/env").chmod(0o755)
    for name in ("home/pi", "run/sshd", "proc", "dev", "tmp", "var/empty", "root"):
        (upper / name).mkdir(parents=True, exist_ok=True)
    (upper / "tmp").chmod(0o1777)
    os.chown(upper / "home/pi", 1000, 1000)
    (folder / "cpuinfo").write_text(cpuinfo(kind))


def cpuinfo(kind: Kind) -> str:
    """What the kernel of such a board says of its cores."""
    cpu = (
        f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {kind.part}"
    )
    cores = [
        f"processor\t: {n}\nFeatures\t: fp asimd evtstrm crc32 cpuid\n{cpu}\n" for n in range(4)
    ]
    return "\n".join(cores) + f"\nModel\t\t: {kind.model}\n"


def _trust(folder: Path, host: str) -> None:
    key = (folder / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"{host} {' '.join(key)}\n")


def _system(kind: Kind, public: str) -> dict[str, str]:
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    zone = "sys/class/thermal/thermal_zone0"
    return {
        **USERS,
        "etc/ssh/sshd_config": SSHD_CONFIG.format(variables=f"QEMU_CPU={kind.cpu} "),
        "etc/ssh/authorized_keys": public,
        "usr/local/bin/env": ENV.format(cpu=kind.cpu),
        f"{zone}/type": "cpu-thermal\n",
        f"{zone}/temp": "48312\n",
        f"{policy}/scaling_governor": "ondemand\n",
        f"{policy}/scaling_cur_freq": "1500000\n",
        f"{policy}/scaling_min_freq": "600000\n",
        f"{policy}/scaling_max_freq": "1500000\n",
        f"{policy}/related_cpus": "0 1 2 3\n",
        "sys/devices/system/cpu/possible": "0-3\n",
        "sys/devices/system/cpu/present": "0-3\n",
        "sys/devices/system/cpu/online": "0-3\n",
        "sys/firmware/devicetree/base/model": f"{kind.model}\0",
    }


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def _listens(host: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, 22), 1):
        return True
    return False


def _is_removed(folder: Path) -> bool:
    """Whether nothing of it is left; a board that ends keeps its files for a moment."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _until(is_so: Callable[[], bool], *, why: Path | None = None) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.1)
    words = why.read_text()[-500:] if why else "it takes too long"
    raise UnavailableError(f"a board does not start: {words}")
