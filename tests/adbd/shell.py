"""The services `shell,v2:`, `shell:` and `exec:`: a command given to `sh`."""

import asyncio
import contextlib
import os
import pty
import signal
import struct

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
CHUNK = 32 * 1024


async def serve_v2(stream, command):
    """Streams apart, an end of the standard input, and the exit code."""
    process = await _started(command, stderr=asyncio.subprocess.PIPE)

    async def feed():
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, size = struct.unpack("<BI", await stream.read(5))
                data = await stream.read(size)
                if kind == STDIN:
                    process.stdin.write(data)
                    await process.stdin.drain()
                elif kind == CLOSE_STDIN:
                    process.stdin.close()
        if stream.is_closed:
            _hang_up(process)

    async def pass_on(kind, source):
        while data := await source.read(CHUNK):
            await stream.write(struct.pack("<BI", kind, len(data)) + data)

    async with _beside(feed(), process):
        await asyncio.gather(pass_on(STDOUT, process.stdout), pass_on(STDERR, process.stderr))
        code = await process.wait()
        code = code if code >= 0 else 128 - code
        await stream.write(struct.pack("<BIB", EXIT, 1, code))


async def serve_raw(stream, command):
    """One stream for both outputs, no exit code, and a standard input without an end."""
    process = await _started(command, stderr=asyncio.subprocess.STDOUT)

    async def feed():
        with contextlib.suppress(EOFError, OSError):
            while True:
                process.stdin.write(await stream.read_some())
                await process.stdin.drain()
        _hang_up(process)

    async with _beside(feed(), process):
        while data := await process.stdout.read(CHUNK):
            await stream.write(data)
        await process.wait()


async def serve_terminal(stream, command):
    """The same behind a terminal, as before Android 7: a line feed comes with a carriage return."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    reader = asyncio.StreamReader()
    file = os.fdopen(ours, "rb", 0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    with contextlib.suppress(OSError):  # how the end of a terminal is told
        while data := await reader.read(CHUNK):
            await stream.write(data)
    await process.wait()
    transport.close()


async def _started(command, *, stderr):
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        "sh", "-c", command, stdin=pipe, stdout=pipe, stderr=stderr, start_new_session=True
    )


@contextlib.asynccontextmanager
async def _beside(feed, process):
    task = asyncio.create_task(feed)
    try:
        yield
    finally:
        task.cancel()
        if process.returncode is None:
            _hang_up(process)


def _hang_up(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)
