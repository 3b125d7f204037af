"""What a monitor is: sources to read on the device, and a judgement of what they said."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.measure.watch import Reading, Readings, Source
from edgebench.runner import EnergyResult, Scheduling, StateResult

# Fast enough to see a throttling of a second, slow enough to cost nothing.
PERIOD_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a monitor says of one process.

    Attributes:
        facts: Numbers for the record, by name with its unit.
        suspect: Why the samples deserve doubt.
        invalid: Why they say nothing about the model.
    """

    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    suspect: tuple[Reason, ...] = ()
    invalid: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is to judge a process by: readings, and what the runner itself counted."""

    readings: Readings
    state: StateResult
    samples: int

    @classmethod
    def of_windows(cls, readings: Readings, windows: EnergyResult) -> "Seen":
        """What there is of an energy pass: its active window; its runner counts nothing itself."""
        begin_ns, end_ns = windows.active_ns
        state = StateResult(
            begin_ns=begin_ns,
            end_ns=end_ns,
            canary_ns=(0, 0),
            scheduling=Scheduling(
                run_ns=None,
                wait_ns=None,
                involuntary_switches=0,
                voluntary_switches=0,
                major_faults=0,
            ),
            cpus=(),
        )
        return cls(readings=readings, state=state, samples=windows.inferences)

    def of(self, prefix: str) -> Iterator[tuple[str, tuple[Reading, ...]]]:
        """Readings of the sources whose name begins so, by the rest of the name.

        Those between begin and end of the samples, with the one before and the one after them: what
        is a counter is a difference between these two.
        """
        for name, readings in sorted(self.readings.items()):
            if name.startswith(prefix):
                yield name.removeprefix(prefix), self._around(readings)

    def told(self, name: str) -> bool:
        """Whether a source could be read at all."""
        return any(reading.text is not None for reading in self.readings.get(name, ()))

    def _around(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        told = [r for r in readings if r.text is not None]
        before = [r for r in told if r.time_ns < self.state.begin_ns][-1:]
        within = [r for r in told if self.state.begin_ns <= r.time_ns <= self.state.end_ns]
        after = [r for r in told if r.time_ns > self.state.end_ns][:1]
        return (*before, *within, *after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A monitor that is ready for one device.

    Attributes:
        sources: What is read there; none where the runner's own counters are enough.
    """

    sources: tuple[Source, ...]
    judge: Callable[[Seen], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """One thing that can spoil samples.

    Attributes:
        globs: Files of a device that tell of it, as patterns of the shell.
        tools: Programs that do.
        arm: What is watched on a device with these files; None where nothing there tells.
    """

    arm: Callable[[Listing, DeviceProfile], Watch | None]
    globs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


def numbers(text: str) -> dict[str, int]:
    r"""Lines of a name and a whole number, as /proc/vmstat has them.

    >>> numbers("pswpin 3\npswpout 4\nnoise\n")
    {'pswpin': 3, 'pswpout': 4}
    """
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
