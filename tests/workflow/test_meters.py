"""Meters at the host, from the command to the joules: the board's power follows its runner."""

import json
import time

import pytest

from tests.conftest import miss
from tests.plugs import FollowingPlug
from tests.simulated import IDLE_W, followed

VARIANT = '[[variant]]\nname = "float"\n'


def protocol(*, active_s, idle_s):
    """Shorter than a meter in the wall asks for; what is refused stays refused."""
    return f"""
[protocol]
preset = "quick"
blocks_min = 2
blocks_max = 2
ci_ratio = 9.0
warmup_min_s = 0.05
warmup_max_s = 0.5
sample_min_s = 0.05
sample_max_s = 0.2
memory_processes = 1
energy_runs = 1
energy_active_s = {active_s}
energy_idle_s = {idle_s}
"""


SHORT = protocol(active_s=15, idle_s=9.5)


def device(sshd, meter):
    return f'[[device]]\nname = "board"\naddress = "{sshd.address}"\nmeter = "{meter}"\n'


@pytest.fixture
def uid(sshd):
    if sshd.uid is None:
        miss("only root can give a board a user of its own")
    return sshd.uid


@pytest.fixture
def measured(plan_with, sshd, edgebench, tmp_path):
    """Run a plan of one cell: its folder, the cell, and what is kept of its energy pass."""

    def run(meter, lengths):
        plan = plan_with(VARIANT + device(sshd, meter), protocol=lengths)
        printed = json.loads(edgebench("run", plan, "--json").stdout)
        (cell,) = printed["cells"]
        return tmp_path / printed["run"], cell

    return run


def energy_run(folder):
    """What is kept of the one run of the energy pass."""
    (path,) = (folder / "measurements").glob("*.json")
    (run,) = json.loads(path.read_text())["energy"]
    return run


def assert_true(found, run, power):
    """Gross and dynamic millijoules within 1 % of what the board took."""
    begin_ns, end_ns = run["active_ns"]
    above_j = power.joules_above_idle(begin_ns, end_ns)
    whole_j = above_j + IDLE_W * (end_ns - begin_ns) / 1e9
    assert found["gross"] == pytest.approx(whole_j / run["inferences"] * 1e3, rel=0.01), found
    assert found["dynamic"] == pytest.approx(above_j / run["inferences"] * 1e3, rel=0.01), found


@pytest.mark.parametrize(
    ("kind", "lag_s", "lengths"),
    [("tasmota", 0.1, SHORT), ("shelly", 2.0, protocol(active_s=32, idle_s=26))],
    ids=["tasmota", "shelly that lags"],
)
def test_the_joules_of_a_board_behind_a_plug(measured, uid, kind, lag_s, lengths):
    with FollowingPlug(kind, lag_s=lag_s) as plug, followed(uid, plug.tell) as power:
        folder, cell = measured(plug.address, lengths)
    run = energy_run(folder)
    assert (cell["energy_mj"]["source"], cell["energy_mj"]["scope"]) == (kind, "wall_ac")
    # Half of what the board's power is the mean of, and of the plug's period, come to its own lag.
    assert run["lag_s"] == pytest.approx(lag_s + 0.35, abs=0.3)
    assert_true(cell["energy_mj"], run, power)


def test_a_plug_that_dies_at_work_costs_the_energy_alone(measured, uid, edgebench):
    with FollowingPlug("tasmota", dies=True) as plug, followed(uid, plug.tell):
        folder, cell = measured(plug.address, SHORT)
    assert plug.is_dead
    assert cell["energy_mj"]["gross"] is None
    assert cell["missing"]["energy"] == "sensor_gap"
    assert cell["latency_ms"]["p50"] > 0
    assert cell["memory_mb"]["model"] is not None
    assert cell["accuracy"]["value"] == 1.0
    # Nor does a recording mend it: the run was not made for one.
    refused = edgebench("results", "energy", folder, "--trace", "none.csv", exit_code=2)
    assert "No device of this run was measured for a recording" in refused.stderr


@pytest.fixture
def gone():
    """The address of a plug that is not there any more."""
    with FollowingPlug("tasmota") as plug:
        return plug.address


@pytest.mark.parametrize(
    ("meter", "exit_code", "said"),
    [
        ("tasmota:127.0.0.1:9", 3, "tells no power"),
        ("monsoon:4.2", 3, "pip install monsoon"),
        ("tasmoto:127.0.0.1", 2, "Did you mean 'tasmota'?"),
        ("shelly:", 2, "names no plug"),
    ],
)
@pytest.mark.parametrize("command", ["run", "bench"])
def test_a_meter_that_cannot_be_used_stops_a_command(asked, command, meter, exit_code, said):
    printed, results = asked(command, meter, exit_code)
    assert said in printed.stderr
    assert "connecting" not in printed.stderr
    assert not results.exists()


@pytest.fixture
def asked(plan_with, sshd, edgebench, tmp_path):
    """Ask for a run with a meter; what was printed, and where results would be."""

    def ask(command, meter, exit_code):
        plan = plan_with(VARIANT + device(sshd, meter), protocol=SHORT)
        bench = (tmp_path / "model.onnx", "--device", sshd.address, "--meter", meter)
        words = (plan,) if command == "run" else bench
        return edgebench(command, *words, exit_code=exit_code), tmp_path / "results"

    return ask


def test_a_meter_of_the_inventory_is_opened_too(plan_with, sshd, edgebench, tmp_path, gone):
    edgebench("device", "add", "board", sshd.address, "--meter", gone)
    (kept,) = json.loads(edgebench("device", "list", "--json").stdout)["devices"]
    assert kept["meter"] == gone
    plan = plan_with(VARIANT + '[[device]]\nname = "board"\n', protocol=SHORT)
    assert "tells no power" in edgebench("run", plan, exit_code=3).stderr
    wrong = edgebench("device", "add", "other", "local://", "--meter", "multimeter", exit_code=2)
    assert "is no meter" in wrong.stderr


def test_a_plan_whose_meter_nobody_reads_is_refused(plan_with, edgebench):
    more = '[[device]]\nname = "here"\naddress = "local://"\nmeter = "joulescope"\n'
    printed = edgebench("lint", plan_with(VARIANT + more), exit_code=2)
    assert "`protocol.energy_runs` is 0" in printed.stderr


class Instrument:
    """Writes a CSV by a clock of its own, which is far off and 100 ppm too fast."""

    def __init__(self):
        self.lines = ["time_s,power_w"]

    def tell(self, watts):
        self.lines.append(f"{1_700_000_000 + 1.0001 * time.monotonic():.4f},{watts:.4f}")


def test_what_another_instrument_recorded_is_found_by_the_chirp(measured, uid, edgebench, tmp_path):
    instrument = Instrument()
    with followed(uid, instrument.tell) as power:
        folder, cell = measured("trace:board_dc?period_s=0.1", SHORT)
    assert cell["missing"]["energy"] == "not_measured"
    quiet, recording = tmp_path / "quiet.csv", tmp_path / "recording.csv"
    quiet.write_text("\n".join(instrument.lines[:50]))
    refused = edgebench("results", "energy", folder, "--trace", quiet, exit_code=2)
    assert "there is no chirp in it" in refused.stderr
    other = ("--device", "other")
    refused = edgebench("results", "energy", folder, "--trace", quiet, *other, exit_code=2)
    assert "Name one by --device: board." in refused.stderr
    recording.write_text("\n".join(instrument.lines))
    told = edgebench("results", "energy", folder, "--trace", recording, "--json")
    (cell,) = json.loads(told.stdout)["cells"]
    assert (cell["energy_mj"]["source"], cell["energy_mj"]["scope"]) == (
        "trace recording.csv",
        "board_dc",
    )
    assert_true(cell["energy_mj"], energy_run(folder), power)
