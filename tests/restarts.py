"""A board whose sshd, or all of it, is started anew while the tests speak to it."""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from dataclasses import replace
from pathlib import Path

from tests.sshd import SSHD, Sshd, end_all_of

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def sshd_restarted(server: Sshd) -> Sshd:
    """End the server and every connection, and start it anew; what runs behind them goes on."""
    return _anew(server, "true", is_job_kept=True)


def board_restarted(server: Sshd) -> Sshd:
    """End all that runs on the board, as a reset does; its disk stays, and the boot is another."""
    boot = server.home.parent / f"boot-{uuid.uuid4()}"
    boot.write_text(f"{uuid.uuid4()}\n")
    boot.chmod(0o644)
    return _anew(server, f"mount --bind {boot} {BOOT_ID}", is_job_kept=False)


def _anew(server: Sshd, setup: str, *, is_job_kept: bool) -> Sshd:
    folder = server.home.parent
    # Holds the board's files, which would be gone with the last process that sees them.
    inside = ["nsenter", "--target", str(server.pid), "--mount", "--uts"]
    with subprocess.Popen([*inside, "sleep", "60"]) as holder:
        while _files_of(holder.pid) != _files_of(server.pid):
            time.sleep(0.01)
        if is_job_kept:
            for pid in (server.pid, *server.sessions()):
                os.kill(pid, signal.SIGKILL)
        else:
            end_all_of(server.uid)
        user = f"setpriv --reuid={server.uid} --regid={server.uid} --clear-groups"
        script = f"{setup} && exec {user} {SSHD} -E {folder}/home/.sshd.log -f {folder}/sshd_config"
        inside = ["nsenter", "--target", str(holder.pid), "--mount", "--uts", "sh", "-c", script]
        subprocess.run(inside, check=True, stdin=subprocess.DEVNULL)
        holder.kill()
    return replace(server, pid=_listener(server))


def _files_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/mnt").readlink())


def _listener(server: Sshd) -> int:
    """The server's process, once it listens: it left its parent."""
    for _ in range(100):
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_ours = entry.stat().st_uid == server.uid
                if is_ours and b"[listener]" in (entry / "cmdline").read_bytes():
                    return int(entry.name)
        time.sleep(0.05)
    raise TimeoutError
