"""The smallest difference that a device can show, kept with the user's devices.

One JSON file a device beside the inventory. A floor belongs to hardware and software as they were
when it was found: after an update it counts no more.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.device.facts import fingerprint
from edgebench.device.inventory import inventory_path
from edgebench.errors import ConfigError

FOLDER: Final = "floors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a device showed between a model and itself.

    Attributes:
        floor_ratio: 95 % of the ratios lay within it.
        launches: Of the model.
        governor: That stood meanwhile; None where nobody knows.
        fingerprint: Of hardware, software and state.
    """

    name: str
    created: str
    floor_ratio: float
    launches: int
    runtime: str
    governor: str | None
    fingerprint: Mapping[str, str]


_FLOOR: Final = TypeAdapter(Floor)


def floor_path(name: str) -> Path:
    """Where the floor of a device is kept, by its name or address."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "device"
    return inventory_path().parent / FOLDER / f"{plain}.json"


def write_floor(floor: Floor) -> Path:
    """Keep a floor, in place of an earlier one.

    Raises:
        ConfigError: It cannot be written.
    """
    path = floor_path(floor.name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(floor), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        msg = f"The floor {str(path)!r} cannot be written: {error.strerror}."
        raise ConfigError(msg) from error
    return path


def read_floor(name: str, facts: Mapping[str, JsonValue]) -> Floor | None:
    """The floor of a device as it is now; None where none was found, or for another state of it.

    Raises:
        ConfigError: The file is damaged.
    """
    path = floor_path(name)
    try:
        floor = _FLOOR.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        msg = f"The floor {str(path)!r} cannot be read: {error}."
        raise ConfigError(msg, hint="Remove it, and calibrate the device again.") from error
    is_same = floor.name == name and floor.fingerprint == fingerprint(facts)
    return floor if is_same and floor.governor == facts.get("governor") else None
