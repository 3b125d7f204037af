"""Devices are connected to at once, and ask for passwords in turn."""

import os
import threading
from contextlib import ExitStack

import pytest

from edgebench.core import Format
from edgebench.workflow import Desk, read_order
from edgebench.workflow.reach import reach
from tests.conftest import miss
from tests.programs import UnavailableError
from tests.sshd import PASSWORD, started

SETTINGS = "PasswordAuthentication yes\nPubkeyAuthentication no"


@pytest.fixture
def servers(monkeypatch, tmp_path):
    """Two boards that want a password."""
    if os.geteuid() != 0:
        miss("a password login needs an sshd of root")
    try:
        with ExitStack() as stack:
            found = [
                stack.enter_context(started(settings=SETTINGS, is_root=True)) for _ in range(2)
            ]
            known = tmp_path / "known_hosts"
            known.write_text("".join(one.known_hosts.read_text() for one in found))
            config = tmp_path / "ssh_config"
            config.write_text(f"Host *\n  UserKnownHostsFile {known}\n  IdentitiesOnly yes\n")
            monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(config))
            yield found
    except UnavailableError as error:
        miss(str(error))


def test_each_device_that_wants_a_password_is_asked_for_in_the_main_thread(
    servers, plan_with, tmp_path
):
    boards = "".join(
        f'[[device]]\nname = "board{n}"\naddress = "{server.address}"\n'
        for n, server in enumerate(servers)
    )
    here = '[[device]]\nname = "here"\naddress = "local://"\n'
    away = '[[device]]\nname = "away"\naddress = "ssh://nobody@127.0.0.1:1"\n'
    order = read_order(plan_with('[[variant]]\nname = "float"\n' + boards + here + away))
    asked = []

    def ask(prompt):
        asked.append((prompt, threading.current_thread() is threading.main_thread()))
        return PASSWORD

    lines: list[str] = []
    desk = Desk(out=tmp_path, cache=tmp_path, progress=lines.append, password=ask)
    reached, lost = reach(order, desk, {device.name: None for device in order.devices})
    for one in reached:
        if one.device is not None:
            one.device.transport.close()
    assert [one.device is not None for one in reached] == [True, True, True, False]
    assert {one.runtimes[Format.ONNX] for one in reached} == {"onnxruntime"}
    assert list(lost) == ["away"]
    assert asked == [(f"Password of {one.user}@127.0.0.1: ", True) for one in servers]
    assert [line for line in lines if "Password" in line] == []
