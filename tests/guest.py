"""Whole machines of another architecture, by emulation: kernel, memory, clock and disk are theirs.

A kernel of Debian's, the root of the board that `tests/fleet.py` emulates, and busybox as its first
process. They are started anew by their reset button, kill whom their own kernel finds too large,
and have sensors that a driver reads. What is timed there says nothing of a real board.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import fleet
from tests.guest_files import DEVICE_TREE, files_of_guests
from tests.programs import UnavailableError
from tests.sshd import free_port

# Programs, by the package of Debian's that has them.
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "ssh": "openssh-client",
}
STARTS_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A kind of machine, as qemu knows it.

    Attributes:
        board: Its options; `{folder}` is where kernel and device tree lie.
        disk: How the disk with the id `disk` is attached to it.
        network: The card of the network with the id `net`.
        console: Of the kernel, and which of its serial ports that is.
    """

    board: tuple[str, ...]
    disk: str
    network: str
    console: tuple[str, tuple[str, ...]]


VIRT = Machine(
    board=("-M", "virt", "-cpu", fleet.ARM64.cpu, "-smp", "2", "-m", "1024"),
    disk="if=none,id=disk",
    network="virtio-net-pci,netdev=net,romfile=",
    console=("ttyAMA0", ()),
)
PI3 = Machine(
    board=("-M", "raspi3b", "-dtb", f"{{folder}}/{DEVICE_TREE}"),
    disk="if=sd",
    network="usb-net,netdev=net",
    console=("ttyS1,115200", ("-serial", "null")),
)


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A running machine.

    Attributes:
        address: For `connect`; $EDGEBENCH_SSH_CONFIG must point to `config`.
        console: What its kernel says.
        switch: Where qemu listens to who stands before the machine.
    """

    address: str
    port: int
    config: Path
    console: Path
    switch: Path

    def as_root(self, script: str) -> str:
        """What a script prints that runs there as root."""
        argv = ["ssh", "-F", str(self.config), "-p", str(self.port), "root@127.0.0.1", script]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def answers(self, is_on: Callable[[], bool] = lambda: True) -> bool:
        """Whether its server greets, within the time that a start may take.

        qemu takes connections before anybody is there to answer.
        """
        deadline_s = time.monotonic() + STARTS_S
        while time.monotonic() < deadline_s and is_on():
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 5) as link,
            ):
                if link.recv(4) == b"SSH-":
                    return True
            time.sleep(0.2)
        return False

    def reset(self) -> None:
        """Press its button: what was not on the disk yet is lost."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(str(self.switch))
            answers = control.makefile("r")
            answers.readline()
            for word in ("qmp_capabilities", "system_reset"):
                control.sendall(json.dumps({"execute": word}).encode() + b"\n")
                while "return" not in json.loads(answers.readline()):
                    pass


@contextlib.contextmanager
def switched_on(machine: Machine, cache: Path) -> Iterator[Guest]:
    """Start a machine on a disk that forgets what is written to it, and end it."""
    if os.geteuid() != 0:
        raise UnavailableError("the disk of a guest is made by root")
    files = files_of_guests(cache)
    folder = Path(tempfile.mkdtemp(prefix="eb-guest-"))
    guest = _described(folder, files, free_port())
    try:
        with (folder / "qemu.log").open("wb") as log:
            argv = _command(machine, guest, files)
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            if not guest.answers(lambda: process.poll() is None):
                told = (path for path in (folder / "qemu.log", guest.console) if path.exists())
                words = " ".join(path.read_text(errors="replace")[-500:] for path in told)
                raise UnavailableError(f"a guest does not start: {words}")
            yield guest
        finally:
            process.kill()
            process.wait(10)
    finally:
        shutil.rmtree(folder)


def _described(folder: Path, files: Path, port: int) -> Guest:
    host_key = (files / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    (folder / "config").write_text(
        f"Host *\n  IdentityFile {files}/client\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n"
    )
    return Guest(
        address=f"ssh://pi@127.0.0.1:{port}",
        port=port,
        config=folder / "config",
        console=folder / "console",
        switch=folder / "switch",
    )


def _command(machine: Machine, guest: Guest, files: Path) -> list[str]:
    console, ports = machine.console
    return [
        "qemu-system-aarch64",
        *(word.format(folder=files) for word in machine.board),
        *("-kernel", str(files / "vmlinuz"), "-initrd", str(files / "initrd.gz")),
        *("-append", f"console={console} loglevel=4 panic=-1"),
        *("-drive", f"file={files}/disk,format=raw,snapshot=on,{machine.disk}"),
        *(("-device", "virtio-blk-pci,drive=disk") if "id=disk" in machine.disk else ()),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{guest.port}-:22"),
        *("-device", machine.network),
        *ports,
        *("-serial", f"file:{guest.console}", "-display", "none", "-monitor", "none"),
        *("-qmp", f"unix:{guest.switch},server=on,wait=off"),
    ]
