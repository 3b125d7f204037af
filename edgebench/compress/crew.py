"""The worker processes of one command: as many at once as memory carries, ended together."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from edgebench.compress.technique import Task
from edgebench.errors import CompressionError

T = TypeVar("T")

# TensorFlow and what it needs to train a small model took 1.1 GB here; a quantizer alone 0.3 GB.
HEAVY_BYTES: Final = 1_200_000_000
LIGHT_BYTES: Final = 400_000_000
# A model is there as a file, as weights, as gradients and as the moments of an optimizer.
COPIES: Final = 6
MEMINFO: Final = Path("/proc/meminfo")


class Crew:
    """Hands out places for workers; a worker that has none yet waits."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._free = threading.Condition()
        self._taken_bytes = 0
        self._limit_bytes = 0
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_over = False

    @property
    def threads(self) -> int:
        """How many threads each worker may use."""
        return max(1, (os.cpu_count() or 1) // self.workers)

    @contextmanager
    def place(self, need_bytes: int) -> Iterator[None]:
        """Wait until so much memory is free beside what the others take; alone, never wait."""
        with self._free:
            self._free.wait_for(lambda: self._is_over or self._fits(need_bytes))
            self._check()
            if self._taken_bytes == 0:
                self._limit_bytes = available_bytes()
            self._taken_bytes += need_bytes
        try:
            yield
        finally:
            with self._free:
                self._taken_bytes -= need_bytes
                self._free.notify_all()

    @contextmanager
    def with_(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Count a process among those that `end` ends."""
        with self._free:
            self._running.add(process)
            is_over = self._is_over
        if is_over:
            kill(process)
        try:
            yield
        finally:
            with self._free:
                self._running.discard(process)

    def end(self) -> None:
        """Kill what runs; whoever waits for a place gets none any more."""
        with self._free:
            self._is_over = True
            for process in self._running:
                kill(process)
            self._free.notify_all()

    def map(self, work: Callable[[T], None], items: Sequence[T]) -> None:
        """Do the work for every item, several at once.

        An interrupt, or an error that is none of `work`'s own business, ends all workers first.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="edgebench-build") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.end()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _fits(self, need_bytes: int) -> bool:
        return self._taken_bytes == 0 or self._taken_bytes + need_bytes <= self._limit_bytes

    def _check(self) -> None:
        if self._is_over:
            msg = "The command was ended before this variant was begun."
            raise CompressionError(msg, hint="Run it again: what is finished is kept.")


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker that leads its process group, and the outside tools that it started."""
    # Until it is waited for, its number is nobody else's.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def need_of(task: Task, tools: Sequence[str]) -> int:
    """How much memory a task may take at its worst, in bytes.

    >>> from edgebench.compress.technique import Task
    >>> need_of(Task(way="x", source=None, step=None, folder=Path()), ("onnx",))
    400000000
    """
    held = LIGHT_BYTES if "tensorflow" not in tools else HEAVY_BYTES
    held += COPIES * (task.source.size_bytes if task.source else 0)
    return held + (2 * task.data.stat().st_size if task.data else 0)


def available_bytes(meminfo: Path = MEMINFO) -> int:
    """What the kernel can hand out without swapping; without limit where it does not say."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return 1 << 62
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(named.get("MemAvailable", f"{1 << 52} kB").split()[0]) * 1024
