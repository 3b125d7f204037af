"""What a check sees, and what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from edgebench.core import Device
from edgebench.device.look import Listing
from edgebench.measure.meters.meter import Absent, Meter


class Severity(StrEnum):
    """What a trouble does to numbers, from worst to least."""

    SERIOUS = "serious"
    DOUBT = "doubt"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a device is while it is examined.

    Attributes:
        listing: Files that tell of meters and monitors, and which programs are there.
        meter: What its energy is read by, or why nothing can be; None where it was not asked.
    """

    device: Device
    listing: Listing
    meter: Meter | Absent | None

    def number(self, fact: str) -> float | None:
        """A fact that is a number."""
        value = self.device.facts.get(fact)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value)

    def table(self, fact: str) -> Mapping[str, JsonValue]:
        """A fact with parts; without any where the device did not say."""
        value = self.device.facts.get(fact)
        return value if isinstance(value, dict) else {}

    def rows(self, fact: str) -> list[JsonValue]:
        """A fact that is a list; empty where the device did not say."""
        value = self.device.facts.get(fact)
        return value if isinstance(value, list) else []

    @property
    def is_phone(self) -> bool:
        """Whether Android says so."""
        return isinstance(self.device.facts.get("build"), str) or bool(self.table("battery"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that would spoil a measurement, or that should be known of it.

    Attributes:
        found: The value, as a person reads it.
        why: What it does to numbers.
        source: Where that is said.
        mend: The command that mends it, on the device unless it begins with `adb`; a sentence
            where no command does; None where nothing does.
        edgebench: What edgebench does about it by itself; None where nothing.
    """

    severity: Severity
    found: str
    why: str
    source: str
    mend: str | None = None
    edgebench: str | None = None


Check = Callable[[Condition], Trouble | None]
