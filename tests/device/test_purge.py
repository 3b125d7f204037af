"""All that edgebench has put on a device can be taken away again, and nothing else."""

import time

import pytest

from edgebench.device.files import deliver, run_script
from edgebench.device.jobs import clean, start
from edgebench.device.purge import FOLDERS, purge
from edgebench.errors import DeviceError
from edgebench.runner import RunnerJob

JOB = RunnerJob(kind="latency", model="m.onnx", runtime="onnxruntime")


def names_in(device):
    return set(device.transport.run(["ls", "-A", str(device.work_folder)]).stdout.decode().split())


@pytest.fixture
def filled(device, tmp_path):
    """A device with a file of 300 kB of ours."""
    (tmp_path / "model").write_bytes(bytes(300_000))
    deliver(device, tmp_path / "model")
    return device


def test_everything_of_ours_is_taken_away_and_weighed(filled):
    assert purge(filled, print) >= 300_000
    assert filled.transport.run(["ls", "-d", str(filled.work_folder)]).exit_code != 0
    assert purge(filled, print) == 0


def test_what_is_not_ours_stays(filled):
    filled.transport.run(["touch", f"{filled.work_folder}/theirs"])
    purge(filled, print)
    assert names_in(filled) == {"theirs"}
    filled.transport.run(["rm", "-r", str(filled.work_folder)])


def test_while_a_job_runs_nothing_is_removed(filled, launch_of):
    running = start(filled, launch_of("sleep 60"), JOB, name="cell")
    try:
        with pytest.raises(DeviceError, match=f"the job {running.folder.name} runs there"):
            purge(filled, print)
        assert names_in(filled) >= {"blobs", "jobs"}
    finally:
        clean(filled, running)
    assert purge(filled, print) >= 300_000


def test_a_job_whose_files_a_power_cut_has_emptied_is_in_nobodys_way(filled):
    job = filled.work_folder / "jobs" / "cell-0"
    run_script(filled, 'mkdir -p "$1" && : > "$1/pid"', "empty", str(job))
    assert purge(filled, print) >= 300_000


def test_settings_that_a_host_holds_are_not_forgotten(here, tmp_path):
    steady = here.work_folder / "steady"
    (tmp_path / "model").write_bytes(b"x")
    deliver(here, tmp_path / "model")
    heard = f'mkdir -p "$1" && cd "$1" && : > standing && echo {int(time.monotonic())} > lease'
    run_script(here, heard, "stand", str(steady))
    with pytest.raises(DeviceError, match=r"a host that was heard of \d s ago holds its settings"):
        purge(here, print)
    run_script(here, ': > "$1/restored"', "restore", str(steady))
    assert purge(here, print) > 0


def test_every_folder_that_is_made_in_a_work_folder_is_known(filled):
    assert names_in(filled) <= set(FOLDERS)
    purge(filled, print)
