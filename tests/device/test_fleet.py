"""A board of another architecture: known, and lost for a while."""

from pathlib import PurePosixPath

import pytest

from edgebench.core import Device
from edgebench.device.jobs import clean, start, wait
from edgebench.device.profile import load_profile
from edgebench.device.provision import Launch
from edgebench.device.transport import open_transport
from edgebench.errors import DeviceLost
from edgebench.runner import RunnerJob, shipped
from tests.carrier import Quality

JOB = RunnerJob(kind="latency", model="m", runtime="litert")


def test_a_pi_says_what_it_is_and_which_profile_is_its(arm64, reached):
    device = reached(arm64)
    assert device.profile.name == "raspberry-pi-4"
    assert device.facts["architecture"] == "aarch64"
    assert device.facts["temperatures_c"] == {"cpu-thermal": 48.312}
    assert device.facts["cpus"] == ["CPU implementer 0x41", "CPU part 0xd08"]
    assert str(device.facts["libc"]).startswith("glibc 2.36")
    assert device.facts["emulator"] == "qemu-aarch64"


@pytest.fixture
def bare(arm64, monkeypatch):
    """The board as a device, and a program in the runner's place."""
    monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(arm64.config))
    transport = open_transport(arm64.address)
    folder = PurePosixPath("/home/pi/sleeper")
    (arm64.seen(folder)).mkdir(exist_ok=True)
    launcher = (shipped("runners") / "launch.sh").read_bytes()
    (arm64.seen(folder) / "launch.sh").write_bytes(launcher)
    (arm64.seen(folder) / "run.sh").write_text("sleep 20; echo survived; exit 7\n")
    device = Device(
        name="pi",
        profile=load_profile("raspberry-pi-4"),
        transport=transport,
        facts={},
        work_folder=PurePosixPath("/home/pi/work"),
    )
    yield device, Launch(argv=("sh", str(folder / "run.sh")), env={}, runtime="x", how="a test")
    transport.close()


def test_a_link_that_is_silently_dead_is_noticed_and_the_job_goes_on(arm64, bare):
    device, launch = bare
    running = start(device, launch, JOB, name="half-open")
    arm64.link.becomes(Quality(is_up=False))  # nobody is told: no packet comes any more
    try:
        with pytest.raises(DeviceLost):
            device.transport.run(["sleep", "600"], timeout_s=600)
    finally:
        arm64.link.becomes(Quality())
    ended = wait(device, running, timeout_s=300)
    assert (ended.how, ended.exit_code, ended.log) == ("finished", 7, "survived\n")
    clean(device, running)
