"""The energy pass among the others: what it leaves behind where it fails."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.core import Reason
from edgebench.measure.cell import Task, begin, is_finished
from edgebench.measure.energy.trace import no_trace
from edgebench.measure.energy_blocks import measure_energies
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
