"""Energy as it is shown: millijoules with interval and scope, or a reason."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgebench.core import EnergyRun, Reason
from edgebench.plan import Target
from edgebench.results.cells import cell_document
from edgebench.results.store import read_recorded, write_recorded
from edgebench.results.tables import readable_rows
from edgebench.results.targets import check_targets

SECOND = 1_000_000_000
IDLE_W, ACTIVE_W = 2.0, 5.0
# 30 s at 5 W for 15,000 inferences: 10 mJ, of which 6 above idle.
INFERENCES = 15_000


def run(seed, *, refusal=None):
    """A record of rest, work, rest, and what a meter read ten times a second."""
    time_ns = np.arange(0, 50 * SECOND, SECOND // 10)
    is_active = (time_ns >= 10 * SECOND) & (time_ns < 40 * SECOND)
    noise = np.random.default_rng(seed).normal(1.0, 0.01, time_ns.size)
    record = EnergyRun(
        meter="ina3221 VDD_IN",
        scope="module",
        kind="power",
        rails=("VDD_IN",),
        resolution=0.008,
        unreadable=0,
        refusal=refusal,
        doubts=(),
        idle_before_ns=(0, 10 * SECOND),
        active_ns=(10 * SECOND, 40 * SECOND),
        idle_after_ns=(40 * SECOND, 50 * SECOND),
        inferences=INFERENCES,
    )
    return record, (time_ns, np.where(is_active, ACTIVE_W, IDLE_W) * noise)


@pytest.fixture
def powered(spec_of, recorded_of):
    """A cell with runs of the energy pass."""

    def make(*, refusal=None, missing=None):
        spec = spec_of("float")
        recorded = recorded_of(spec, [1.0, 1.0])
        if missing is not None:
            measurement = replace(recorded.measurement, missing={"energy": missing})
            return spec, replace(recorded, measurement=measurement)
        runs = [run(seed, refusal=refusal) for seed in range(3)]
        measurement = replace(recorded.measurement, energy=tuple(record for record, _ in runs))
        return spec, replace(
            recorded, measurement=measurement, power=tuple(power for _, power in runs)
        )

    return make


def energy_of(cell):
    document: Any = cell_document(cell)
    return document["energy_mj"]


def test_an_inference_s_millijoules_stand_with_interval_source_and_scope(cells_of, powered):
    (cell,) = cells_of(powered())
    found = energy_of(cell)
    assert found["gross"] == pytest.approx(10.0, rel=0.01)
    assert found["dynamic"] == pytest.approx(6.0, rel=0.01)
    assert found["gross_ci95"][0] < 10.0 < found["gross_ci95"][1]
    assert (found["source"], found["scope"], found["runs"]) == ("ina3221 VDD_IN", "module", 3)
    assert (found["gross_status"], found["reason"]) == ("ok", None)
    assert "energy" not in cell.missing
    (row,) = readable_rows([cell])
    assert re.fullmatch(r"(10|9\.9\d|10\.\d) ±0\.\d+ % \(module\)", row["energy mJ"])


@pytest.mark.parametrize(
    ("scenario", "status", "reason"),
    [
        ("multi:8", "ok", None),
        ("periodic:5", "ok", None),
        ("periodic:30", "suspect", "n_eff_low"),
    ],
)
def test_a_meter_that_is_slower_than_the_work_is_doubted(
    cells_of, powered, scenario, status, reason
):
    spec, recorded = powered()
    measurement = replace(recorded.measurement, scenario=scenario)
    (cell,) = cells_of((spec, replace(recorded, measurement=measurement)))
    found = energy_of(cell)
    assert found["gross"] == pytest.approx(10.0, rel=0.01)
    assert (found["gross_status"], found["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("limit", "verdict"), [(12.0, "PASS"), (8.0, "FAIL"), (10.0, "INCONCLUSIVE")]
)
def test_a_target_is_about_the_gross_energy(cells_of, powered, limit, verdict):
    cells = cells_of(powered())
    (checked,) = check_targets([Target(device="*", energy_mj=limit)], cells)
    assert checked.verdict == verdict


def test_a_refused_energy_has_its_reason_and_no_number(cells_of, powered):
    (cell,) = cells_of(powered(refusal=Reason.NOT_DISCHARGING))
    found = energy_of(cell)
    assert (found["gross"], found["gross_ci95"]) == (None, None)
    assert (found["gross_status"], found["reason"]) == ("refused", "not_discharging")
    assert cell.missing["energy"] == Reason.NOT_DISCHARGING
    (row,) = readable_rows([cell])
    assert row["energy mJ"] == "— not_discharging"
    (checked,) = check_targets([Target(device="*", energy_mj=100.0)], [cell])
    assert checked.verdict == "NOT MEASURED"


def test_a_device_without_a_meter_says_so(cells_of, powered):
    (cell,) = cells_of(powered(missing=Reason.NO_SENSOR))
    assert energy_of(cell)["reason"] == "no_sensor"
    assert set(energy_of(cell)) == set(energy_of(cells_of(powered())[0]))


def test_what_a_meter_read_is_kept_and_read_again(tmp_path, powered):
    _, recorded = powered()
    write_recorded(tmp_path, recorded)
    again = read_recorded(tmp_path, recorded.measurement.key)
    assert again is not None
    assert again.measurement.energy == recorded.measurement.energy
    for (time_ns, values), (time_then, values_then) in zip(
        again.power, recorded.power, strict=True
    ):
        np.testing.assert_array_equal(time_ns, time_then)
        np.testing.assert_array_equal(values, values_then)
