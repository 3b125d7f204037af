"""Which shared libraries a program or a library asks for, read out of its file.

System V ABI, chapters 4 and 5: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_DT_NULL: Final = 0
_DT_NEEDED: Final = 1
_DT_STRTAB: Final = 5


def needed(path: Path) -> tuple[str, ...]:
    """Names of the libraries that a file asks for; none where it is no 64-bit little-endian ELF."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return ()
    segments = tuple(_segments(data))
    entries = [
        entry
        for kind, at, _, size in segments
        if kind == _PT_DYNAMIC
        for entry in _entries(data, at, size)
    ]
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    if not tables:
        return ()
    table = _offset(segments, tables[0])
    names = (table + value for tag, value in entries if tag == _DT_NEEDED)
    return tuple(data[at : data.index(b"\0", at)].decode() for at in names)


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset, address and size of each."""
    (first,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", data, first + index * size)
        yield kind, at, address, length


def _entries(data: bytes, at: int, size: int) -> Iterator[tuple[int, int]]:
    for tag, value in struct.iter_unpack("<qQ", data[at : at + size - size % 16]):
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset(segments: tuple[tuple[int, int, int, int], ...], address: int) -> int:
    """Where in the file an address is from."""
    for kind, at, begin, size in segments:
        if kind == _PT_LOAD and begin <= address < begin + size:
            return at + address - begin
    return address
