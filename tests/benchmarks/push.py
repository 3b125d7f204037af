"""How fast a file reaches a device, against OpenSSH's sftp over the same loopback sshd.

    .venv/bin/python tests/benchmarks/push.py [MEGABYTES] [ROUNDS]

The two take turns, so that whatever else the machine does falls on both. sftp is a new process and
a new connection each time, as it is for its users; the time of a session that sends nothing is
taken off, so that what is compared is the sending.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).parents[2]))

from edgebench.device.transport import open_transport
from tests.sshd import Sshd, started


def seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def compare(server: Sshd, size_mb: int, rounds: int) -> None:
    os.environ["EDGEBENCH_SSH_CONFIG"] = str(server.config)
    transport = open_transport(server.address)
    with tempfile.TemporaryDirectory() as scratch:
        blob, put, nothing = (Path(scratch, name) for name in ("blob", "put", "nothing"))
        blob.write_bytes(os.urandom(size_mb * 1_000_000))
        put.write_text(f"put {blob} {server.home}/sftp\n")
        nothing.write_text("pwd\n")

        def sftp(batch: Path) -> None:
            subprocess.run(server.sftp(str(batch)), check=True, capture_output=True)

        target = PurePosixPath(server.home / "ours")
        transport.push(blob, target)
        sftp(put)
        ours, theirs, sessions = [], [], []
        for _ in range(rounds):
            ours.append(seconds(lambda: transport.push(blob, target)))
            theirs.append(seconds(lambda: sftp(put)))
            sessions.append(seconds(lambda: sftp(nothing)))
    transport.close()
    session_s = statistics.median(sessions)
    rows = {
        "edgebench push": statistics.median(ours),
        "OpenSSH sftp, without its session": statistics.median(theirs) - session_s,
        "OpenSSH sftp, whole": statistics.median(theirs),
    }
    print(f"{size_mb} MB over a loopback sshd, median of {rounds} in turn\n")
    print("| | MB/s | edgebench / this |\n|---|---|---|")
    for name, time_s in rows.items():
        print(f"| {name} | {size_mb / time_s:.0f} | {time_s / rows['edgebench push']:.2f} |")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]] + [50, 9][len(sys.argv) - 1 :]
    with started() as running:
        compare(running, *numbers)
