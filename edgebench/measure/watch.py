"""What is read again and again on a device while it works, and what one reading is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One thing to read every `period_s`: a file by `path`, or what a program prints by `argv`.

    Attributes:
        name: Under which the readings are handed back.
        is_stream: The program runs on, and every line that it prints is a reading.
    """

    name: str
    period_s: float
    path: str | None = None
    argv: tuple[str, ...] | None = None
    is_stream: bool = False

    def __post_init__(self) -> None:
        if (self.path is None) == (self.argv is None):
            msg = f"Source {self.name!r} needs a path or an argv, and one of them only."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source said at a time.

    Attributes:
        time_ns: The device's CLOCK_MONOTONIC, in the middle of the read.
        text: As it was read; None where it could not be read.
        error: Why it could not.
    """

    time_ns: int
    text: str | None
    error: str | None = None


Readings = Mapping[str, tuple[Reading, ...]]
