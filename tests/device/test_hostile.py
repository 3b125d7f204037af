"""A device that lies: it is told from one that is only broken, and harms nobody but itself."""

import os
import re
import secrets
import socket
import threading
import time
from pathlib import PurePosixPath

import pytest

from edgebench.core import Reason
from edgebench.device.connect import connect
from edgebench.device.files import deliver, fetch
from edgebench.device.job_scripts import LIST
from edgebench.device.jobs import clean, end_leftovers, start, wait
from edgebench.device.transport import open_transport
from edgebench.errors import DeviceError, DeviceLost, JobFailed
from edgebench.measure.launched import ran
from edgebench.runner import RunnerJob
from tests.conftest import miss, need
from tests.hostile import hostile_board, says
from tests.programs import UnavailableError
from tests.simulated import BRISK

JOB = RunnerJob(kind="latency", model="m.onnx", runtime="onnxruntime")
PLACE = PurePosixPath("/data/local/tmp")
# What a terminal obeys, on its own or among others.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def hostile():
    """A board behind SSH, and what tells it its lies."""
    need("sshd")
    if os.geteuid() != 0:
        miss("only root can give a device programs of its own")
    try:
        with hostile_board() as (server, lie), pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
            yield server, lie
    except UnavailableError as error:
        miss(str(error))


@pytest.fixture
def liar(hostile):
    """The board as a device, as long as it tells the truth about itself; and what makes it lie."""
    server, lie = hostile
    lie()
    device = connect(server.address)
    yield device, lie
    lie()
    device.transport.close()


def test_an_answer_without_an_end_is_not_heard_to_it(liar):
    device, lie = liar
    lie(answer={"endless": True})
    with pytest.raises(DeviceError, match=r"gave more than 67\.1 MB") as caught:
        device.transport.run(["answer"])
    assert not isinstance(caught.value, DeviceLost)
    lie()
    assert device.transport.run(["echo", "back"]).stdout == b"back\n"


def test_a_file_without_an_end_leaves_nothing_here(liar, tmp_path):
    device, lie = liar
    lie(endless={"endless": True})
    with pytest.raises(DeviceError, match=r"gave more than 1\.0 MB"):
        fetch(device, PurePosixPath("/tmp/endless"), tmp_path / "in" / "f", bytes_max=1_000_000)
    assert list((tmp_path / "in").iterdir()) == []


def test_an_answer_that_never_comes_is_waited_for_until_the_deadline(liar):
    device, lie = liar
    lie(answer={"hang": True})
    begun = time.monotonic()
    with pytest.raises(DeviceError, match="took longer than 1 s"):
        device.transport.run(["answer"], timeout_s=1)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("greeting", [b"", b"welcome\r\n"], ids=["silent", "endless"])
def test_a_server_that_never_comes_to_its_greeting_is_lost(greeting):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            link, _ = server.accept()
            with link:
                try:
                    while greeting:
                        link.sendall(greeting)
                        time.sleep(0.05)
                    link.recv(1000)
                    link.recv(1000)
                except OSError:
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DeviceLost):
            open_transport(f"ssh://pi@127.0.0.1:{server.getsockname()[1]}").run(["true"])
        thread.join()


def told(**answers):
    return "".join(f"@@edgebench-fact {name}\n{text}\n\n" for name, text in answers.items())


DEEP = '{"version": ' + "[" * 100_000 + "]" * 100_000 + "}"
LIES = told(
    clock_s="9" * 5000,
    architecture="aarch64\x1b]0;owned\x07",
    model="\x1b[2J\x1b[31mPi\u202eevil",
    pythons='{"executable": "/bin/\\u001b[2Jpython3", "version": NaN, "bits": 1e999}\n' + DEEP,
    memory_total_bytes=f"MemTotal: {'9' * 5000} kB",
    page_bytes="7" * 10_000,
    temperatures_c="\n".join(f"zone\x1b[{n}m 4000{n}" for n in range(5)),
    work_free_bytes="/dev/x " + "1 " * 200_000 + "/",
    home="/tmp/\x1b[2Jhome",
    is_root="no",
)


def test_facts_that_are_lies_are_plain_words_or_unknown(hostile):
    server, lie = hostile
    lie(**{"edgebench-facts": says(LIES.encode())})
    try:
        device = connect(server.address)
    finally:
        lie()
    device.transport.close()
    text = repr(dict(device.facts)).replace("\\\\x", "")
    assert not CONTROL.search(text)
    assert "\\x1b" not in text
    assert str(device.facts["architecture"]).startswith("aarch64\\x1b]0;owned")
    unknown = ("memory_total_bytes", "page_bytes", "clock_skew_s")
    assert [device.facts[name] for name in unknown] == [None, None, None]


def test_what_a_device_says_of_itself_does_not_reach_the_terminal_raw(hostile):
    from click.testing import CliRunner

    from edgebench.cli import main

    server, lie = hostile
    lie(**{"edgebench-facts": says(LIES.encode())})
    try:
        shown = CliRunner().invoke(main, ["device", "probe", server.address])
    finally:
        lie()
    assert shown.exit_code == 0
    assert "aarch64\\x1b]0;owned" in shown.output
    assert not CONTROL.search(shown.output)


def test_words_of_a_device_in_an_error_are_shown_and_not_obeyed(liar):
    device, lie = liar
    lie(**{"edgebench-facts": says(b"\x1b[2J", code=1)})
    with pytest.raises(DeviceError) as caught:
        connect(device.transport.address)
    assert not CONTROL.search(str(caught.value))


def test_names_of_jobs_that_lead_elsewhere_are_not_taken(liar):
    from edgebench.device.jobs import _this_host

    device, lie = liar
    dead = f"{_this_host()} 4194303 1"
    names = ["/etc", "..", ".", "../../x", "-rf", "a b", "x\x1b[2J", "$(id)", ""]
    lie(**{"edgebench-list": says("".join(f"{dead}\t{name}\n" for name in names).encode())})
    assert "for job in *" in LIST
    assert end_leftovers(device) == ("-rf",)


@pytest.mark.parametrize("answer", [b"finished x\n", b"finished " + b"9" * 5000, b"\xff\n", b""])
def test_a_job_whose_end_is_nonsense_ends_at_its_deadline(liar, launch_of, answer):
    device, lie = liar
    running = start(device, launch_of("exec sleep 60"), JOB, name="x")
    lie(**{"edgebench-wait": says(answer)})
    with pytest.raises(JobFailed, match="longer than 1 s"):
        wait(device, running, timeout_s=1)
    lie()
    clean(device, running)


def test_a_push_that_answers_nonsense_did_not_arrive(liar, tmp_path):
    device, lie = liar
    (tmp_path / "f").write_bytes(b"1")
    lie(**{"edgebench-push": says(b"all of it\x1b[2J")})
    with pytest.raises(DeviceLost, match="not all") as caught:
        device.transport.push(tmp_path / "f", PurePosixPath("/tmp/f"))
    assert not CONTROL.search(str(caught.value))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"endless": True}, "more than"),
        (says(b"[" * 200_000), "nested too deeply"),
        (
            says(b'{"schema": "edgebench.result/1", "status": "failed", "runtime": "\\u001b"}'),
            "no reason",
        ),
        (says(b"\0" * 1000), "not one"),
    ],
    ids=["endless", "deep", "control", "no document"],
)
def test_an_answer_of_the_runner_that_is_a_lie_fails_its_cell(liar, launch_of, answer, words):
    device, lie = liar
    lie(result__json=answer)
    with (
        pytest.raises(JobFailed, match=words) as caught,
        ran(device, launch_of("exit 0"), JOB, name="x", protocol=BRISK),
    ):
        raise AssertionError
    assert caught.value.reason == Reason.RUNTIME_ERROR
    assert not CONTROL.search(str(caught.value))


@pytest.mark.parametrize("target", ["/dev/zero", "/"])
def test_a_result_that_is_a_link_to_no_file_fails_its_cell(here, launch_of, target):
    # Here the device is this machine, and the runner is the one that lies.
    launch = launch_of(f"ln -s {target} result.json; exit 0")
    with (
        pytest.raises(JobFailed, match="no plain file"),
        ran(here, launch, JOB, name="x", protocol=BRISK),
    ):
        raise AssertionError


def test_a_file_of_a_phone_without_an_end_leaves_nothing_here(spare, tmp_path):
    spare.seen(PLACE / "f").write_bytes(b"1")
    spare.is_now(endless=True)
    transport = open_transport(spare.address)
    with pytest.raises(DeviceError, match=r"'adb pull' .* gave more than 5\.0 MB"):
        transport.pull(PLACE / "f", tmp_path / "f", bytes_max=5_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_program_of_a_phone_without_an_end_is_not_heard_to_it(spare):
    transport = open_transport(spare.address)
    with pytest.raises(DeviceError, match=r"gave more than 67\.1 MB"):
        transport.run(["cat", "/dev/zero"])
    assert transport.run(["echo", "back"]).stdout == b"back\n"


def test_what_is_made_on_a_device_is_its_users_alone(device, launch_of, tmp_path):
    (tmp_path / "model").write_bytes(secrets.token_bytes(1000))
    (tmp_path / "model").chmod(0o644)
    deliver(device, tmp_path / "model")
    running = start(device, launch_of("echo x > made; mkdir folder"), JOB, name="x")
    wait(device, running, timeout_s=30)
    work = str(device.work_folder)
    open_to_others = ["find", work, "-perm", "/077", "!", "-type", "l"]
    found = device.transport.run([*open_to_others, "-print0"]).stdout
    everything = device.transport.run(["find", work, "-print0"]).stdout
    clean(device, running)
    assert found.decode() == ""
    assert everything.count(b"\0") > 8
