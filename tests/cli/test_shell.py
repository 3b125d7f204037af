"""What a shell does with the command: completion, and colours."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import need

PROGRAM = Path(sys.executable).parent / "edgebench"
COMPLETE = """
eval "$(_EDGEBENCH_COMPLETE=bash_source edgebench)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
$(complete -p edgebench | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p') edgebench
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def env(tmp_path):
    """As a user has it, with a device of his own."""
    inventory = tmp_path / "devices.toml"
    inventory.write_text('[device.pi5]\naddress = "ssh://pi@192.0.2.7"\n')
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**plain, "PATH": path, "EDGEBENCH_CONFIG": str(inventory), "TERM": "xterm"}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["res"], "results"),
        (["schema", "me"], "measurement"),
        (["run", "--res"], "--resume"),
        (["run", "--device", "p"], "pi5"),
        (["device", "probe", "p"], "pi5"),
    ],
    ids=" ".join,
)
def test_bash_completes_commands_options_and_devices(env, words, offered):
    bash = need("bash")
    if not PROGRAM.exists():
        need("edgebench")
    argv = [bash, "--norc", "-c", COMPLETE, "x", "edgebench", *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [offered]
    assert done.stderr == ""


def on_a_terminal(words, env):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "edgebench", *words]
    subprocess.run(argv, env=env, stdout=theirs, stderr=theirs, check=False)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:
        pass  # so a terminal says that nobody writes to it any more
    os.close(ours)
    return text.decode()


def test_no_color_means_none(env):
    words = ("lint", "none.toml")
    assert "\x1b[31m" in on_a_terminal(words, env)
    plain = on_a_terminal(words, {**env, "NO_COLOR": "1"})
    assert "\x1b" not in plain
    assert "error: " in plain
