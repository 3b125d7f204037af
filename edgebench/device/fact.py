"""What a fact is: a command for the device, and a reader of what it printed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue


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
