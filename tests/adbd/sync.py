"""The service `sync:`: files both ways, by its first version and, where asked, by its second.

https://android.googlesource.com/platform/packages/modules/adb/+/refs/heads/main/SYNC.TXT
"""

import os
import stat
import struct
from pathlib import Path

CHUNK = 64 * 1024
LONG = 1024  # no header is


async def serve(stream, faults):
    """Answer one request after the other, until QUIT."""
    while True:
        name, size = struct.unpack("<4sI", await stream.read(8))
        argument = await stream.read(size)
        if name == b"QUIT":
            return
        handler = HANDLERS.get(name)
        if handler is None:
            await _fail(stream, f"unknown request {name!r}")
            return
        if faults.get("endless") and name in {b"RECV", b"RCV2"}:
            handler = _receive_for_ever
        await handler(Damaged(stream) if faults.get("damage") else stream, argument)


class Damaged:
    """A stream whose data arrive as something else."""

    def __init__(self, stream):
        self._stream = stream
        self.write = stream.write

    async def read(self, size):
        data = await self._stream.read(size)
        return data if size < LONG else data[::-1]


async def _fail(stream, words):
    data = words.encode()
    await stream.write(struct.pack("<4sI", b"FAIL", len(data)) + data)


def _first(path):
    try:
        found = path.lstat()
    except OSError:
        return bytes(12)
    return struct.pack("<3I", found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime))


def _second(path, *, is_followed):
    try:
        s = path.stat() if is_followed else path.lstat()
    except OSError as error:
        return struct.pack("<I", error.errno or 5) + bytes(64)
    who = (s.st_mode, s.st_nlink, s.st_uid, s.st_gid)
    times = (int(s.st_atime), int(s.st_mtime), int(s.st_ctime))
    return struct.pack("<I2Q4I4q", 0, s.st_dev, s.st_ino, *who, s.st_size, *times)


def _path(argument):
    return Path(os.fsdecode(argument))


async def _stat(stream, argument):
    await stream.write(b"STAT" + _first(_path(argument)))


async def _stat2(stream, argument):
    await stream.write(b"STA2" + _second(_path(argument), is_followed=True))


async def _lstat2(stream, argument):
    await stream.write(b"LST2" + _second(_path(argument), is_followed=False))


def _names(path):
    try:
        return [".", "..", *sorted(entry.name for entry in path.iterdir())]
    except OSError:
        return []


async def _list(stream, argument):
    for name in _names(_path(argument)):
        written = os.fsencode(name)
        entry = _first(_path(argument) / name) + struct.pack("<I", len(written))
        await stream.write(b"DENT" + entry + written)
    await stream.write(b"DONE" + bytes(16))


async def _list2(stream, argument):
    for name in _names(_path(argument)):
        written = os.fsencode(name)
        entry = _second(_path(argument) / name, is_followed=False)
        await stream.write(b"DNT2" + entry + struct.pack("<I", len(written)) + written)
    await stream.write(b"DONE" + bytes(72))


async def _send(stream, argument):
    path, _, mode = argument.rpartition(b",")
    await _take(stream, _path(path), int(mode))


async def _send2(stream, argument):
    _, mode, _ = struct.unpack("<4s2I", await stream.read(12))
    await _take(stream, _path(argument), mode)


async def _take(stream, path, mode):
    """Take a file; its data are read to their end also where they cannot be kept."""
    words = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.touch()
    except OSError as error:
        words = f"couldn't create file: {error.strerror}"
    while True:
        name, size = struct.unpack("<4sI", await stream.read(8))
        if name != b"DATA":
            break
        data = await stream.read(size)
        words = words or _kept(path, data)
    if words:
        await _fail(stream, words)
        return
    path.chmod(mode & 0o777 or 0o644)
    os.utime(path, (size, size))  # what came with DONE is the time
    await stream.write(struct.pack("<4sI", b"OKAY", 0))


def _kept(path, data):
    try:
        with path.open("ab") as file:
            file.write(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        return f"write failed: {error.strerror}"
    return None


async def _receive(stream, argument):
    try:
        if stat.S_ISDIR(_path(argument).stat().st_mode):
            await _fail(stream, "read failed: Is a directory")
            return
        with _path(argument).open("rb") as file:
            while data := file.read(CHUNK):
                await stream.write(struct.pack("<4sI", b"DATA", len(data)) + data)
        await stream.write(struct.pack("<4sI", b"DONE", 0))
    except OSError as error:
        await _fail(stream, f"open failed: {error.strerror}")


async def _receive_for_ever(stream, argument):
    while True:
        await stream.write(struct.pack("<4sI", b"DATA", CHUNK) + bytes(CHUNK))


async def _receive2(stream, argument):
    await stream.read(8)
    await _receive(stream, argument)


HANDLERS = {
    b"STAT": _stat,
    b"STA2": _stat2,
    b"LST2": _lstat2,
    b"LIST": _list,
    b"LIS2": _list2,
    b"SEND": _send,
    b"SND2": _send2,
    b"RECV": _receive,
    b"RCV2": _receive2,
}
