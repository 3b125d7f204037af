"""The native runner, compiled on the host: for boards without Python, and for small numbers.

`runners/native` is C11 over the C library that a runtime's wheel carries, and libc. One binary runs
models of every runtime; it is kept by what it was made of.
"""

import functools
import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from edgebench.errors import NotDone
from edgebench.runner import shipped
from edgebench.runtimes import Runtime

# Older than the C library that any runtime needs: it is never the runner that does not fit a board.
TARGETS: Final[Mapping[str, str]] = {
    "aarch64": "aarch64-linux-gnu.2.17",
    "x86_64": "x86_64-linux-gnu.2.17",
}
# Where a wheel keeps the C library of its runtime.
LIBRARIES: Final[Mapping[Runtime, str]] = {
    "litert": "ai_edge_litert/libLiteRt.so",
    "onnxruntime": "onnxruntime/capi/libonnxruntime.so*",
}
# Whose C functions the native runner knows: LiteRT's change from release to release, and another
# library is refused by `runners/native/litert.c`. Of onnxruntime all from 1.17 on are alike.
TRIED: Final[Mapping[Runtime, tuple[str, ...]]] = {"litert": ("2.3.0",)}
# Without contraction: generated inputs are numpy's, bit by bit, on every machine.
FLAGS: Final = (
    *("-std=c11", "-D_GNU_SOURCE", "-O2", "-s", "-ffp-contract=off"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion"),
    *("-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"),
)
COMPILE_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C compiler for one kind of machine.

    Attributes:
        version: All that it says of itself.
    """

    argv: tuple[str, ...]
    version: str


def built(
    machine: str, *, cache: Path, compiler: Compiler | None = None, flags: Sequence[str] = ()
) -> Path:
    """The native runner for a machine, made once for the same sources, flags and compiler.

    Args:
        machine: As `uname -m` names it.
        cache: Folder of the host where it is kept.
        flags: More of them, such as those of a sanitizer.

    Raises:
        NotDone: There is no compiler for the machine, or it refuses the sources.
    """
    by = compiler or found_compiler(machine)
    sources = sorted(shipped("runners").joinpath("native").glob("*.[ch]"))
    digest = hashlib.sha256("\0".join([by.version, *by.argv, *FLAGS, *flags]).encode())
    for source in sources:
        digest.update(f"\0{source.name}\0".encode() + source.read_bytes())
    binary = cache / "native" / f"edgebench-native-{machine}-{digest.hexdigest()[:16]}"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=binary.parent, prefix=".making-") as scratch:
            made = Path(scratch) / binary.name
            units = [str(source) for source in sources if source.suffix == ".c"]
            _compile([*by.argv, *FLAGS, *flags, *units, "-o", str(made), "-ldl", "-lm"])
            made.replace(binary)
    return binary


@functools.cache
def found_compiler(machine: str) -> Compiler:
    """Zig where it is installed, else a compiler of this system for the machine.

    Raises:
        NotDone: There is none.
    """
    for argv, asked in _candidates(machine):
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Compiler(argv=argv, version=done.stdout)
    msg = f"There is no C compiler here for {machine}, which the native runner needs."
    raise NotDone(msg, hint="pip install 'edgebench[native]' brings one for every kind of board.")


def library_in(tree: Path, runtime: Runtime) -> Path:
    """The C library of a runtime in a folder of packages, such as an unpacked wheel.

    Raises:
        NotDone: It is not there, or the native runner cannot run this runtime.
    """
    pattern = LIBRARIES.get(runtime)
    found = sorted(tree.glob(pattern)) if pattern else []
    if not found:
        msg = f"{str(tree)!r} has no C library of {runtime}."
        hint = f"The native runner runs {' and '.join(LIBRARIES)}, by the library in their wheels."
        raise NotDone(msg, hint=hint)
    return found[0]


def launch_argv(binary: PurePath, library: PurePath) -> tuple[str, ...]:
    """How the native runner is started, less the path of the job document; paths of the device.

    >>> launch_argv(PurePath("/opt/edgebench-native"), PurePath("/opt/libLiteRt.so"))
    ('/opt/edgebench-native', '/opt/libLiteRt.so')
    """
    return (str(binary), str(library))


def _candidates(machine: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Compilers that may be here and how their version is asked for, the best first.

    A compiler of the system comes last, for it binds to the system's own C library.
    """
    zig = (sys.executable, "-m", "ziglang")
    if machine in TARGETS and importlib.util.find_spec("ziglang") is not None:
        yield (*zig, "cc", "-target", TARGETS[machine]), (*zig, "version")
    names = [f"{machine}-linux-gnu-gcc", *(("cc",) if machine == platform.machine() else ())]
    yield from (((path,), (path, "--version")) for path in map(shutil.which, names) if path)


def _compile(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=COMPILE_S, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{argv[0]} did not compile the native runner within {COMPILE_S:g} s."
        raise NotDone(msg, hint="Is the machine busy? It takes some seconds otherwise.") from error
    if done.returncode != 0:
        msg = f"{argv[0]} does not compile the native runner: {done.stderr.strip()[-600:]}"
        raise NotDone(msg, hint="pip install 'edgebench[native]' brings a compiler that does.")
