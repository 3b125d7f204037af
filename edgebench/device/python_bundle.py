"""A Python for boards whose own is too old or missing: with its loader and its C library."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import Progress
from edgebench.device import system
from edgebench.device.files import sha256_of
from edgebench.device.releases import PYTHON_MIN, Board, Version, parse
from edgebench.device.wheels import needs_of, pack
from edgebench.errors import DeviceError

RULES: Final = "1"  # rises when what is left out or the layout of the archive changes
# What neither the runner nor numpy nor a runtime imports.
_DROPPED: Final = re.compile(
    r"""
    (test|tests|idlelib|lib2to3|tkinter|ensurepip|turtledemo|distutils|pydoc_data|dbm|curses|sqlite3
    |xmlrpc|wsgiref|venv|asyncio|__pycache__|config-\w.*)/
    | (\w+/)*__pycache__/ | sitecustomize\.py$ | EXTERNALLY-MANAGED$
    | lib-dynload/(_tkinter|_dbm|_gdbm|_curses|readline|nis|ossaudiodev|_test|_xx|xx|_crypt|_codecs_
    |_sqlite3|audioop|spwd|_ssl|_hashlib|_asyncio|_lzma|_bz2|_uuid|termios)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python, packed for one kind of machine.

    Attributes:
        glibc: Of the C library that goes with it; likewise `glibcxx`.
    """

    archive: Path
    machine: str
    python: Version
    glibc: Version
    glibcxx: Version

    @property
    def loader(self) -> str:
        """Name of the loader in its `lib/`."""
        return system.MACHINES[self.machine].loader

    def board(self, folder: PurePosixPath) -> Board:
        """What decides about wheels, once it lies in a folder of a board."""
        python = str(folder / "bin" / "python3")
        lib = folder / "lib"
        return Board(
            executable=python,
            loader=(str(lib / self.loader), "--library-path", str(lib), "--argv0", python),
            python=self.python,
            machine=self.machine,
            libc="glibc",
            glibc=self.glibc,
            glibcxx=self.glibcxx,
            packages={},
        )


def interpreter(machine: str, *, cache: Path, progress: Progress) -> Interpreter:
    """The archive of a Python for a kind of machine; made once for the same system.

    Raises:
        DeviceError: None can be had here.
    """
    root = system.system_root(machine, system.PYTHON, cache=cache, progress=progress)
    program = _newest(root, machine)
    libc = system.library(root, machine, "libc.so.6")
    glibc = _glibc(libc)
    parts = [RULES, str(root), sha256_of(program), sha256_of(libc)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    archive = cache / "runtimes" / f"{program.name}-{machine}-{digest[:16]}.tgz"
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        tree = Path(scratch)
        glibcxx = _glibcxx(system.library(root, machine, "libstdc++.so.6"), tree)
        if not archive.exists():
            archive.parent.mkdir(parents=True, exist_ok=True)
            _lay_out(root, machine, program, tree / "tree")
            programs = {"bin/python3", f"lib/{system.MACHINES[machine].loader}"}
            part = archive.with_suffix(f".{tree.name}.part")
            part.write_bytes(pack(tree / "tree", programs=programs))
            part.replace(archive)
    version = parse(program.name.removeprefix("python"))
    return Interpreter(
        archive=archive, machine=machine, python=version, glibc=glibc, glibcxx=glibcxx
    )


def _newest(root: Path, machine: str) -> Path:
    found = [path for path in root.glob("usr/bin/python3.*") if re.search(r"3\.\d+$", path.name)]
    fitting = [path for path in found if parse(path.name.removeprefix("python")) >= PYTHON_MIN]
    if not fitting:
        msg = f"The system for {machine} in {str(root)!r} has no Python 3.8 or newer in usr/bin."
        raise DeviceError(msg, hint=f"${system.VARIABLE} names where such systems lie.")
    return max(fitting, key=lambda path: parse(path.name.removeprefix("python")))


def _glibc(library: Path) -> Version:
    told = re.search(rb"stable release version (\d+\.\d+)", library.read_bytes())
    if told is None:
        msg = f"{str(library)!r} does not say that it is glibc, nor which."
        raise DeviceError(msg, hint=f"${system.VARIABLE} may name a system with another C library.")
    return parse(told[1].decode())


def _glibcxx(library: Path, scratch: Path) -> Version:
    folder = scratch / "cxx"
    folder.mkdir()
    shutil.copyfile(library, folder / library.name)
    return parse(needs_of(folder)["GLIBCXX"])


def _lay_out(root: Path, machine: str, program: Path, tree: Path) -> None:
    """As a Python lies anywhere: it finds its modules by where it is itself."""
    source = root / "usr" / "lib" / program.name
    _copy(program, tree / "bin" / "python3")
    for path in _kept(source):
        _copy(path, tree / "lib" / program.name / path.relative_to(source))
    modules = sorted(tree.rglob("lib-dynload/*.so"))
    # Wheels bring no C++ library of their own.
    extra = [system.library(root, machine, name) for name in ("libstdc++.so.6", "libz.so.1")]
    found = system.libraries(root, machine, [program, *modules, *extra])
    for name in ("libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"):
        found[name] = system.library(root, machine, name)
    for name, path in found.items():
        _copy(path, tree / "lib" / name)


def _kept(source: Path) -> Iterable[Path]:
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_file() and not _DROPPED.match(name):
            yield path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
