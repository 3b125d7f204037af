"""The energy pass among the others: what it leaves behind where it fails."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.core import Reason
from edgebench.measure.attached import attached
from edgebench.measure.cell import Task, begin, is_finished
from edgebench.measure.energy.lengths import Length
from edgebench.measure.energy.recorded import summarize_energy
from edgebench.measure.energy.trace import no_trace
from edgebench.measure.energy_blocks import length_of, measure_energies
from edgebench.measure.meters.host import Description, Polling
from edgebench.measure.meters.meter import Absent, Meter
from edgebench.measure.protocol import PRESETS
from edgebench.measure.watch import Source

METER = Meter(
    name="load",
    scope="module",
    kind="power",
    sources=(Source(name="load", path="/proc/loadavg", period_s=0.5),),
    trace=lambda readings: no_trace("power", "module", Reason.SENSOR_GAP),
)
PROTOCOL = replace(PRESETS["quick"], energy_runs=3)


@pytest.fixture
def measured(bench, job, inputs, device):
    """The cell after its energy pass, and how often it changed."""

    def measure(meter, *, protocol=PROTOCOL, **changes):
        task = Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)
        cells = {job.key: begin(job, device, seed=0)}
        benches = {job.runtime: replace(bench, meter=meter, **changes)}
        found = list(measure_energies(benches, [task], protocol, cells, lambda words: None))
        return cells[job.key], len(found)

    return measure


def test_a_runner_that_fails_costs_the_energy_and_not_the_cell(measured, bench, tmp_path):
    runner = tmp_path / "runner.sh"
    runner.write_text("exit 7\n")
    shutil.copy(Path(bench.launch.argv[-1]).with_name("launch.sh"), tmp_path / "launch.sh")
    broken = replace(bench.launch, argv=("sh", str(runner)))
    recorded, changes = measured(METER, launch=broken)
    assert recorded.measurement.missing["energy"] is Reason.RUNTIME_ERROR
    assert recorded.measurement.energy is None
    assert not is_finished(recorded.measurement)
    assert changes == 1


@pytest.mark.parametrize(
    ("meter", "runs", "reason"),
    [
        (Absent(reason=Reason.PERMISSION, message="closed"), 3, Reason.PERMISSION),
        (METER, 0, Reason.NOT_MEASURED),
    ],
    ids=["no meter", "not asked for"],
)
def test_what_is_not_measured_says_why_and_starts_nothing(measured, meter, runs, reason):
    recorded, changes = measured(meter, protocol=replace(PROTOCOL, energy_runs=runs))
    assert recorded.measurement.missing["energy"] is reason
    assert changes == 0


class Steady:
    """A `HostMeter` that reads the same power again and again, whatever the device does."""

    def __init__(self, *, rate_hz=10.0):
        self.polling = Polling(lambda: [(time.monotonic_ns(), 3.0)], period_s=1 / rate_hz)
        self.description = Description(
            name="steady", scope="wall_ac", kind="power", rate_hz=rate_hz, resolution=0.01
        )

    def open(self):
        pass

    def describe(self):
        return self.description

    def start(self):
        self.polling.start()

    def samples(self):
        return self.polling.collected.trace(self.description)

    def stop(self):
        self.polling.stop()

    def close(self):
        self.stop()


def test_a_meter_that_does_not_see_the_device_is_no_meter_of_it(measured):
    protocol = replace(PROTOCOL, energy_runs=1, energy_active_s=1.0, energy_idle_s=1.0)
    recorded, _ = measured(attached(Steady()), protocol=protocol)
    (run,) = recorded.measurement.energy
    assert run.doubts == (Reason.ENERGY_INCONSISTENT,)
    assert run.lag_s is None
    # By the clock of this machine, which is the device's own here.
    assert 0 < run.clock_uncertainty_s < 1.0
    (time_ns, _), *_ = recorded.power
    assert time_ns[0] < run.chirp_ns[0][0] < run.idle_before_ns[0] < time_ns[-1]
    energy = summarize_energy(recorded)
    assert energy is not None
    assert (energy.gross_j.value, energy.dynamic_j.value) == (None, None)


def test_what_a_meter_in_the_wall_is_known_to_lag_by_lengthens_the_windows():
    meter = attached(Steady(rate_hz=1.0))
    first = length_of(meter, PROTOCOL)
    later = length_of(meter, PROTOCOL, least_lag_s=5.0)
    assert (first.active_s, later.active_s) == (120.0, 120.0)
    assert later.idle_s - first.idle_s == pytest.approx(2 * 4 * (5.0 - 2.0))
    asked = replace(PROTOCOL, energy_active_s=40.0, energy_idle_s=12.0)
    assert length_of(meter, asked) == Length(active_s=40.0, idle_s=12.0)


def test_a_device_that_does_not_tell_its_clock_costs_the_energy_alone(measured, bench):
    deaf = replace(bench.launch, argv=("false", *bench.launch.argv[1:]))
    recorded, _ = measured(attached(Steady()), launch=deaf)
    assert recorded.measurement.missing["energy"] is Reason.RUNTIME_ERROR
