"""The packets of adb, and streams over one connection: CNXN, AUTH, OPEN, OKAY, WRTE, CLSE.

https://android.googlesource.com/platform/packages/modules/adb/+/refs/heads/main/protocol.txt
"""

import asyncio
import struct

COMMANDS = {name: int.from_bytes(name, "little") for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY")}
COMMANDS |= {name: int.from_bytes(name, "little") for name in (b"WRTE", b"CLSE")}
NAMES = {value: name for name, value in COMMANDS.items()}
VERSION = 0x01000001  # of those that leave the checksum out
DATA_MAX = 1 << 20


class LinkDroppedError(ConnectionError):
    """The link is to be dropped here."""


class Packets:
    """Reads and writes packets, until as many bytes went over the link as a fault lets through."""

    def __init__(self, reader, writer, faults):
        self._reader, self._writer, self._faults = reader, writer, faults
        self._lock = asyncio.Lock()
        self._passed = 0
        self.data_max = 4096

    async def receive(self):
        header = await self._reader.readexactly(24)
        command, first, second, size, _, magic = struct.unpack("<6I", header)
        if command ^ 0xFFFFFFFF != magic or size > DATA_MAX:
            raise LinkDroppedError("no packet of adb")
        data = await self._reader.readexactly(size) if size else b""
        await self._count(size)
        return NAMES.get(command), first, second, data

    async def send(self, name, first, second, data=b""):
        command = COMMANDS[name]
        head = struct.pack("<6I", command, first, second, len(data), 0, command ^ 0xFFFFFFFF)
        await self._count(len(data))
        async with self._lock:
            self._writer.write(head + bytes(data))
            await self._writer.drain()

    async def _count(self, size):
        faults = self._faults()
        self._passed += size
        if self._passed > faults.get("drop_after", self._passed):
            self.abort()
            raise LinkDroppedError("the fault `drop_after`")
        if self._passed > faults.get("stall_after", self._passed):
            await asyncio.sleep(3600)

    def abort(self):
        self._writer.transport.abort()


class Stream:
    """Bytes both ways between a service and the client, one packet in flight in each direction."""

    def __init__(self, packets, local, remote):
        self._packets, self.local, self.remote = packets, local, remote
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._buffer = bytearray()
        self._taken = asyncio.Event()
        self.is_closed = False

    def arrive(self, data):
        self._arrived.put_nowait(data)

    def was_taken(self):
        self._taken.set()

    def hang_up(self):
        self.is_closed = True
        self._arrived.put_nowait(b"")
        self._taken.set()

    async def _more(self):
        data = await self._arrived.get()
        if not data:
            self._arrived.put_nowait(b"")
            raise EOFError
        await self._packets.send(b"OKAY", self.local, self.remote)
        return data

    async def read_some(self):
        """Whatever comes next; EOFError where the client hung up."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        return await self._more()

    async def read(self, size):
        while len(self._buffer) < size:
            self._buffer += await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def write(self, data):
        for begin in range(0, len(data), self._packets.data_max):
            if self.is_closed:
                raise EOFError
            self._taken.clear()
            part = data[begin : begin + self._packets.data_max]
            await self._packets.send(b"WRTE", self.local, self.remote, part)
            await self._taken.wait()
