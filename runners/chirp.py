"""All cores at work for a while, then none, a few times over: a mark that a power meter can see.

    python -s chirp.py BEGIN_NS COUNT PULSE_NS

is one core of it: COUNT times at work and at rest, from BEGIN_NS of CLOCK_MONOTONIC on. A process
a core, for threads of Python take turns.
"""

import contextlib
import os
import subprocess
import sys
import time

import interpreter

# For the processes to have started, and for the power to have come to rest after that.
LEAD_S = 3.0
# Share of a pulse by which a core may begin late.
LATE_MAX = 0.2
END_TIMEOUT_S = 10.0
LATE = 3


def spins(begin_ns, count, pulse_ns):
    """From when to when the cores are at work."""
    starts = [begin_ns + 2 * index * pulse_ns for index in range(count)]
    return [[start, start + pulse_ns] for start in starts]


def wait_until(time_ns):
    time.sleep(max(time_ns - time.monotonic_ns(), 0) / 1e9)


def sing(count, pulse_s):
    """Let every core do it, wait for the end, and tell the spins; none where one came too late."""
    if not count:
        return []
    pulse_ns = int(pulse_s * 1e9)
    begin_ns = time.monotonic_ns() + int((LEAD_S + pulse_s) * 1e9)
    argv = [*interpreter.argv(), "-s", os.path.abspath(__file__)]
    argv += [str(begin_ns), str(count), str(pulse_ns)]
    cores = [subprocess.Popen(argv, stdin=subprocess.DEVNULL) for _ in range(os.cpu_count() or 1)]
    end_ns = begin_ns + 2 * count * pulse_ns
    wait_until(end_ns)
    codes = [ended(core) for core in cores]
    return [] if any(codes) else spins(begin_ns, count, pulse_ns)


def ended(core):
    """The exit code of a process that should be at its end."""
    try:
        return core.wait(timeout=END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        core.kill()
        return core.wait()


def main(argv):
    # The runner may be kept to some cores.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    for start, stop in spins(*[int(word) for word in argv[1:]]):
        wait_until(start)
        if time.monotonic_ns() > start + LATE_MAX * (stop - start):
            return LATE
        while time.monotonic_ns() < stop:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
