"""A small adbd, the device's side of adb, on a TCP port: `python3 -m tests.adbd PORT FAULTS`.

With `ROOT UID` after them, it takes that root and that user once its own modules are loaded.

FAULTS is a JSON file that is read anew for each packet, so that a test may switch them on:
  auth          "accept" a key that is shown, or "refuse" every one; any is taken where it is absent
  silent        a connection is never answered, as by a device that hangs
  without       features that it does not have
  terminal      the old `shell:` stands behind a terminal, which changes line feeds
  drop_after    bytes after which a connection is dropped
  endless       a file that is asked for has no end
  damage        a file that is sent arrives as another
  stall_after   bytes after which nothing is answered any more
SIGUSR1 drops all connections at once; what runs behind them goes on.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from tests.adbd import auth, shell, sync
from tests.adbd.wire import DATA_MAX, VERSION, Packets, Stream

FEATURES = ("shell_v2", "cmd", "stat_v2", "ls_v2", "fixed_push_mkdir", "sendrecv_v2")
TOKEN, SIGNATURE, PUBLIC_KEY = 1, 2, 3
KEYS: set[tuple[int, int]] = set()


class Connection:
    """One client's server, with the streams that it opened."""

    def __init__(self, packets, faults):
        self.packets, self.faults = packets, faults
        self.streams, self.tasks = {}, set()
        self.token = os.urandom(20)
        self.is_trusted = False

    async def serve(self):
        try:
            while True:
                name, first, second, data = await self.packets.receive()
                await self.answer(name, first, second, data)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.packets.abort()
        finally:
            for stream in self.streams.values():
                stream.hang_up()
            for task in self.tasks:
                task.cancel()

    async def answer(self, name, first, second, data):
        if name == b"CNXN":
            await self.connect(second)
        elif name == b"AUTH":
            await self.authenticate(first, data)
        elif name == b"OPEN" and self.is_trusted:
            stream = Stream(self.packets, len(self.streams) + 1, first)
            self.streams[stream.local] = stream
            task = asyncio.create_task(self.run(stream, os.fsdecode(data.rstrip(b"\0"))))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif second in self.streams:
            self.pass_on(name, self.streams[second], data)

    def pass_on(self, name, stream, data):
        if name == b"OKAY":
            stream.was_taken()
        elif name == b"WRTE":
            stream.arrive(data)
        elif name == b"CLSE":
            stream.hang_up()

    async def connect(self, data_max):
        self.packets.data_max = min(data_max, DATA_MAX)
        faults = self.faults()
        if faults.get("silent"):
            return
        if "auth" in faults:
            await self.packets.send(b"AUTH", TOKEN, 0, self.token)
        else:
            await self.greet()

    async def authenticate(self, kind, data):
        is_signed = kind == SIGNATURE and auth.is_signed(self.token, data, KEYS)
        is_accepted = kind == PUBLIC_KEY and self.faults().get("auth") == "accept"
        if is_accepted:
            KEYS.add(auth.key_of(data))
        if is_signed or is_accepted:
            await self.greet()
        elif kind == SIGNATURE:
            self.token = os.urandom(20)
            await self.packets.send(b"AUTH", TOKEN, 0, self.token)

    async def greet(self):
        self.is_trusted = True
        without = self.faults().get("without", [])
        features = ",".join(name for name in FEATURES if name not in without)
        banner = f"device::ro.product.model=Phone;features={features}"
        await self.packets.send(b"CNXN", VERSION, DATA_MAX, banner.encode())

    async def run(self, stream, destination):
        service, _, argument = destination.partition(":")
        kind = service.split(",")[0]
        with contextlib.suppress(EOFError, ConnectionError):
            await self.packets.send(b"OKAY", stream.local, stream.remote)
            if kind == "sync":
                await sync.serve(stream, self.faults())
            elif ",v2" in service:
                await shell.serve_v2(stream, argument)
            elif kind == "shell" and self.faults().get("terminal"):
                await shell.serve_terminal(stream, argument)
            elif kind in {"shell", "exec"}:
                await shell.serve_raw(stream, argument)
            stream.hang_up()
            await self.packets.send(b"CLSE", stream.local, stream.remote)


async def serve(port, path):
    """Serve until the process is ended."""
    open_links = set()

    def faults():
        return json.loads(path.read_text())

    async def accept(reader, writer):
        packets = Packets(reader, writer, faults)
        open_links.add(packets)
        await Connection(packets, faults).serve()
        open_links.discard(packets)

    def drop():
        for packets in open_links:
            packets.abort()

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, drop)
    server = await asyncio.start_server(accept, "127.0.0.1", port)
    await server.serve_forever()


def move(root, uid):
    """Be where the phone is, which has no Python."""
    os.chroot(root)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        move(sys.argv[3], int(sys.argv[4]))
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
