"""The native runner is made for any board that it is meant for, once."""

import importlib.util
import io
import re
import struct
import tarfile

import pytest

from edgebench.device.native import TARGETS, TRIED, Compiler, built, found_compiler, library_in
from edgebench.device.wheels import needs_of, pack
from edgebench.errors import NotDone
from edgebench.runner import shipped
from tests.conftest import miss
from tests.runners.conftest import CACHE

# e_machine of the ELF header: System V ABI, gABI 4.1.
MACHINES = {"aarch64": 183, "x86_64": 62}


@pytest.mark.parametrize("machine", sorted(TARGETS))
def test_it_is_made_for_boards_with_an_old_c_library(machine, tmp_path):
    if importlib.util.find_spec("ziglang") is None:
        miss("ziglang is not installed")
    binary = built(machine, cache=CACHE)
    head = binary.read_bytes()[:20]
    assert head[:6] == b"\x7fELF\x02\x01"  # 64 bits, little-endian
    assert struct.unpack("<H", head[18:20]) == (MACHINES[machine],)
    (tmp_path / "runner.so").symlink_to(binary)
    assert needs_of(tmp_path) == {"GLIBC": "2.17"}


def compiler_that(script, tmp_path):
    program = tmp_path / "cc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Compiler(argv=(str(program),), version="1")


def test_it_is_made_once_for_the_same_sources_flags_and_compiler(tmp_path):
    count = tmp_path / "count"
    script = f'echo x >> {count}; while [ "$1" != -o ]; do shift; done; echo made > "$2"'
    by = compiler_that(script, tmp_path)
    first = built("riscv64", cache=tmp_path, compiler=by)
    assert built("riscv64", cache=tmp_path, compiler=by) == first
    assert count.read_text() == "x\n"
    other = built("riscv64", cache=tmp_path, compiler=by, flags=("-O0",))
    newer = built("riscv64", cache=tmp_path, compiler=Compiler(argv=by.argv, version="2"), flags=())
    assert len({first, other, newer}) == 3
    assert first.read_text() == "made\n"


def test_a_compiler_that_refuses_is_heard(tmp_path):
    by = compiler_that("echo no such option >&2; exit 1", tmp_path)
    with pytest.raises(NotDone, match="does not compile the native runner: no such option"):
        built("aarch64", cache=tmp_path, compiler=by)
    assert [path.name for path in (tmp_path / "native").iterdir()] == []


def test_without_a_compiler_the_command_that_brings_one_is_named():
    with pytest.raises(NotDone, match="no C compiler here for mips64") as failure:
        found_compiler("mips64")
    assert "pip install 'edgebench[native]'" in str(failure.value.hint)


def test_the_library_of_a_runtime_is_found_in_its_wheel(tmp_path):
    library = tmp_path / "onnxruntime" / "capi" / "libonnxruntime.so.1.32.0"
    library.parent.mkdir(parents=True)
    library.touch()
    assert library_in(tmp_path, "onnxruntime") == library
    for runtime in ("litert", "tflite-runtime"):
        with pytest.raises(NotDone, match=f"no C library of {runtime}"):
            library_in(tmp_path, runtime)


def test_host_and_runner_know_the_same_releases():
    table = (shipped("runners") / "native" / "litert.c").read_text()
    assert set(re.findall(r'0x[0-9A-F]{8}, "([\d.]+)"', table)) == set(TRIED["litert"])


def test_no_board_is_sent_the_sources():
    with tarfile.open(fileobj=io.BytesIO(pack(shipped("runners")))) as archive:
        names = archive.getnames()
    assert "run.py" in names
    assert [name for name in names if name.endswith((".c", ".h"))] == []
