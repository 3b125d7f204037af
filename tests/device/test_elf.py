"""What a file asks for is read as the system's own loader reads it."""

import struct
from pathlib import Path

import pytest

from edgebench.device.elf import needed
from tests.conftest import need


def test_the_libraries_of_a_program_are_found():
    program = Path(need("sh")).resolve()
    assert any(name.startswith("libc.so") for name in needed(program))


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(60)])
def test_what_is_no_such_file_asks_for_nothing(data, tmp_path):
    (tmp_path / "file").write_bytes(data)
    assert needed(tmp_path / "file") == ()


def test_a_static_program_asks_for_nothing(tmp_path):
    header = b"\x7fELF\x02\x01" + bytes(26) + struct.pack("<Q", 0) + bytes(14)
    (tmp_path / "file").write_bytes(header + struct.pack("<HH", 56, 0) + bytes(6))
    assert needed(tmp_path / "file") == ()
