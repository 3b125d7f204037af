"""A run over a link that is poor, and breaks while the board is measured."""

import os
import threading

import pytest

from tests.carrier import Quality
from tests.conftest import opened, state_of
from tests.sshd import started
from tests.workflow.runs import document, only_run, processes_of

POOR = Quality(delay_ms=20, jitter_ms=10, loss_percent=1)
CUT = Quality(is_up=False)
# Shorter than a link takes to be given up, and longer.
CUTS_S = (2.0, 14.0)


@pytest.fixture
def far():
    with opened(started(far="tunnel" if os.geteuid() == 0 else "relay")) as server:
        yield server


@pytest.fixture
def breaks(far):
    """How often the link broke, first as a job began. It is poor for as long as the test lasts."""
    is_over = threading.Event()
    broken: list[float] = []
    jobs = far.seen(far.home / ".cache/edgebench/jobs")

    def change():
        while not list(jobs.glob("*")) and not is_over.wait(0.02):
            continue
        for pause_s in CUTS_S:
            far.link.becomes(CUT)
            broken.append(pause_s)
            is_over.wait(pause_s)
            far.link.becomes(POOR)
            is_over.wait(1)

    far.link.becomes(POOR)
    thread = threading.Thread(target=change)
    thread.start()
    yield broken
    is_over.set()
    thread.join()


def test_a_run_over_a_link_that_breaks_and_comes_back_measures_all_of_it_once(
    plan_with, far, breaks, wheels, edgebench, tmp_path
):
    board = f'[[device]]\nname = "board"\naddress = "{far.address}"\n'
    plan = plan_with('[[variant]]\nname = "float"\n' + board)
    env = {"EDGEBENCH_SSH_CONFIG": str(far.config), "EDGEBENCH_CACHE": str(wheels)}
    (cell,) = document(edgebench("run", plan, "--json", **env))["cells"]
    assert (state_of(cell), cell["latency_ms"]["processes"]) == ("measured", 3)
    assert cell["accuracy"]["value"] == 1.0
    assert len(processes_of(only_run(tmp_path / "results"))) == 3
    assert breaks == list(CUTS_S)
    assert list(far.seen(far.home / ".cache/edgebench/jobs").iterdir()) == []
