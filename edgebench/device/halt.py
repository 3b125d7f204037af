"""How a worker that waits for its device is told to stop: what Ctrl-C is to the main thread.

A signal reaches the main thread only. A worker hears of it at its next wait, once, as the
KeyboardInterrupt that ends what is at work in the main thread: what ends a job and puts settings
back on the way out is the same, and may call the device again.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from edgebench.core import FILE_BYTES_MAX, Completed, Transport

Answer = TypeVar("Answer")


class Halt:
    """A request to stop, of one worker."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_asked = False
        self._is_heard = False

    @property
    def is_asked(self) -> bool:
        """Whether it is to stop."""
        return self._is_asked

    def ask(self) -> None:
        """Tell the worker to stop; another thread does that."""
        self._is_asked = True
        self._wake()

    def sleep(self, seconds: float) -> None:
        """Wait; raises KeyboardInterrupt where the worker is to stop, or is told so meanwhile."""
        with self._changed:
            self._changed.wait_for(self._is_new, seconds)
            self._hear()

    def do(self, action: Callable[[], Answer]) -> Answer:
        """Do what may take long; it is left to itself where the worker is told to stop meanwhile.

        Raises:
            KeyboardInterrupt: The worker is to stop.
        """
        future: Future[Answer] = Future()
        future.add_done_callback(lambda _: self._wake())
        with self._changed:
            self._hear()
            threading.Thread(target=_settle, args=(future, action), daemon=True).start()
            self._changed.wait_for(lambda: future.done() or self._is_new())
            self._hear()
        return future.result()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _is_new(self) -> bool:
        return self._is_asked and not self._is_heard

    def _hear(self) -> None:
        if self._is_new():
            self._is_heard = True
            raise KeyboardInterrupt


def _settle(future: Future[Answer], action: Callable[[], Answer]) -> None:
    try:
        future.set_result(action())
    except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
        future.set_exception(error)


_NOBODY: Final = Halt()
_CURRENT: Final[ContextVar[Halt]] = ContextVar("halt", default=_NOBODY)


@contextlib.contextmanager
def halted_by(halt: Halt) -> Iterator[None]:
    """What waits in this thread while the block runs is ended by `halt`."""
    token = _CURRENT.set(halt)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def pause(seconds: float) -> None:
    """Sleep, unless told to stop: then KeyboardInterrupt."""
    halt = _CURRENT.get()
    if halt is _NOBODY:
        time.sleep(seconds)
    else:
        halt.sleep(seconds)


def is_halted() -> bool:
    """Whether whoever works in this thread was told to stop: nothing is worth a second try then."""
    return _CURRENT.get().is_asked


class HaltingTransport:
    """A way to a device whose calls end when their worker is told to stop."""

    def __init__(self, inner: Transport, halt: Halt) -> None:
        self._inner = inner
        self._halt = halt

    @property
    def address(self) -> str:
        """Where the device stands."""
        return self._inner.address

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""
        return self._do(lambda: self._inner.run(argv, timeout_s=timeout_s, stdin=stdin))

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to the device."""
        self._do(lambda: self._inner.push(source, target, timeout_s=timeout_s))

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from the device."""
        self._do(lambda: self._inner.pull(source, target, timeout_s=timeout_s, bytes_max=bytes_max))

    def close(self) -> None:
        """End the connection."""
        self._inner.close()

    def _do(self, action: Callable[[], Answer]) -> Answer:
        try:
            return self._halt.do(action)
        except KeyboardInterrupt:
            # A call that nobody waits for any more would hold the link against those that clean up.
            self._inner.close()
            raise
