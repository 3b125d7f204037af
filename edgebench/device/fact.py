"""What a fact is: a command for the device, and a reader of what it printed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from edgebench.untrusted import plain_json

ANSWER_CHARACTERS_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing to know.

    Attributes:
        command: POSIX sh; `$work` is the work folder or the nearest folder above it that is there,
            `$python` an interpreter to ask instead of those in PATH.
        read: From what the command printed to the fact; None where it does not say.
        part: Which fingerprint it belongs to; None for what changes by itself.
    """

    command: str
    read: Callable[[str], JsonValue]
    part: Literal["hw", "sw", "state"] | None = None

    def of(self, answer: str) -> JsonValue:
        """The fact, in plain words; None where the answer is beyond what its reader takes."""
        try:
            return plain_json(self.read(answer[:ANSWER_CHARACTERS_MAX]))
        except (ValueError, OverflowError, RecursionError):
            return None
