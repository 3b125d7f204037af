"""All devices at once: a worker each, of which none waits for another."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from edgebench.core import Progress
from edgebench.device.halt import Halt, halted_by
from edgebench.errors import DeviceError

Answer = TypeVar("Answer")

# A signal that comes while a thread is about to wait does not wake it: CPython sees it thereafter.
SIGNALS_SEEN_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker(Generic[Answer]):
    """A thread at the work of one device."""

    halt: Halt
    future: Future[Answer]


def at_once(
    works: Mapping[str, Callable[[Halt], Answer]], progress: Progress
) -> dict[str, Answer | DeviceError]:
    """Do the work of every device, each in a thread; its answer, or its error, by device.

    What ends one worker ends no other, a bug neither: that is raised once the others are done.

    Raises:
        KeyboardInterrupt: Somebody pressed Ctrl-C: every worker was told to stop, and has stopped,
            unless it was pressed twice.
    """
    # All of them stand before the first begins: Ctrl-C may come while they are started.
    workers: dict[str, Worker[Answer]] = {
        name: Worker(halt=Halt(), future=Future()) for name in works
    }
    try:
        for name, work in works.items():
            _start(name, work, workers[name])
        _wait(workers, progress)
    except KeyboardInterrupt:
        for worker in workers.values():
            worker.halt.ask()
        progress("stopping; Ctrl-C once more leaves the devices as they are")
        wait([worker.future for worker in workers.values() if not worker.future.cancel()])
        raise
    answers: dict[str, Answer | DeviceError] = {}
    for name, worker in workers.items():
        error = worker.future.exception()
        answers[name] = error if isinstance(error, DeviceError) else worker.future.result()
    return answers


def _start(name: str, work: Callable[[Halt], Answer], worker: Worker[Answer]) -> None:
    def act() -> None:
        if not worker.future.set_running_or_notify_cancel():
            return
        try:
            with halted_by(worker.halt):
                answer = work(worker.halt)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            worker.future.set_exception(error)
        else:
            worker.future.set_result(answer)

    threading.Thread(target=act, name=name, daemon=True).start()


def _wait(workers: Mapping[str, Worker[Answer]], progress: Progress) -> None:
    """Wait for all; what is raised only later is told at once."""
    names = {worker.future: name for name, worker in workers.items()}
    while names:
        done, _ = wait(names, timeout=SIGNALS_SEEN_EVERY_S, return_when=FIRST_COMPLETED)
        for name, future in [(names.pop(future), future) for future in done]:
            error = future.exception()
            if error is not None and not isinstance(error, DeviceError) and len(workers) > 1:
                progress(f"{name}: {error}; the other devices go on")
