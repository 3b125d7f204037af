"""Read files and programs of the device again and again, and keep what they said and when.

    python -s watch.py SPEC.json OUT.jsonl

Runs beside the runner as a process of its own, so that no sample of a latency holds a reading, and
ends when its standard input does: whoever started it may be killed. OUT holds one JSON array a
line, `[time_ns, source, text]` on CLOCK_MONOTONIC, or `[time_ns, source, null, error]`; the last
line is an object with what the watching itself cost. SPEC holds

    sources   name, path or argv, period_s; with `"stream": true` argv is started once, and each
              line that it prints is a reading
    cpus      where to run, so that the model keeps its own cores; null for anywhere
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import time

CHARACTERS_MAX = 65536
COMMAND_TIMEOUT_S = 5.0
FLUSH_BYTES = 1 << 20
# What a board that is watched for hours may write at most.
OUT_BYTES_MAX = 256 << 20


class Output:
    """Lines, written when there are many or at the end: a write is work for the board."""

    def __init__(self, stream):
        self.stream = stream
        self.kept = []
        self.kept_bytes = 0
        self.total_bytes = 0
        self.readings = 0

    def add(self, row):
        """Keep a row, as long as there are not too many."""
        if self.total_bytes > OUT_BYTES_MAX:
            return
        line = json.dumps(row).encode() + b"\n"
        self.kept.append(line)
        self.kept_bytes += len(line)
        self.total_bytes += len(line)
        self.readings += 1
        if self.kept_bytes > FLUSH_BYTES:
            self.flush()

    def flush(self):
        """Write what is kept."""
        self.stream.write(b"".join(self.kept))
        self.stream.flush()
        self.kept, self.kept_bytes = [], 0


class File:
    """A file of the kernel's, kept open: each `pread` at its beginning makes it speak anew."""

    def __init__(self, source):
        self.path = source["path"]
        self.handle = None

    def read(self):
        """What it says now."""
        try:
            if self.handle is None:
                self.handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return os.pread(self.handle, CHARACTERS_MAX, 0)
        except OSError:
            if self.handle is not None:
                os.close(self.handle)
                self.handle = None
            raise


class Program:
    """A program that is run for every reading."""

    def __init__(self, source):
        self.argv = source["argv"]

    def read(self):
        """What it prints."""
        done = subprocess.run(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            words = done.stdout[-200:].decode("utf-8", "replace").strip()
            raise OSError(done.returncode, words or "ended with code %d" % done.returncode)
        return done.stdout[:CHARACTERS_MAX]


class Stream:
    """A program that speaks by itself, a reading a line."""

    def __init__(self, source):
        self.name = source["name"]
        self.rest = b""
        self.process = subprocess.Popen(
            source["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.handle = self.process.stdout.fileno()

    def lines(self):
        """The whole lines that have come in; None at the end."""
        found = os.read(self.handle, CHARACTERS_MAX)
        if not found:
            return None
        *lines, self.rest = (self.rest + found).split(b"\n")
        self.rest = self.rest[-CHARACTERS_MAX:]
        return lines

    def end(self):
        """End the program."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def look(name, reader, output):
    """One reading, at the middle of the time that it took."""
    begin = time.monotonic_ns()
    try:
        text = reader.read().decode("utf-8", "replace")
        output.add([(begin + time.monotonic_ns()) // 2, name, text])
    except (OSError, subprocess.TimeoutExpired) as error:
        output.add([begin, name, None, str(error)[:200]])


def start_stream(source, output):
    """A program that speaks; None, and a row that says why, where it cannot be started."""
    try:
        return Stream(source)
    except OSError as error:
        output.add([time.monotonic_ns(), source["name"], None, str(error)[:200]])
        return None


def hear(streams, ready, output):
    """Take what the programs said; the streams that go on."""
    for stream in [stream for stream in streams if stream.handle in ready]:
        now = time.monotonic_ns()
        lines = stream.lines()
        if lines is None:
            output.add([now, stream.name, None, "it ended"])
            stream.end()
            streams = [other for other in streams if other is not stream]
            continue
        for line in lines:
            output.add([now, stream.name, line.decode("utf-8", "replace")])
    return streams


def watch(sources, output, stop):
    """Read each source at its period until `stop`, a file descriptor, is at its end."""
    streams = [start_stream(s, output) for s in sources if s.get("stream")]
    streams = [stream for stream in streams if stream is not None]
    polled = [s for s in sources if not s.get("stream")]
    readers = [(Program if "argv" in s else File)(s) for s in polled]
    periods = [int(s["period_s"] * 1e9) for s in polled]
    due = [time.monotonic_ns()] * len(polled)
    try:
        while True:
            now = time.monotonic_ns()
            for index, source in enumerate(polled):
                if due[index] <= now:
                    look(source["name"], readers[index], output)
                    # Beats that were missed are not made up for.
                    due[index] = max(due[index] + periods[index], time.monotonic_ns())
            wait_s = max(min(due) - time.monotonic_ns(), 0) / 1e9 if due else None
            ready, _, _ = select.select([stop] + [s.handle for s in streams], [], [], wait_s)
            if stop in ready and not os.read(stop, 4096):
                break
            streams = hear(streams, ready, output)
        # Once more at the end: what is read rarely is a difference of first and last.
        for source, reader in zip(polled, readers):
            look(source["name"], reader, output)
    finally:
        for stream in streams:
            stream.end()


def keep_to(cpus):
    """Stay on some cores, where the kernel lets us."""
    if cpus:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cpus)


def main(argv):
    with open(argv[1], encoding="utf-8") as stream:
        spec = json.load(stream)
    keep_to(spec.get("cpus"))
    with open(argv[2], "wb") as stream:
        output = Output(stream)
        begin = time.monotonic_ns()
        watch(spec["sources"], output, sys.stdin.fileno())
        used = os.times()
        cost = {
            "begin_ns": begin,
            "end_ns": time.monotonic_ns(),
            "cpu_s": used.user + used.system + used.children_user + used.children_system,
            "readings": output.readings,
        }
        output.add(cost)
        output.flush()


if __name__ == "__main__":
    main(sys.argv)
