"""Calls to a device that outlive a loss of its link, and calls that end at their deadline."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from edgebench.device.halt import is_halted, pause
from edgebench.errors import DeviceLost

PATIENCE_S: Final = 180.0  # a board that reboots is back after one to two minutes
BACK_OFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

Answer = TypeVar("Answer")


def patiently(call: Callable[[], Answer], *, patience_s: float = PATIENCE_S) -> Answer:
    """Make a call that may be made twice, until the device answers it.

    Raises:
        DeviceLost: The device was out of reach for longer than `patience_s`, or is so when the
            worker was told to stop.
    """
    lost_s: float | None = None
    attempt = 0
    while True:
        try:
            return call()
        except DeviceLost:
            lost_s = time.monotonic() if lost_s is None else lost_s
            if is_halted() or time.monotonic() - lost_s > patience_s:
                raise
            pause(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1


def within(timeout_s: float, action: Callable[[], Answer]) -> Answer:
    """Do something that may hang for ever, for no longer than this.

    It goes on in its thread after the deadline; the caller then closes what it hangs on.

    Raises:
        TimeoutError: It took longer.
    """
    outcome: list[Answer] = []
    failure: list[BaseException] = []

    def act() -> None:
        try:
            outcome.append(action())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError
    return outcome[0]
