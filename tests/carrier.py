"""The program that carries what goes over a link of the tests, as badly as it is told to.

Between two TUN devices, of which one lies in the network namespace of a board; or, where nobody may
make such, between a port of the loopback and another. It ends with its standard input.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import selectors
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

TUNSETIFF: Final = 0x400454CA
TUN_WITHOUT_HEADER: Final = 0x0001 | 0x1000
PACKET_BYTES_MAX: Final = 2048
QUEUE_PACKETS_MAX: Final = 1000
# What a relay knows is a stream, and a packet that is lost there comes late: by Linux' shortest.
RETRANSMITTED_AFTER_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What a link is like, the same in both directions.

    Attributes:
        delay_ms: One way.
        jitter_ms: Added to the delay, up to this; packets keep their order, as over Wi-Fi.
        loss_percent: Of the packets.
        rate_mbit_s: None for as fast as this machine is.
        is_up: Where it is not, all that is sent is lost, and nobody is told.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0
    rate_mbit_s: float | None = None
    is_up: bool = True


@dataclass(kw_only=True)
class Way:
    """One direction of a link."""

    dice: random.Random
    queue: deque[tuple[float, bytes]] = field(default_factory=deque)
    is_free_at: float = 0.0
    arrives_at: float = 0.0
    sent: int = 0
    lost: int = 0

    def take(self, packet: bytes, quality: Quality, now: float) -> None:
        """A packet is sent."""
        self.sent += 1
        is_lost = not quality.is_up or self.dice.uniform(0, 100) < quality.loss_percent
        if is_lost or len(self.queue) >= QUEUE_PACKETS_MAX:
            self.lost += 1
        else:
            self.queue.append((self.arrival(len(packet), quality, now), packet))

    def arrival(self, size: int, quality: Quality, now: float) -> float:
        """When what is sent now arrives: after all that was sent before."""
        begin = max(now, self.is_free_at)
        if quality.rate_mbit_s is not None:
            begin += size * 8 / (quality.rate_mbit_s * 1e6)
            self.is_free_at = begin
        late_ms = quality.delay_ms + self.dice.uniform(0, quality.jitter_ms)
        self.arrives_at = max(self.arrives_at, begin + late_ms / 1e3)
        return self.arrives_at

    def arrived(self, now: float) -> Iterator[bytes]:
        """What comes out at the other end."""
        while self.queue and self.queue[0][0] <= now:
            yield self.queue.popleft()[1]

    def cut(self) -> None:
        """What is on its way is lost."""
        self.lost += len(self.queue)
        self.queue.clear()


def _both() -> tuple[Way, Way]:
    return Way(dice=random.Random(1)), Way(dice=random.Random(2))


def _told(line: str, ways: tuple[Way, ...]) -> Quality:
    """What a link becomes; its counts are the answer."""
    quality = Quality(**json.loads(line))
    for way in ways:
        if not quality.is_up:
            way.cut()
    counts = {"sent": sum(way.sent for way in ways), "lost": sum(way.lost for way in ways)}
    _say(json.dumps(counts))
    return quality


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH14x", name.encode(), TUN_WITHOUT_HEADER)
    fcntl.ioctl(device, TUNSETIFF, request)
    return device


class Tunnel:
    """Two devices, and what is on its way between them."""

    def __init__(self, name: str) -> None:
        self._ends = [_tun(f"{name}a"), _tun(f"{name}b")]
        self._ways = _both()
        self._quality = Quality()

    def carry(self) -> None:
        """Carry packets until nobody wants a link any more."""
        _say("ready")
        with selectors.DefaultSelector() as selector:
            for end in (*self._ends, sys.stdin.fileno()):
                selector.register(end, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(self._patience_s())}
                if sys.stdin.fileno() in ready:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self._quality = _told(line, self._ways)
                self._take(ready)
                self._give()

    def _patience_s(self) -> float | None:
        due = min((way.queue[0][0] for way in self._ways if way.queue), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _take(self, ready: set[int]) -> None:
        for end, way in zip(self._ends, self._ways, strict=True):
            if end in ready:
                for packet in _waiting(end):
                    way.take(packet, self._quality, time.monotonic())

    def _give(self) -> None:
        for end, way in zip(reversed(self._ends), self._ways, strict=True):
            for packet in way.arrived(time.monotonic()):
                # An end that takes no more, or is gone, loses what comes.
                with contextlib.suppress(OSError):
                    os.write(end, packet)


def _waiting(device: int) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            yield os.read(device, PACKET_BYTES_MAX)


class Relay:
    """The same of streams: what is lost comes late, and what is cut waits."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._quality = Quality()
        self._changed = asyncio.Condition()
        self._ways: list[Way] = list(_both())

    async def carry(self) -> None:
        """Carry streams until nobody wants a link any more."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        _say(f"ready\n{server.sockets[0].getsockname()[1]}")
        async with server:
            while line := await asyncio.to_thread(sys.stdin.readline):
                async with self._changed:
                    self._quality = _told(line, tuple(self._ways))
                    self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        there, back = self._ways
        await asyncio.gather(
            self._pump(reader, inner_writer, there), self._pump(inner_reader, writer, back)
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE_PACKETS_MAX)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._take(reader, queue, way), self._give(queue, writer))
        writer.close()

    async def _take(
        self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]], way: Way
    ) -> None:
        packet = b"-"
        while packet:
            packet = await reader.read(PACKET_BYTES_MAX)
            now = time.monotonic()
            way.sent += 1
            if way.dice.uniform(0, 100) < self._quality.loss_percent:
                way.lost += 1
                now += RETRANSMITTED_AFTER_S
            await queue.put((way.arrival(len(packet), self._quality, now), packet))

    async def _give(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            arrival, packet = await queue.get()
            await asyncio.sleep(arrival - time.monotonic())
            async with self._changed:
                await self._changed.wait_for(lambda: self._quality.is_up)
            if not packet:
                return
            writer.write(packet)
            await writer.drain()


if __name__ == "__main__":
    if sys.argv[1] == "tunnel":
        Tunnel(sys.argv[2]).carry()
    else:
        asyncio.run(Relay(int(sys.argv[2])).carry())
