"""What the states of a cell's processes mean for the cell."""

from collections.abc import Callable, Sequence

from edgebench.core import Process, Reason


def state_reasons(processes: Sequence[Process]) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Why a cell deserves doubt, and why it is invalid.

    What at least half of the processes had is the device's way of being; what fewer had is noise
    that the interval over processes has in it, unless it spoilt a process altogether: that is at
    least a doubt.
    """
    invalid = _shared(processes, lambda process: process.invalid, at_least=len(processes) / 2)
    hit = _shared(processes, lambda process: process.invalid, at_least=1)
    doubt = _shared(processes, lambda process: process.suspect, at_least=len(processes) / 2)
    suspect = [reason for reason in dict.fromkeys((*hit, *doubt)) if reason not in invalid]
    return tuple(suspect), invalid


def _shared(
    processes: Sequence[Process],
    pick: Callable[[Process], tuple[Reason, ...]],
    *,
    at_least: float,
) -> tuple[Reason, ...]:
    found = dict.fromkeys(reason for process in processes for reason in pick(process))
    return tuple(
        reason
        for reason in found
        if sum(reason in pick(process) for process in processes) >= at_least
    )
