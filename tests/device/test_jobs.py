import os
import secrets
import signal as signals
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.device.files import fetch
from edgebench.device.job_scripts import START, WAIT
from edgebench.device.jobs import (
    Running,
    clean,
    end_leftovers,
    is_abandoned,
    start,
    stop,
    this_process,
    wait,
)
from edgebench.errors import DeviceError, DeviceLost, JobFailed
from edgebench.runner import RunnerJob

JOB = RunnerJob(kind="latency", model="m.onnx", runtime="onnxruntime")


def files(device, running):
    return set(device.transport.run(["ls", "-A", str(running.folder)]).stdout.decode().split())


def program_of(device, running):
    """Process id of the runner itself."""
    script = 'read -r _ _ program _ < "$1/pid"; echo $program'
    done = device.transport.run(["sh", "-c", script, "x", str(running.folder)])
    return done.stdout.decode().strip()


def is_running(device, marker):
    """Whether a process with this word in its command line is there."""
    look = f"grep -l {marker[:-1]}[{marker[-1]}] /proc/[0-9]*/cmdline 2> /dev/null"
    return device.transport.run(["sh", "-c", look]).stdout != b""


@pytest.fixture
def marker():
    """A word that no other process has in its command line."""
    return f"eb-{secrets.token_hex(8)}"


@pytest.fixture
def started(device, launch_of):
    """Start a script as a job; every job is ended and removed at the end."""
    running = []

    def make(script):
        running.append(start(device, launch_of(script), JOB, name='cell/it\'s a "name"'))
        return running[-1]

    yield make
    for job in running:
        clean(device, job)


@pytest.mark.parametrize("code", [0, 1, 42])
def test_a_job_that_finished_says_how(device, started, code):
    ended = wait(device, started(f"echo words; echo more >&2; exit {code}"), timeout_s=30)
    assert (ended.how, ended.exit_code, ended.log) == ("finished", code, "words\nmore\n")


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("SEGV", 139), ("TERM", 143)])
def test_a_runner_that_was_killed_says_by_what(device, started, signal, code):
    running = started("echo begun; exec sleep 60")
    device.transport.run(["kill", f"-{signal}", program_of(device, running)])
    ended = wait(device, running, timeout_s=30)
    assert (ended.how, ended.exit_code) == ("killed", code)


def test_a_session_that_is_gone_without_an_exit_code_vanished(device, started):
    running = started("exec sleep 61")
    script = 'read -r leader _ < "$1/pid"; kill -s KILL -- "-$leader"'
    device.transport.run(["sh", "-c", script, "x", str(running.folder)])
    ended = wait(device, running, timeout_s=30)
    assert (ended.how, ended.exit_code) == ("vanished", None)
    assert "wrote no exit code" in ended.log


def test_a_reboot_is_told_by_the_uptime(device, started, tmp_path):
    running = started("exec sleep 61")
    script = (
        'cd "$1"; read -r leader _ < pid; kill -s KILL -- "-$leader"; '
        "echo 99999999999.5 > heartbeat"
    )
    device.transport.run(["sh", "-c", script, "x", str(running.folder)])
    assert "started anew" in wait(device, running, timeout_s=30).log


def test_a_process_id_that_came_around_again_is_not_the_job(device, started):
    running = started("true")
    wait(device, running, timeout_s=30)
    script = 'cd "$1"; rm exit_code; echo "1 5 1 5" > pid'
    device.transport.run(["sh", "-c", script, "x", str(running.folder)])
    assert wait(device, running, timeout_s=30).how == "vanished"
    stop(device, running)  # would end process 1 otherwise


def test_a_folder_that_is_gone_is_a_job_that_vanished(device):
    gone = Running(folder=device.work_folder / "jobs" / "none")
    assert wait(device, gone, timeout_s=5).how == "vanished"


def test_a_job_has_its_document_and_its_environment_and_no_other(device, launch_of, tmp_path):
    script = 'cat "$1"; echo; echo "$EB_TEST|$EDGEBENCH_NOISE"; pwd'
    os.environ["EDGEBENCH_NOISE"] = "noise"
    running = start(device, launch_of(script), JOB, name="x")
    del os.environ["EDGEBENCH_NOISE"]
    lines = wait(device, running, timeout_s=30).log.splitlines()
    assert lines[0] == JOB.to_json()
    assert lines[1] == "a b|"
    clean(device, running)


def test_a_job_may_have_a_noisy_runner(device, started):
    ended = wait(device, started("head -c 3000000 /dev/zero | tr '\\0' x; echo end"), timeout_s=30)
    assert len(ended.log) == 8192
    assert ended.log.endswith("end\n")


def test_files_are_renamed_when_they_are_whole(device, started):
    running = started("exit 3")
    wait(device, running, timeout_s=30)
    names = files(device, running)
    assert {"pid", "exit_code", "log", "job.json"} <= names
    assert not [name for name in names if name.endswith(".part")]


def test_a_job_that_takes_too_long_is_ended(device, started, marker):
    running = started(f"sh -c 'sleep 300 & wait' {marker}")
    with pytest.raises(JobFailed, match="longer than 1 s") as caught:
        wait(device, running, timeout_s=1)
    assert caught.value.reason == "timeout"
    assert not is_running(device, marker)


def test_stop_ends_all_that_the_runner_started_even_if_it_is_deaf(device, started, marker):
    running = started(
        f"trap '' TERM; sh -c \"trap '' TERM; while :; do sleep 1; done\" {marker} & wait"
    )
    assert is_running(device, marker)
    stop(device, running)
    assert not is_running(device, marker)
    stop(device, running)


def test_a_job_leaves_no_process_behind(device, started, marker):
    running = started(f"sh -c 'sleep 300; :' {marker} & exit 0")
    assert wait(device, running, timeout_s=30).exit_code == 0
    for _ in range(50):
        if not is_running(device, marker):
            break
        time.sleep(0.1)
    assert not is_running(device, marker)


def test_a_job_survives_the_link_and_is_waited_for_again(board, sshd, launch_of):
    running = start(board, launch_of("sleep 3; echo survived; exit 7"), JOB, name="cut")
    for delay_s in (0.4, 1.2):
        threading.Timer(delay_s, sshd.cut).start()
    ended = wait(board, running, timeout_s=60)
    assert (ended.exit_code, ended.log) == (7, "survived\n")
    clean(board, running)


def test_a_device_that_stays_away_is_lost_when_patience_ends(launch_of, tmp_path):
    from edgebench.device.connect import connect
    from tests.sshd import started as sshd_started

    with sshd_started() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
        device = connect(server.address)
        running = start(device, launch_of("sleep 60"), JOB, name="x")
        for pid in (server.pid, *server.sessions()):
            os.kill(pid, signals.SIGKILL)
        with pytest.raises(DeviceLost):
            wait(device, running, timeout_s=60, patience_s=1)
        device.transport.close()


def test_waiting_costs_no_look_at_the_job(here, launch_of):
    running = start(here, launch_of("sleep 1"), JOB, name="x")
    begun = time.monotonic()
    ended = wait(here, running, timeout_s=30, quiet_s=20)
    assert ended.how == "finished"
    assert time.monotonic() - begun < 15  # the lock tells the end, not the clock
    clean(here, running)


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
@pytest.mark.parametrize("missing", [("flock",), ("setsid",), ("flock", "timeout", "setsid")])
def test_a_device_with_fewer_tools_and_any_shell_will_do(
    here, launch_of, tmp_path, monkeypatch, shell, missing
):
    tools = tmp_path / "tools"
    tools.mkdir()
    needed = ["cat", "mkdir", "mv", "rm", "sleep", "tail", "env", "ls", "kill"]
    for name in [*needed, "flock", "timeout", "setsid", "nohup"]:
        if name not in missing:
            (tools / name).symlink_to(Path("/usr/bin", name))
    (tools / "sh").symlink_to(shell)
    monkeypatch.setenv("PATH", str(tools))
    running = start(here, launch_of("sleep 0.5; echo done; exit 5"), JOB, name="x")
    ended = wait(here, running, timeout_s=30, quiet_s=0.2)
    assert (ended.exit_code, ended.log) == (5, "done\n")
    hung = start(here, launch_of("exec sleep 300"), JOB, name="y")
    stop(here, hung)
    assert wait(here, hung, timeout_s=30).how in {"killed", "vanished"}
    clean(here, running)
    clean(here, hung)


def test_a_runner_that_cannot_be_started_is_told(here, launch_of):
    launch = launch_of("true")
    broken = replace(launch, argv=("sh", "/nonexistent/run.py"))
    with pytest.raises(DeviceError, match="does not start the runner"):
        start(here, broken, JOB, name="x")


@pytest.mark.parametrize("half", ["", '{"schema": "edgebe', JOB.to_json()])
def test_nothing_is_started_by_a_job_that_a_broken_link_cut_off(device, launch_of, half):
    folder = device.work_folder / "jobs" / "half"
    launch = launch_of("exit 0")
    argv = ("sh", "-c", START, "edgebench-start", str(folder), this_process(), *launch.argv)
    done = device.transport.run(argv, stdin=half.encode())
    assert (done.exit_code, done.stderr) == (3, b"half a job came\n")
    assert device.transport.run(["ls", "-A", str(folder)]).stdout == b"owner\n"
    clean(device, Running(folder=folder))


def test_leftovers_of_a_dead_edgebench_are_ended_and_those_of_a_live_one_are_not(
    here, launch_of, marker
):
    mine = start(here, launch_of("exec sleep 300"), JOB, name="mine")
    code = (
        "import sys, pickle; from edgebench.device.connect import connect; "
        "from edgebench.device.jobs import start; from edgebench.device.provision import Launch; "
        "from edgebench.runner import RunnerJob; from pathlib import PurePosixPath; "
        "from dataclasses import replace; "
        "device = replace(connect('local://'), work_folder=PurePosixPath(sys.argv[1])); "
        "launch = Launch(argv=('sh', sys.argv[2]), env={}, runtime='x', how='x'); "
        "job = RunnerJob(kind='latency', model='m', runtime='litert'); "
        "start(device, launch, job, name='theirs')"
    )
    script = launch_of(f"sh -c 'sleep 300; :' {marker}").argv[-1]
    subprocess.run([sys.executable, "-c", code, str(here.work_folder), script], check=True)
    assert is_running(here, marker)
    ended = end_leftovers(here)
    assert [name.partition("-")[0] for name in ended] == ["theirs"]
    assert not is_running(here, marker)
    assert "exit_code" not in files(here, mine)
    assert end_leftovers(here) == ()
    clean(here, mine)


def test_what_a_lost_link_left_half_sent_is_removed_after_an_hour(here):
    old, new, whole = (here.work_folder / "blobs" / name for name in ("a.part", "b.part", "c"))
    half = here.work_folder / "runtimes" / "d.1.new"
    script = (
        'mkdir -p "$4/sub" "$5" "${1%/*}"; for f in "$1" "$2" "$3" "$4/sub/f"; do : > "$f"; done; '
        'touch -d "2 hours ago" "$1" "$3" "$4"'
    )
    places = [str(place) for place in (old, new, whole, half, here.work_folder / "jobs")]
    assert here.transport.run(["sh", "-c", script, "x", *places]).exit_code == 0
    end_leftovers(here)
    left = {path.name for path in Path(here.work_folder).rglob("*") if path.is_file()}
    assert left == {"b.part", "c"}


def test_a_job_whose_files_a_power_cut_has_emptied_is_removed(here, launch_of):
    running = start(here, launch_of("exec sleep 300"), JOB, name="runs")
    empty, foreign = (here.work_folder / "jobs" / name for name in ("empty-0", "foreign-0"))
    script = (
        'mkdir "$1" "$2"; : > "$1/owner"; : > "$1/pid"; : > "$3/owner"; echo "x 1 1" > "$2/owner"'
    )
    places = [str(place) for place in (empty, foreign, running.folder)]
    assert here.transport.run(["sh", "-c", script, "x", *places]).exit_code == 0
    assert end_leftovers(here) == ()
    left = {path.name for path in Path(here.work_folder / "jobs").iterdir()}
    assert left == {"foreign-0", running.folder.name}
    clean(here, running)


@pytest.mark.parametrize("owner", ["", "nonsense", "0123456789abcdef 1 1", "x y z"])
def test_what_another_machine_started_is_left_alone(owner):
    assert not is_abandoned(owner)


def test_only_a_job_folder_is_removed(here):
    with pytest.raises(ValueError, match="no job folder"):
        clean(here, Running(folder=here.work_folder))


def test_the_scripts_are_posix(tmp_path):
    from edgebench.device.job_scripts import LIST, START, STOP
    from edgebench.runner import shipped

    for script in (START, WAIT, STOP, LIST, (shipped("runners") / "launch.sh").read_text()):
        done = subprocess.run(
            ["dash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""


def test_a_log_of_a_finished_job_can_be_fetched(device, started, tmp_path):
    running = started("echo whole log")
    wait(device, running, timeout_s=30)
    assert fetch(device, running.folder / "log", tmp_path / "log").read_text() == "whole log\n"
