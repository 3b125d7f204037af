"""A password is in no output, no file, no process list, and no error."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.device.test_ssh import basic, password_sshd
from tests.sshd import PASSWORD

__all__ = ["password_sshd"]

ROOT = Path(__file__).parent.parent.parent


@contextlib.contextmanager
def process_list():
    """Command lines of every process that runs meanwhile."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def look():
        while not stop.wait(0.05):
            for entry in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    seen.add((entry / "cmdline").read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("given", [PASSWORD, "a wrong one"])
def test_a_password_is_shown_nowhere(password_sshd, tmp_path, given):
    (tmp_path / "ssh_config").write_text(basic(password_sshd))
    env = {
        **{name: value for name, value in os.environ.items() if name != "EDGEBENCH_SSH_PASSWORD"},
        "EDGEBENCH_SSH_CONFIG": str(tmp_path / "ssh_config"),
        "EDGEBENCH_CONFIG": str(tmp_path / "devices.toml"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "MY_PASSWORD": given,
    }
    (tmp_path / "devices.toml").write_text(
        f'[device.board]\naddress = "{password_sshd.address}"\npassword_env = "MY_PASSWORD"\n'
    )
    with process_list() as seen:
        words = [sys.executable, "-m", "edgebench", "device", "probe", "board", "--json"]
        done = subprocess.run(
            words, env=env, cwd=tmp_path, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
    assert done.returncode == (0 if given == PASSWORD else 3), done.stderr
    secret = given.encode()
    assert secret not in done.stdout + done.stderr
    assert not [line for line in seen if secret in line]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    there = [path for path in password_sshd.seen(password_sshd.home).rglob("*") if path.is_file()]
    assert not [path for path in (*files, *there) if secret in path.read_bytes()]
