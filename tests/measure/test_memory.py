"""What checkpoints come to."""

from dataclasses import replace

import pytest

from edgebench.core import MemoryCheckpoint, MemoryProcess, Reason
from edgebench.measure.memory import summarize_memory

MB = 1 << 20


def point(anonymous, file, *, peak=None, swap=0):
    size = (anonymous + file) * MB
    return MemoryCheckpoint(
        rss_bytes=size + 5 * MB,
        pss_bytes=size,
        anonymous_bytes=anonymous * MB,
        file_bytes=file * MB,
        private_bytes=size,
        swap_bytes=swap,
        peak_bytes=None if peak is None else peak * MB,
    )


HEALTHY = MemoryProcess(
    s0=point(5, 2),
    s1=point(20, 10),
    s2=point(60, 20, peak=150),
    s3=point(70, 25, peak=100),
    s4=point(70, 25, peak=160),
)


def test_a_model_is_what_came_after_the_runtime():
    found = summarize_memory([HEALTHY])
    assert found is not None
    assert found.model_bytes == 65 * MB
    assert found.anonymous_bytes == 50 * MB
    assert found.total_bytes == 95 * MB
    assert found.load_peak_bytes == (150 - 35) * MB
    assert found.run_peak_bytes == (160 - 35) * MB
    assert found.spread_bytes == 0
    assert found.reasons == ()


def test_the_middle_process_counts_and_the_spread_is_told():
    processes = [replace(HEALTHY, s3=point(70 + more, 25, peak=100)) for more in (0, 1, 50)]
    found = summarize_memory(processes)
    assert found is not None
    assert found.model_bytes == 66 * MB
    assert found.spread_bytes == 50 * MB


def test_a_peak_is_not_below_what_is_resident_when_the_kernel_tells_it():
    processes = [replace(HEALTHY, s2=point(60, 20, peak=84), s3=HEALTHY.s2, s4=HEALTHY.s2)]
    found = summarize_memory(processes)
    assert found is not None
    assert found.load_peak_bytes == (85 - 35) * MB
    assert found.run_peak_bytes == (150 - 35) * MB


def test_a_peak_that_the_kernel_does_not_tell_is_missing():
    found = summarize_memory([replace(HEALTHY, s2=point(60, 20), s4=point(70, 25))])
    assert found is not None
    assert (found.load_peak_bytes, found.run_peak_bytes) == (None, None)
    assert found.model_bytes == 65 * MB
    assert found.reasons == (Reason.PERMISSION,)


@pytest.mark.parametrize(
    ("growths", "is_doubted"),
    [((0,), False), ((1,), False), ((2,), True), ((2, 0, 2), False), ((2, 3, 9), True)],
)
def test_growth_in_every_process_is_a_leak(growths, is_doubted):
    processes = [replace(HEALTHY, s4=point(70 + growth, 25, peak=160)) for growth in growths]
    found = summarize_memory(processes)
    assert found is not None
    assert (Reason.LEAK_SUSPECT in found.reasons) is is_doubted


def test_a_process_that_was_swapped_out_has_no_numbers():
    found = summarize_memory([HEALTHY, replace(HEALTHY, s4=point(70, 25, peak=160, swap=4096))])
    assert found is not None
    assert found.model_bytes is None
    assert found.total_bytes is None
    assert found.reasons == (Reason.SWAP,)


def test_no_process_comes_to_nothing():
    assert summarize_memory([]) is None
