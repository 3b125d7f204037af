"""A link as bad as a test wants it: delay, jitter, rate, losses, a cut, changed in use."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.carrier import Quality
from tests.programs import UnavailableError, run

_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link in use.

    Attributes:
        host: Where what listens at the other end is reached, and at which port.
    """

    host: str
    port: int
    process: subprocess.Popen[str]

    def becomes(self, quality: Quality) -> dict[str, int]:
        """Change it, and all that is on its way with it; the packets so far `sent` and `lost`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(quality)) + "\n")
        self.process.stdin.flush()
        counts: dict[str, int] = json.loads(self.process.stdout.readline())
        return counts


@contextlib.contextmanager
def tunnel(pid: int, port: int) -> Iterator[Link]:
    """A link to the network namespace that a process has for itself; takes root."""
    number = next(_NUMBERS)
    net = f"10.213.{os.getpid() % 250}"
    here, there = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"
    device = f"eb{os.getpid() % 100_000}x{number}"
    while Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
        time.sleep(0.01)
    with _carried("tunnel", device) as process:
        run("ip", "link", "set", f"{device}b", "netns", str(pid), "name", "eth0")
        run("ip", "addr", "add", f"{here}/30", "dev", f"{device}a")
        run("ip", "link", "set", f"{device}a", "up")
        inside = ("nsenter", f"--net=/proc/{pid}/ns/net", "ip")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "addr", "add", f"{there}/30", "dev", "eth0")
        yield Link(host=there, port=port, process=process)


@contextlib.contextmanager
def relay(port: int) -> Iterator[Link]:
    """A link to a port of the loopback, which is another port of it."""
    with _carried("relay", str(port)) as process:
        assert process.stdout is not None
        yield Link(host="127.0.0.1", port=int(process.stdout.readline()), process=process)


@contextlib.contextmanager
def _carried(*words: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    argv = [sys.executable, str(Path(__file__).with_name("carrier.py")), *words]
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise UnavailableError(f"no link of the kind {words[0]} can be made")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)
