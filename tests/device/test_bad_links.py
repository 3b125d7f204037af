"""Links that are slow, lose packets and break, over packets of a network and over a stream."""

import os
import threading
import time
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from edgebench.device.connect import connect
from edgebench.device.files import deliver, fetch, sha256_of
from edgebench.device.patience import patiently
from edgebench.errors import DeviceError
from tests.carrier import Quality
from tests.conftest import opened
from tests.device.conftest import arrives_in
from tests.sshd import started

CUT = Quality(is_up=False)
POOR = Quality(delay_ms=15, jitter_ms=10, loss_percent=1, rate_mbit_s=40)


@pytest.fixture(scope="module", params=["tunnel", "relay"])
def server(request):
    with opened(started(far=request.param)) as found:
        yield found


@pytest.fixture
def far(server, monkeypatch):
    """The board behind the link, which is as good as can be before each test and after it."""
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
    device = connect(server.address)
    yield device
    server.link.becomes(Quality())
    device.transport.close()


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(os.urandom(4_000_000))
    return path


def test_an_answer_takes_the_time_of_its_way(server, far):
    server.link.becomes(Quality(delay_ms=150))
    began = time.monotonic()
    assert far.transport.run(["echo", "answer"]).stdout == b"answer\n"
    assert time.monotonic() - began >= 0.3


def test_a_file_takes_the_time_of_its_bits(server, far, big):
    server.link.becomes(Quality(rate_mbit_s=20))
    began = time.monotonic()
    far.transport.push(big, PurePosixPath(server.home) / "big")
    assert time.monotonic() - began >= 4_000_000 * 8 / 20e6


def test_a_file_arrives_whole_over_a_poor_link_and_comes_back(server, far, big, tmp_path):
    before = server.link.becomes(POOR)
    place = deliver(far, big)
    assert fetch(far, place, tmp_path / "back").read_bytes() == big.read_bytes()
    after = server.link.becomes(Quality())
    assert after["lost"] > before["lost"]


def breaks_in_a_push(server, work, pause_s):
    """Cut the link once something of a file has come, and mend it a while later; what was there."""
    there: list[str] = []

    def watch():
        deadline = time.monotonic() + 60
        while not arrives_in(work) and time.monotonic() < deadline:
            time.sleep(0.01)
        server.link.becomes(CUT)
        there.extend(path.name for path in work.rglob("*"))
        time.sleep(pause_s)
        server.link.becomes(Quality())

    thread = threading.Thread(target=watch)
    thread.start()
    return thread, there


def test_a_push_goes_on_where_the_link_comes_back_soon(server, far, big):
    device = replace(far, work_folder=far.work_folder / "soon")
    server.link.becomes(Quality(rate_mbit_s=10))
    sent: list[str] = []
    watch, there = breaks_in_a_push(server, server.seen(device.work_folder), 2)
    place = deliver(device, big, progress=sent.append)
    watch.join()
    assert there
    assert place.name not in there
    assert len(sent) == 1
    assert sha256_of(server.seen(place)) == sha256_of(big)


def test_a_call_over_a_link_that_is_down_ends_and_the_next_is_answered(server, far):
    server.link.becomes(CUT)
    with pytest.raises(DeviceError):
        far.transport.run(["true"], timeout_s=2)
    server.link.becomes(Quality())
    assert patiently(lambda: far.transport.run(["echo", "back"])).stdout == b"back\n"
