"""The user's own devices: where they stand. A TOML file of names, addresses and profiles.

No password ever stands in it: at most the name of the environment variable that holds one.
"""

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edgebench.errors import ConfigError

PATH_VARIABLE: Final = "EDGEBENCH_CONFIG"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A device of the user.

    Attributes:
        profile: None to take what the device's facts propose.
        password_env: Name of the environment variable that holds the password of its login.
        meter: What its power is read by, where that hangs on the host: `tasmota:192.0.2.9`.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    address: str
    profile: str | None = None
    password_env: str | None = None
    meter: str | None = None


_ENTRY: Final = TypeAdapter(Entry)


def inventory_path() -> Path:
    """Where the inventory is kept."""
    named = os.environ.get(PATH_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "edgebench" / "devices.toml"


def read_inventory() -> Mapping[str, Entry]:
    """All devices by name; none where there is no file yet.

    Raises:
        ConfigError: The file cannot be read, or is no inventory.
    """
    path = inventory_path()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return {
            name: _ENTRY.validate_python({"name": name, **table})
            for name, table in document.get("device", {}).items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The inventory {str(path)!r} cannot be read: {error}."
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, ValidationError, TypeError, AttributeError) as error:
        msg = f"The inventory {str(path)!r} is wrong: {error}."
        raise ConfigError(
            msg, hint='Write [device.NAME] and address = "ssh://…" below it.'
        ) from error


def add_entry(entry: Entry) -> None:
    """Add a device, in place of one of that name.

    Raises:
        ConfigError: The name cannot be one, or the address holds a password.
    """
    if NAME.fullmatch(entry.name) is None:
        msg = f"{entry.name!r} cannot be the name of a device."
        raise ConfigError(msg, hint="Letters, digits, `_`, `-` and `.`; the first no sign.")
    if re.search(r"//[^/@]*:[^/@]*@", entry.address):
        msg = f"The address of {entry.name!r} holds a password, which is never kept."
        raise ConfigError(msg, hint="Leave it out; name a variable by password_env instead.")
    _write({**read_inventory(), entry.name: entry})


def remove_entry(name: str) -> None:
    """Forget a device.

    Raises:
        ConfigError: There is none of this name.
    """
    entries = dict(read_inventory())
    if entries.pop(name, None) is None:
        raise unknown_device(name)
    _write(entries)


def unknown_device(name: str) -> ConfigError:
    """The error for a name that is not in the inventory."""
    names = ", ".join(sorted(read_inventory())) or "none yet"
    msg = f"There is no device {name!r} in {str(inventory_path())!r}."
    hint = f"Devices: {names}. Add one by `edgebench device add {name} ssh://USER@HOST`."
    return ConfigError(msg, hint=hint)


def _write(entries: Mapping[str, Entry]) -> None:
    """Write the whole file under another name first, so that a crash loses nothing."""
    path = inventory_path()
    lines: list[str] = []
    for entry in sorted(entries.values(), key=lambda entry: entry.name):
        lines.append(f"[device.{json.dumps(entry.name)}]")
        fields = {
            "address": entry.address,
            "profile": entry.profile,
            "password_env": entry.password_env,
            "meter": entry.meter,
        }
        # A JSON string is a TOML basic string, as long as nothing beyond U+FFFF is escaped.
        lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items() if v]
        lines.append("")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text("\n".join(lines), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        msg = f"The inventory {str(path)!r} cannot be written: {error.strerror}."
        raise ConfigError(msg, hint=f"Name another place in ${PATH_VARIABLE}.") from error
