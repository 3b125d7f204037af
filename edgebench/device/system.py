"""Parts of a Linux system for a board that lacks them: a C library with its loader, a Python.

They are packages of this machine's own distribution, which apt fetches for the board's kind of
machine and checks by its keys; they are unpacked, and nothing of them is installed or run here. Or
they lie in a folder that the user names.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgebench.core import Progress
from edgebench.device.elf import needed
from edgebench.errors import DeviceError

VARIABLE: Final = "EDGEBENCH_SYSROOT"
APT_S: Final = 900.0
# Of whom the packages may be, as an index says it; other sources of this machine are not asked.
ORIGINS: Final = frozenset(["Debian", "Ubuntu", "Raspbian", "Raspberry Pi Foundation"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a kind of machine is called elsewhere.

    Attributes:
        debian: By Debian's packages.
        triplet: By the folders of libraries.
        loader: Of its programs.
    """

    debian: str
    triplet: str
    loader: str


MACHINES: Final[Mapping[str, Machine]] = {
    "aarch64": Machine(debian="arm64", triplet="aarch64-linux-gnu", loader="ld-linux-aarch64.so.1"),
    "x86_64": Machine(debian="amd64", triplet="x86_64-linux-gnu", loader="ld-linux-x86-64.so.2"),
}
LIBRARIES: Final = ("libc6", "libgcc-s1", "libstdc++6")
PYTHON: Final = (*LIBRARIES, "python3-minimal", "libpython3-stdlib", "zlib1g")

_CONFIG: Final = """\
APT::Architecture "{debian}";
APT::Architectures {{ "{debian}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::Log "{folder}";
"""
_HINT: Final = (
    f"Name a folder in ${VARIABLE} that holds the root of a Linux system for each kind of machine, "
    "as aarch64/ and x86_64/."
)


def missing_here(machine: str) -> str | None:
    """Why this machine has no such parts to give, in words; None where it has."""
    if machine not in MACHINES:
        return f"there is no C library to send to {machine}"
    named = os.environ.get(VARIABLE)
    if named:
        there = (Path(named) / machine).is_dir()
        return None if there else f"${VARIABLE} ({named!r}) has no {machine}/"
    tools = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    return f"this machine has no {tools[0]}, nor ${VARIABLE}" if tools else None


def system_root(machine: str, packages: Iterable[str], *, cache: Path, progress: Progress) -> Path:
    """A folder that holds the files of some packages for a kind of machine; fetched once.

    Raises:
        DeviceError: They cannot be had here.
    """
    why = missing_here(machine)
    if why is not None:
        msg = f"Parts of a system for {machine} cannot be had: {why}."
        raise DeviceError(msg, hint=_HINT)
    if named := os.environ.get(VARIABLE):
        return Path(named) / machine
    wanted = sorted(packages)
    digest = hashlib.sha256(json.dumps([wanted, _CONFIG]).encode()).hexdigest()
    final = cache / "systems" / f"{machine}-{digest[:16]}"
    if not final.is_dir():
        final.parent.mkdir(parents=True, exist_ok=True)
        progress(f"fetching {', '.join(wanted)} for {machine} by apt")
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=".making-") as scratch:
            made = _fetched(Path(scratch), MACHINES[machine], wanted)
            try:
                made.rename(final)
            except OSError:  # another process was faster
                if not final.is_dir():
                    raise
    return final


def libraries(root: Path, machine: str, programs: Iterable[Path]) -> dict[str, Path]:
    """The loader and all shared libraries that programs need, by name, out of a system's root.

    Raises:
        DeviceError: The root lacks one.
    """
    found: dict[str, Path] = {}
    loader = MACHINES[machine].loader
    waiting = [loader, *(name for path in programs for name in needed(path))]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = library(root, machine, name)
            waiting.extend(needed(found[name]))
    return found


def library(root: Path, machine: str, name: str) -> Path:
    """Where the root of a system has a shared library.

    Raises:
        DeviceError: It has none of that name.
    """
    triplet = MACHINES[machine].triplet
    for folder in (f"lib/{triplet}", f"usr/lib/{triplet}", "lib64", "usr/lib64", "lib", "usr/lib"):
        path = root / folder / name
        if path.is_symlink() and path.readlink().is_absolute():
            path = root / path.readlink().relative_to("/")
        if path.is_file():
            return path
    msg = f"The system for {machine} in {str(root)!r} has no {name}."
    raise DeviceError(msg, hint=_HINT)


def _fetched(scratch: Path, machine: Machine, packages: Iterable[str]) -> Path:
    for name in ("lists/partial", "archives/partial", "sources"):
        (scratch / name).mkdir(parents=True)
    (scratch / "status").touch()
    config = scratch / "apt.conf"
    config.write_text(_CONFIG.format(debian=machine.debian, folder=scratch))
    for source in _sources():
        shutil.copyfile(source, scratch / "sources" / source.name)
    # A source that does not answer is no harm where the packages are there all the same.
    _apt(config, "update", is_needed=False)
    _apt(config, "install", "--yes", "--download-only", *packages)
    root = scratch / "root"
    for archive in sorted((scratch / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(root)])
    return root


def _sources() -> list[Path]:
    """Files that name sources of this machine's own distribution; all, where none is known."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    named = {
        path: path.read_text("utf-8", errors="replace")
        for path in files
        if path.suffix in {".list", ".sources"} and path.is_file()
    }
    told = _run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)"], is_needed=False)
    rows = (line.partition("|") for line in told.splitlines())
    places = {place.rstrip("/") for origin, _, place in rows if origin in ORIGINS and place}
    ours = [path for path, text in named.items() if any(place in text for place in places)]
    return ours or list(named)


def _apt(config: Path, *words: str, is_needed: bool = True) -> None:
    _run(["apt-get", "-qq", *words], is_needed=is_needed, APT_CONFIG=str(config))


def _run(argv: list[str], *, is_needed: bool = True, **variables: str) -> str:
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **variables, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=APT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{argv[0]} did not fetch within {APT_S:g} s what a board lacks."
        raise DeviceError(msg, hint="Are the sources in /etc/apt reachable from here?") from error
    if done.returncode != 0 and is_needed:
        words = " ".join(done.stderr.split())[-300:]
        msg = f"{argv[0]} does not give what a board lacks: {words or done.returncode}."
        raise DeviceError(msg, hint=_HINT)
    return done.stdout
