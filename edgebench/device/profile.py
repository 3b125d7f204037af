"""Kinds of boards: `device_profiles/*.toml`, which ship with the package."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.core import DeviceProfile
from edgebench.errors import ConfigError
from edgebench.runner import shipped

GENERIC: Final = "linux-board"
THIS_MACHINE: Final = "this-machine"
BEHIND_ADB: Final = "android-phone"

_PROFILE: Final = TypeAdapter(DeviceProfile)


def profile_names() -> tuple[str, ...]:
    """Names of all profiles that ship."""
    return tuple(sorted(path.stem for path in shipped("device_profiles").glob("*.toml")))


@cache
def load_profile(name: str) -> DeviceProfile:
    """Read a profile.

    Raises:
        ConfigError: There is none of this name, or its file is wrong.
    """
    names = profile_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        msg = f"There is no device profile {name!r}."
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ConfigError(msg, hint=f"{hint}Profiles: {', '.join(names)}.")
    path = shipped("device_profiles") / f"{name}.toml"
    try:
        return _PROFILE.validate_python({"name": name, **tomllib.loads(path.read_text("utf-8"))})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        msg = f"The device profile {str(path)!r} is wrong: {error}."
        raise ConfigError(msg) from error


def propose(facts: Mapping[str, JsonValue]) -> DeviceProfile:
    """The profile whose pattern fits the board's own model string; else that of any Linux board.

    >>> propose({"model": "Raspberry Pi 4 Model B Rev 1.4"}).name
    'raspberry-pi-4'
    >>> propose({"model": None}).name
    'linux-board'
    """
    model = facts.get("model")
    for name in profile_names():
        profile = load_profile(name)
        if isinstance(model, str) and any(re.search(p, model) for p in profile.match):
            return profile
    return load_profile(GENERIC)
