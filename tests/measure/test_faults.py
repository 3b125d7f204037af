"""What goes wrong in the middle: the cell says why, and the others go on."""

import contextlib
import errno
import os
import shutil
import signal
import threading
import time
from dataclasses import replace

from edgebench.core import Reason, Status
from edgebench.measure.campaign import measure_device
from edgebench.measure.energy.recorded import summarize_energy
from tests.simulated import BRISK, SimulatedPi, runners_of
from tests.simulated_boards import SimulatedJetson

# Into the work, which begins after some ten seconds of idle.
MIDDLE_S = 20.0


@contextlib.contextmanager
def at_energy(jobs, fault):
    """Do something once in the middle of the first energy pass of a board."""
    stop = threading.Event()

    def wait():
        while not stop.is_set() and not list(jobs.glob("*.energy-*/pid")):
            time.sleep(0.1)
        if not stop.wait(MIDDLE_S):
            fault()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_runner_that_is_killed_at_the_energy_pass_costs_the_energy_alone(plugged, measured):
    board = SimulatedPi(has_pmic=True)
    server, device = plugged(board)
    killed = []

    def kill():
        killed.extend(runners_of(server.uid))
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    with board.powered(server.uid), at_energy(server.seen(device.work_folder / "jobs"), kill):
        recorded, _ = measured(device, replace(BRISK, energy_runs=2))
    assert len(killed) == 1
    assert recorded.measurement.energy is None
    assert recorded.measurement.missing["energy"] is Reason.KILLED
    assert recorded.measurement.status is Status.OK
    assert len(recorded.samples) == 2


def test_a_sensor_that_disappears_in_the_middle_is_a_gap_and_no_number(plugged, measured):
    board = SimulatedJetson()
    server, device = plugged(board)

    def unplug():
        board.has_ina3221 = False
        (board.rail / "curr1_input").write_text("")

    with board.powered(server.uid), at_energy(server.seen(device.work_folder / "jobs"), unplug):
        recorded, _ = measured(device, replace(BRISK, energy_runs=1))
    energy = summarize_energy(recorded)
    assert energy is not None
    assert energy.gross_j.value is None
    assert Reason.SENSOR_GAP in energy.gross_j.reasons
    assert recorded.measurement.status is Status.OK
    assert len(recorded.samples) == 2


def fill(path, left_bytes=0):
    """Write until nothing more fits, or no more than so much."""
    with path.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12):
            try:
                while not left_bytes or shutil.disk_usage(path).free > left_bytes:
                    stream.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def test_a_disk_that_is_full_when_the_answer_is_written_fails_that_cell_alone(
    plugged, task, wheels
):
    board = SimulatedPi(has_pmic=False)
    server, device = plugged(board, disk_mb=900)
    jobs = server.seen(device.work_folder / "jobs")
    filler, ballast = (server.seen(device.work_folder / name) for name in ("filler", "ballast"))
    tasks = [task, replace(task, job=replace(task.job, variant="other"))]
    stop = threading.Event()

    def wait():
        while not stop.wait(0.01):
            if list(jobs.glob("*.b0-*/pid")):
                fill(filler)
                return
            # A whole disk takes longer to fill than a process takes to end.
            if not ballast.exists() and list(jobs.glob("*/pid")):
                fill(ballast, left_bytes=32 << 20)

    thread = threading.Thread(target=wait)
    thread.start()
    cells = {}
    for recorded in measure_device(
        device, tasks, BRISK, kept={}, cache=wheels, progress=lambda _: None
    ):
        cells[recorded.measurement.key] = recorded
        if Reason.NO_SPACE in recorded.measurement.reasons:
            filler.unlink(missing_ok=True)
    stop.set()
    thread.join()
    device.transport.close()
    full = [c for c in cells.values() if c.measurement.reasons == (Reason.NO_SPACE,)]
    whole = [c for c in cells.values() if c.measurement.status is Status.OK]
    assert (len(full), len(whole)) == (1, 1)
    assert "no space left" in str(full[0].measurement.error)
    assert len(whole[0].samples) == BRISK.blocks_min


# Says another century whenever it is asked.
DATE = """#!/bin/sh
if [ -e "{state}/asked" ]; then rm -f "{state}/asked"; echo 4102444800.5
else : > "{state}/asked"; echo 17.25; fi
"""


def test_a_wall_clock_that_jumps_changes_no_number(plugged, measured):
    board = SimulatedPi(has_pmic=False)
    board.programs_are(date=DATE)
    _, device = plugged(board)
    assert abs(int(str(device.facts["clock_skew_s"]))) > 10**8
    recorded, _ = measured(device)
    assert recorded.measurement.status is Status.OK
    assert all(block.min() > 0 and block.max() < 10**10 for block in recorded.samples.values())
