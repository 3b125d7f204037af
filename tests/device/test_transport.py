import os
import secrets
import time
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.transport import TRANSPORTS, open_transport
from edgebench.errors import ConfigError, DeviceError, DeviceLost

ARGUMENTS = [
    "plain",
    "",
    "two words",
    "  edges  ",
    "it's",
    'say "so"',
    "line\nfeed",
    "\n",
    "tab\there",
    "$HOME",
    "${HOME}",
    "`id`",
    "$(id)",
    "back\\slash\\",
    "*",
    "?[a-z]",
    "~",
    "a;b|c&d>e<f(g)h",
    "!history!",
    "#no comment",
    "-n",
    "--",
    "=",
    "%s%n",
    "naïve 测试 🦉",
    "a\rb",
    "{1,2}",
    "x" * 5000,
]


@pytest.mark.parametrize("argument", ARGUMENTS, ids=lambda a: ascii(a)[:24])
def test_an_argument_arrives_as_it_was_given(transport, argument):
    script = 'for a; do printf "%s\\0" "$a"; done'
    done = transport.run(["sh", "-c", script, "x", argument, "last"])
    assert done.exit_code == 0
    assert done.stdout.decode().split("\0") == [argument, "last", ""]


def test_streams_and_exit_code_are_kept_apart(transport):
    done = transport.run(["sh", "-c", "printf out; printf err >&2; exit 42"])
    assert (done.stdout, done.stderr, done.exit_code) == (b"out", b"err", 42)


def test_standard_input_reaches_the_program_byte_by_byte(transport):
    data = bytes(range(256)) * 5000
    assert transport.run(["cat"], stdin=data).stdout == data


def test_a_program_may_end_without_reading_its_input(transport):
    assert transport.run(["true"], stdin=b"x" * 3_000_000).exit_code == 0


def test_a_program_that_a_signal_ended_is_told_from_a_lost_link(transport):
    assert transport.run(["sh", "-c", "kill -9 $$"]).exit_code == 137


def test_a_program_that_is_not_there_is_an_exit_code(transport):
    assert transport.run(["edgebench-no-such-program"]).exit_code == 127


def test_five_megabytes_of_errors_do_not_stop_the_program(transport):
    done = transport.run(["sh", "-c", "head -c 5000000 /dev/zero >&2; echo after"], timeout_s=30)
    assert (len(done.stderr), done.stdout) == (5_000_000, b"after\n")


def is_running(transport, marker):
    look = f"grep -l {marker[:-1]}[{marker[-1]}] /proc/[0-9]*/cmdline 2> /dev/null"
    # What was killed is gone a moment later on a machine that is busy.
    deadline = time.monotonic() + 5
    while transport.run(["sh", "-c", look]).stdout != b"":
        if time.monotonic() > deadline:
            return True
        time.sleep(0.1)
    return False


def test_the_deadline_is_for_the_whole_call_also_where_output_drips(transport):
    script, marker = "while :; do echo drip; sleep 0.1; done", secrets.token_hex(8)
    begun = time.monotonic()
    with pytest.raises(DeviceError, match="took longer than 1 s") as caught:
        transport.run(["sh", "-c", script, marker], timeout_s=1)
    assert not isinstance(caught.value, DeviceLost)
    assert time.monotonic() - begun < 10
    assert not is_running(transport, marker)


def test_a_deaf_program_is_ended_at_the_deadline(transport):
    script, marker = "trap '' TERM; while :; do sleep 0.1; done", secrets.token_hex(8)
    with pytest.raises(DeviceError, match="was ended"):
        transport.run(["sh", "-c", script, marker], timeout_s=1)
    assert not is_running(transport, marker)


@pytest.mark.parametrize("name", ["plain.bin", 'it\'s "here"\nand $HOME.bin', "-n", "ünïcode.bin"])
def test_a_file_comes_back_as_it_went(transport, tmp_path, name):
    folder = PurePosixPath(transport.run(["mktemp", "-d"]).stdout.decode().strip())
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(700_001))
    transport.push(source, folder / name)
    transport.pull(folder / name, back)
    transport.run(["rm", "-rf", str(folder)])
    assert back.read_bytes() == source.read_bytes()


def test_an_empty_file_is_a_file(transport, tmp_path):
    folder = PurePosixPath(transport.run(["mktemp", "-d"]).stdout.decode().strip())
    (tmp_path / "empty").touch()
    transport.push(tmp_path / "empty", folder / "empty")
    transport.pull(folder / "empty", tmp_path / "back")
    transport.run(["rm", "-rf", str(folder)])
    assert (tmp_path / "back").read_bytes() == b""


def test_a_file_that_is_not_there_cannot_be_pulled(transport, tmp_path):
    with pytest.raises(DeviceError, match="No such file"):
        transport.pull(PurePosixPath("/nonexistent/file"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_file_cannot_be_pushed_into_a_folder_that_is_not_there(transport, tmp_path):
    (tmp_path / "f").write_bytes(b"1")
    with pytest.raises(DeviceError, match="/nonexistent/f"):
        transport.push(tmp_path / "f", PurePosixPath("/nonexistent/f"))


def test_a_file_gets_the_rights_and_the_time_of_one_that_was_made_there(transport, tmp_path):
    folder = PurePosixPath(transport.run(["mktemp", "-d"]).stdout.decode().strip())
    source = tmp_path / "f"
    source.write_bytes(b"1")
    source.chmod(0o777)
    os.utime(source, (1, 1))
    transport.push(source, folder / "f")
    script = 'cd "$1" && : > made && ls -l f made | cut -c 2-10 && find . -name f -mmin -5'
    done = transport.run(["sh", "-c", script, "x", str(folder)])
    transport.run(["rm", "-rf", str(folder)])
    given, made, young = done.stdout.decode().split()
    assert (given, young) == (made, "./f")


def test_a_folder_is_no_file_to_be_pushed_to_or_pulled(transport, tmp_path):
    folder = PurePosixPath(transport.run(["mktemp", "-d"]).stdout.decode().strip())
    (tmp_path / "f").write_bytes(b"1")
    with pytest.raises(DeviceError, match=str(folder)):
        transport.push(tmp_path / "f", folder)
    with pytest.raises(DeviceError, match=str(folder)):
        transport.pull(folder, tmp_path / "back")
    left = transport.run(["ls", "-A", str(folder)]).stdout
    transport.run(["rm", "-rf", str(folder)])
    assert left == b""


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("adb://-s", "not the address of a device behind adb"),
        ("adb://pi@board", "not the address of a device behind adb"),
        ("adb://board:99999", "no usable port"),
        ("pi@raspberrypi", "not the address"),
        ("http://board", "not the address"),
        ("", "not the address"),
        ("ssh://", "not the address of an SSH server"),
        ("ssh://pi@board:99999", "no usable port"),
        ("ssh://pi@board/home", "not the address of an SSH server"),
        ("ssh://pi:secret@board", "holds a password"),
        ("local://elsewhere", "this machine is one device"),
        ("replay:///nonexistent.json", "cannot be read"),
    ],
)
def test_a_bad_address_is_refused_with_an_example(address, words):
    with pytest.raises(ConfigError, match=words) as caught:
        open_transport(address)
    assert "secret" not in str(caught.value)
    assert caught.value.hint


def test_every_transport_says_where_its_device_stands(transport):
    assert transport.address.partition("://")[0] in TRANSPORTS


def test_closing_twice_is_closing_once(transport):
    transport.run(["true"])
    transport.close()
    transport.close()


def test_a_replayed_device_answers_what_was_captured(tmp_path):
    path = tmp_path / "capture.json"
    path.write_text(
        '{"schema": "edgebench.replay/1", "answers": {"uname -m": {"stdout": "armv7l\\n"}},'
        ' "files": {"/etc/hostname": "pi"}}'
    )
    replay = open_transport(f"replay://{path}")
    assert replay.run(["uname", "-m"]).stdout == b"armv7l\n"
    replay.pull(PurePosixPath("/etc/hostname"), tmp_path / "name")
    assert (tmp_path / "name").read_text() == "pi"
    with pytest.raises(DeviceError, match="no answer to 'uname -a'"):
        replay.run(["uname", "-a"])


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other/1"}', '{"answer": {}}'])
def test_a_capture_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "capture.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="not a capture"):
        open_transport(f"replay://{path}")


def test_what_is_pushed_to_a_replayed_device_can_be_pulled_again(tmp_path):
    (tmp_path / "c.json").write_text('{"answers": {}}')
    (tmp_path / "f").write_bytes(b"\0\1")
    replay = open_transport(f"replay://{tmp_path / 'c.json'}")
    replay.push(tmp_path / "f", PurePosixPath("/x"))
    replay.pull(PurePosixPath("/x"), tmp_path / "g")
    assert Path(tmp_path / "g").read_bytes() == b"\0\1"
