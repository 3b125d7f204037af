import signal
import subprocess
import sys
import threading
import time

import pytest

from edgebench.compress.crew import Crew, available_bytes, kill
from edgebench.errors import CompressionError

ALL = available_bytes()


def test_what_does_not_fit_beside_the_others_waits_for_them():
    crew, order = Crew(2), []
    inside, may_leave = threading.Event(), threading.Event()

    def large():
        with crew.place(ALL):
            order.append("large")
            inside.set()
            may_leave.wait(30)
            order.append("large leaves")

    def second():
        inside.wait(30)
        with crew.place(ALL):
            order.append("second")

    threads = [threading.Thread(target=large), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    inside.wait(30)
    time.sleep(0.1)
    assert order == ["large"]
    may_leave.set()
    for thread in threads:
        thread.join(30)
    assert order == ["large", "large leaves", "second"]


def test_alone_even_what_is_too_large_gets_its_place():
    with Crew(1).place(100 * ALL):
        pass


def test_an_error_ends_every_worker_and_is_raised():
    crew = Crew(2)
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = threading.Event()
    codes = []

    def work(item):
        if item == "fails":
            started.wait(30)
            raise ValueError(item)
        with subprocess.Popen(sleeps, process_group=0) as process, crew.with_(process):
            started.set()
            codes.append(process.wait())

    with pytest.raises(ValueError, match="fails"):
        crew.map(work, ["fails", "sleeps"])
    assert codes == [-9]


def test_whoever_waits_when_all_ends_gets_no_place():
    crew = Crew(1)
    crew.end()
    with pytest.raises(CompressionError, match="was ended"), crew.place(1):
        pass


def test_memory_is_what_the_kernel_says(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:   50 kB\n")
    assert available_bytes(tmp_path / "meminfo") == 50 * 1024
    assert available_bytes(tmp_path / "missing") > 1 << 60


def test_what_a_worker_started_ends_with_it():
    argv = ["bash", "-c", "sleep 300 & wait"]
    # Open as long as somebody writes to it: bash, and the program that bash started.
    with subprocess.Popen(argv, stdout=subprocess.PIPE, process_group=0) as worker:
        time.sleep(0.2)
        kill(worker)
        assert worker.stdout is not None
        assert worker.stdout.read() == b""
        assert worker.wait(30) == -signal.SIGKILL
        kill(worker)
