import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from edgebench.device.transport import open_transport
from edgebench.errors import DeviceError, DeviceLost
from tests.conftest import miss, need
from tests.programs import UnavailableError
from tests.sshd import PASSWORD, started


def config(tmp_path, monkeypatch, text):
    path = tmp_path / "ssh_config"
    path.write_text(text)
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(path))
    return path


@contextlib.contextmanager
def opened(address, **options):
    transport = open_transport(address, **options)
    try:
        yield transport
    finally:
        transport.close()


def whoami(address, **options):
    with opened(address, **options) as transport:
        return transport.run(["id", "-un"]).stdout.decode().strip()


def basic(sshd, **changes):
    settings = {
        "IdentityFile": sshd.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": sshd.known_hosts,
        **changes,
    }
    return "Host *\n" + "".join(f"  {key} {value}\n" for key, value in settings.items())


def test_the_noise_of_rc_files_is_not_part_of_an_answer(sshd):
    if sshd.uid is None:
        miss("the login shell is that of whoever runs the tests")
    loud = subprocess.run(
        ["ssh", "-F", sshd.config, "-p", str(sshd.port), sshd.host, "echo answer"],
        capture_output=True,
        check=True,
    )
    assert b"Welcome" in loud.stdout
    with opened(sshd.address) as transport:
        done = transport.run(["sh", "-c", "echo answer; echo trouble >&2"])
    assert (done.stdout, done.stderr) == (b"answer\n", b"trouble\n")


def test_what_a_server_says_before_and_after_the_login_is_not_part_of_an_answer(
    tmp_path, monkeypatch
):
    if os.geteuid() != 0:
        miss("a user of our own needs root")
    banner = tmp_path / "banner"
    banner.write_text("\x1b[2J" + "Property of nobody.\n" * 500)
    for folder in (banner, *list(banner.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    settings = f"PasswordAuthentication no\nBanner {banner}\nPrintMotd yes"
    with started(settings=settings) as server:
        noise = f"yes 'message of the day' | head -c {200_000}; echo {{1..2000}} >&2\n"
        (server.home / ".bashrc").write_text(noise)
        with opened_with(server, monkeypatch) as transport:
            done = transport.run(["sh", "-c", "echo answer; echo trouble >&2; exit 3"])
            assert (done.stdout, done.stderr, done.exit_code) == (b"answer\n", b"trouble\n", 3)
            assert transport.run(["cat"], stdin=b"in").stdout == b"in"


def test_a_shell_that_takes_its_time_to_start_is_waited_for(monkeypatch):
    if os.geteuid() != 0:
        miss("a user of our own needs root")
    with started() as server:
        (server.home / ".bashrc").write_text("sleep 3\n")
        with opened_with(server, monkeypatch) as transport:
            assert transport.run(["echo", "late"]).stdout == b"late\n"
            # One that never starts is ended at the deadline, and the next call finds the device.
            (server.home / ".bashrc").write_text("while :; do sleep 1; done\n")
            with pytest.raises(DeviceError, match="took longer than 1 s"):
                transport.run(["true"], timeout_s=1)
            (server.home / ".bashrc").write_text("")
            assert transport.run(["echo", "quick"]).stdout == b"quick\n"


def test_a_background_program_that_holds_the_streams_does_not_hold_the_call(sshd):
    with opened(sshd.address) as transport:
        begun = time.monotonic()
        done = transport.run(["sh", "-c", "sleep 20 & echo $!"], timeout_s=15)
        transport.run(["kill", done.stdout.decode().strip()])
    assert time.monotonic() - begun < 10


def test_calls_from_two_threads_wait_for_each_other(sshd):
    answers = []
    with opened(sshd.address) as transport:
        threads = [
            threading.Thread(
                target=lambda n=n: answers.append(transport.run(["echo", str(n)]).stdout)
            )
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(int(answer) for answer in answers) == list(range(20))


def test_a_cut_link_is_a_lost_device_and_the_next_call_connects_anew(sshd):
    with opened(sshd.address) as transport:
        transport.run(["true"])
        threading.Timer(0.5, sshd.cut).start()
        with pytest.raises(DeviceLost, match="was lost during 'sleep'"):
            transport.run(["sleep", "20"], timeout_s=15)
        assert transport.run(["echo", "back"]).stdout == b"back\n"


def test_a_server_that_hangs_is_noticed_at_the_deadline(sshd):
    import signal

    with opened(sshd.address) as transport:
        transport.run(["true"])
        stopped = sshd.sessions()
        signalled(stopped, signal.SIGSTOP)
        try:
            with pytest.raises(DeviceLost, match="does not answer any more"):
                transport.run(["true"], timeout_s=1)
        finally:
            signalled(stopped, signal.SIGCONT)
        assert transport.run(["true"]).exit_code == 0


def signalled(pids, number):
    """Send a signal; a session of an earlier connection may just have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_link_that_is_cut_in_a_push_is_a_lost_device(sshd, tmp_path):
    (tmp_path / "big").write_bytes(bytes(60_000_000))
    with opened(sshd.address) as transport:
        transport.run(["true"])
        threading.Timer(0.1, sshd.cut).start()
        with pytest.raises(DeviceLost):
            transport.push(tmp_path / "big", PurePosixPath("/dev/null"))


def test_nobody_listens(sshd, tmp_path, monkeypatch):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(DeviceLost, match="cannot be reached"):
            whoami(f"ssh://pi@127.0.0.1:{port}")


def test_a_name_that_does_not_resolve_is_a_lost_device():
    with pytest.raises(DeviceLost, match="cannot be reached"):
        whoami("ssh://pi@board.invalid")


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_command(
    sshd, tmp_path, monkeypatch
):
    known = tmp_path / "known hosts"
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=f'"{tmp_path}/known"'))
    with pytest.raises(DeviceError, match="is not known") as caught:
        whoami(sshd.address)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", sshd.host_key], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] in str(caught.value)
    assert not known.exists()
    command = str(caught.value.hint).partition("accept it: ")[2]
    need("ssh-keyscan")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert whoami(sshd.address) == sshd.user


def test_a_changed_key_is_refused(sshd, tmp_path, monkeypatch):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True
    )
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'other.pub').read_text()}")
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=known))
    with pytest.raises(DeviceError, match="has changed") as caught:
        whoami(sshd.address)
    assert not isinstance(caught.value, DeviceLost)


def test_a_revoked_key_is_refused_though_it_is_known(sshd, tmp_path, monkeypatch):
    known = tmp_path / "known"
    lines = sshd.known_hosts.read_text().splitlines()
    known.write_text("\n".join([*lines, *(f"@revoked {line}" for line in lines)]))
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=known))
    with pytest.raises(DeviceError, match="@revoked"):
        whoami(sshd.address)


def test_lines_that_are_not_understood_do_not_spoil_known_hosts(
    sshd, tmp_path, monkeypatch, caplog
):
    known = tmp_path / "known"
    known.write_text(
        "# a comment\n\n@cert-authority *.lab ssh-ed25519 AAAA\nnonsense\na b c d\n@odd x y z\n"
        "host ssh-ed25519 not/base64!\n\xff\xfe\n" + sshd.known_hosts.read_text()
    )
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=known))
    assert whoami(sshd.address) == sshd.user
    assert "is passed over" in caplog.text


def test_hashed_names_are_understood(sshd, tmp_path, monkeypatch):
    known = tmp_path / "known"
    known.write_text(sshd.known_hosts.read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert "127.0.0.1" not in known.read_text()
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=known))
    assert whoami(sshd.address) == sshd.user


def test_a_server_is_asked_for_the_kind_of_key_that_is_known(sshd, tmp_path, monkeypatch):
    known = tmp_path / "known"
    known.write_text(
        "".join(
            line + "\n" for line in sshd.known_hosts.read_text().splitlines() if "ecdsa" in line
        )
    )
    config(tmp_path, monkeypatch, basic(sshd, UserKnownHostsFile=known))
    assert whoami(sshd.address) == sshd.user


def test_an_alias_of_the_configuration_is_an_address(sshd, tmp_path, monkeypatch):
    text = f"Host MyBoard\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
    config(tmp_path, monkeypatch, text + basic(sshd))
    assert whoami("ssh://MyBoard") == sshd.user


def test_an_included_file_is_read(sshd, tmp_path, monkeypatch):
    included = tmp_path / "more"
    included.write_text(basic(sshd))
    config(tmp_path, monkeypatch, f"Include {included}\n")
    assert whoami(sshd.address) == sshd.user


def test_no_configuration_at_all_leaves_the_usual_places(sshd, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(sshd.key.read_bytes())
    (tmp_path / ".ssh" / "known_hosts").write_bytes(sshd.known_hosts.read_bytes())
    assert whoami(sshd.address) == sshd.user


def test_a_device_behind_another_is_reached_through_it(sshd, tmp_path, monkeypatch):
    with started() as inner:
        known = tmp_path / "known"
        known.write_text(sshd.known_hosts.read_text() + inner.known_hosts.read_text())
        text = (
            f"Host gate\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
            f"  IdentityFile {sshd.key}\n"
            f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  User {inner.user}\n"
            f"  IdentityFile {inner.key}\n  ProxyJump gate\n"
            f"Host *\n  UserKnownHostsFile {known}\n  IdentitiesOnly yes\n"
        )
        config(tmp_path, monkeypatch, text)
        (tmp_path / "blob").write_bytes(os.urandom(3_000_000))
        with opened("ssh://inner") as transport:
            assert transport.run(["sh", "-c", "echo $HOME"]).stdout.decode().strip() == str(
                inner.home
            )
            transport.push(tmp_path / "blob", PurePosixPath(inner.home / "blob"))
            transport.pull(PurePosixPath(inner.home / "blob"), tmp_path / "back")
            assert (tmp_path / "back").read_bytes() == (tmp_path / "blob").read_bytes()
            sshd.cut()
            with contextlib.suppress(DeviceLost):  # or it was noticed before the call
                transport.run(["true"])
            assert transport.run(["true"]).exit_code == 0


def test_an_unknown_key_behind_another_host_is_scanned_from_there(sshd, tmp_path, monkeypatch):
    text = (
        f"Host gate\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"Host 127.0.0.9\n  ProxyJump gate\n  Port {sshd.port}\n"
    )
    (tmp_path / "known").write_text(sshd.known_hosts.read_text())
    config(tmp_path, monkeypatch, text + basic(sshd, UserKnownHostsFile=tmp_path / "known"))
    with pytest.raises(DeviceLost, match="through gate"):
        whoami("ssh://pi@127.0.0.9")


def test_a_key_that_the_server_does_not_take_is_named(sshd, tmp_path, monkeypatch):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True
    )
    config(tmp_path, monkeypatch, basic(sshd, IdentityFile=tmp_path / "other"))
    with pytest.raises(DeviceError, match="refuses to let") as caught:
        whoami(sshd.address)
    assert str(tmp_path / "other") in str(caught.value)
    assert "ssh-copy-id" in str(caught.value.hint)


@pytest.fixture
def encrypted(sshd, tmp_path, monkeypatch):
    """The client's key, encrypted."""
    path = tmp_path / "locked"
    path.write_bytes(sshd.key.read_bytes())
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", path], check=True)
    config(tmp_path, monkeypatch, basic(sshd, IdentityFile=path))
    return path


def test_an_encrypted_key_asks_for_its_passphrase_once(sshd, encrypted):
    asked = []

    def ask(prompt):
        asked.append(prompt)
        return "open sesame"

    with opened(sshd.address, password=ask) as transport:
        transport.run(["true"])
        transport.close()
        transport.run(["true"])
    assert asked == [f"Passphrase of {encrypted}: "]


def test_an_encrypted_key_takes_its_passphrase_from_the_environment(sshd, encrypted, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_SSH_PASSPHRASE", "open sesame")
    assert whoami(sshd.address) == sshd.user


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_an_encrypted_key_that_stays_closed_is_named(sshd, encrypted, monkeypatch, passphrase):
    if passphrase:
        monkeypatch.setenv("EDGEBENCH_SSH_PASSPHRASE", passphrase)
    with pytest.raises(DeviceError, match="locked") as caught:
        whoami(sshd.address)
    assert "wrong" not in str(caught.value)


def test_a_key_of_the_agent_is_taken(sshd, tmp_path, monkeypatch):
    need("ssh-agent")
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL
    ) as agent:
        try:
            while not (tmp_path / "agent").exists():
                time.sleep(0.02)
            monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
            subprocess.run(["ssh-add", "-q", sshd.key], check=True)
            text = f"Host *\n  UserKnownHostsFile {sshd.known_hosts}\n  IdentityFile /nonexistent\n"
            config(tmp_path, monkeypatch, text)
            assert whoami(sshd.address) == sshd.user
            config(tmp_path, monkeypatch, text + "  IdentityAgent none\n")
            with pytest.raises(DeviceError, match="nonexistent"):
                whoami(sshd.address)
        finally:
            agent.terminate()


@pytest.fixture(scope="module")
def password_sshd():
    """A server of root, for only that one may read a password."""
    need("sshd")
    if os.geteuid() != 0:
        miss("a password login needs an sshd of root")
    settings = "PasswordAuthentication yes\nPubkeyAuthentication no"
    try:
        with started(settings=settings, is_root=True) as server:
            yield server
    except UnavailableError as error:
        miss(str(error))


def test_a_password_is_asked_for_and_shown_nowhere(password_sshd, tmp_path, monkeypatch, caplog):
    config(tmp_path, monkeypatch, basic(password_sshd))
    caplog.set_level("DEBUG")
    prompts = []

    def ask(prompt):
        prompts.append(prompt)
        return PASSWORD

    with opened(password_sshd.address, password=ask) as transport:
        assert transport.run(["id", "-un"]).stdout.decode().strip() == password_sshd.user
        assert PASSWORD not in repr(transport)
    assert prompts == [f"Password of {password_sshd.user}@127.0.0.1: "]
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("variable", ["EDGEBENCH_SSH_PASSWORD", "MY_BOARDS_PASSWORD"])
def test_a_password_comes_from_a_variable(password_sshd, tmp_path, monkeypatch, variable):
    config(tmp_path, monkeypatch, basic(password_sshd))
    monkeypatch.setenv(variable, PASSWORD)
    assert whoami(password_sshd.address, password_env="MY_BOARDS_PASSWORD") == password_sshd.user


def test_a_wrong_password_is_refused_and_asked_for_again_by_the_next_call(
    password_sshd, tmp_path, monkeypatch
):
    config(tmp_path, monkeypatch, basic(password_sshd))
    answers = iter(["typo", PASSWORD])
    with opened(password_sshd.address, password=lambda prompt: next(answers)) as transport:
        with pytest.raises(DeviceError, match="refuses to let"):
            transport.run(["true"])
        assert transport.run(["true"]).exit_code == 0


def test_a_login_that_is_no_shell_says_so(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        miss("a user of our own needs root")
    with started(shell="/usr/sbin/nologin") as server:
        monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
        with pytest.raises(DeviceError, match="runs nothing") as caught:
            whoami(server.address)
        assert not isinstance(caught.value, DeviceLost)


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/dash", "/bin/bash"])
def test_any_posix_login_shell_will_do(shell, monkeypatch):
    if os.geteuid() != 0:
        miss("a user of our own needs root")
    with started(shell=shell) as server, opened_with(server, monkeypatch) as transport:
        done = transport.run(["printf", "%s|", "a b", "it's\n$HOME", ""])
        assert done.stdout == b"a b|it's\n$HOME||"


@contextlib.contextmanager
def opened_with(server, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
    with opened(server.address) as transport:
        yield transport


def test_the_sockets_of_a_connection_close(sshd):
    def sockets():
        links = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
        return sum(link.name.startswith("socket") for link in links)

    before = sockets()
    with opened(sshd.address) as transport:
        transport.run(["true"])
        assert sockets() > before
    time.sleep(0.2)
    assert sockets() == before
