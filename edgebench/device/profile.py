"""Kinds of boards: `device_profiles/*.toml`, which ship with the package."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from edgebench.core import DeviceProfile
from edgebench.errors import ConfigError
from edgebench.runner import shipped

GENERIC: Final = "linux-board"
THIS_MACHINE: Final = "this-machine"
BEHIND_ADB: Final = "android-phone"
IN_TERMUX: Final = "android-termux"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The kind of board that a device seems to be, and by what."""

    profile: DeviceProfile
    why: str


def propose(facts: Mapping[str, JsonValue]) -> Proposal:
    """The profile whose pattern fits the board's own model string; else that of any Linux board.

    What has a build of Android is a phone, whatever its model is called.

    >>> propose({"model": "Raspberry Pi 4 Model B Rev 1.4"}).why
    "its model 'Raspberry Pi 4 Model B Rev 1.4' fits 'Raspberry Pi 4 '"
    >>> propose({"model": None}).profile.name
    'linux-board'
    """
    model = facts.get("model")
    if isinstance(facts.get("build"), str):
        is_termux = "com.termux" in str(facts.get("home"))
        name = IN_TERMUX if is_termux else BEHIND_ADB
        where = "it is Android, seen from Termux" if is_termux else "it is Android"
        return Proposal(profile=load_profile(name), why=f"{where}: {model or facts['build']}")
    for name in profile_names():
        profile = load_profile(name)
        for pattern in profile.match if isinstance(model, str) else ():
            if re.search(pattern, str(model)):
                return Proposal(profile=profile, why=f"its model {model!r} fits {pattern!r}")
    says = f"no profile fits its model {model!r}" if model else "it does not say its model"
    return Proposal(profile=load_profile(GENERIC), why=says)
