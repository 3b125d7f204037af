"""A Raspberry Pi that is simulated behind a real sshd, measured to the end."""

from dataclasses import replace

import pytest

from edgebench.core import Reason
from edgebench.measure.energy.recorded import summarize_energy
from edgebench.measure.state.verdict import state_reasons
from tests.simulated import BRISK, CORE_W, IDLE_W, SimulatedPi, root_device


@pytest.fixture
def board(plugged):
    """Start a Pi; what it is, its server, and a device that leads to it."""

    def start(*, has_pmic=True):
        pi = SimulatedPi(has_pmic=has_pmic)
        return (pi, *plugged(pi))

    return start


def test_the_joules_of_a_pi_5_are_those_that_it_took(board, measured):
    pi, server, device = board()
    with pi.powered(server.uid) as power:
        recorded, _ = measured(device, replace(BRISK, energy_runs=1))
    assert recorded.measurement.energy is not None
    (run,) = recorded.measurement.energy
    assert (run.meter, run.scope) == ("vcgencmd pmic_read_adc", "soc_rails")
    energy = summarize_energy(recorded)
    assert energy is not None
    begin_ns, end_ns = run.active_ns
    above_j = power.joules_above_idle(begin_ns, end_ns)
    whole_j = above_j + IDLE_W * (end_ns - begin_ns) / 1e9
    assert energy.gross_j.value == pytest.approx(whole_j / run.inferences, rel=0.01)
    assert energy.dynamic_j.value is not None, energy.dynamic_j.reasons
    assert energy.dynamic_j.value == pytest.approx(above_j / run.inferences, rel=0.01)
    assert energy.idle_w == pytest.approx((IDLE_W, IDLE_W), rel=0.01)
    assert energy.active_w is not None
    assert IDLE_W < energy.active_w <= IDLE_W + 1.2 * CORE_W


def test_a_pi_4_has_no_joules_and_says_why(board, measured):
    _, _, device = board(has_pmic=False)
    recorded, _ = measured(device, replace(BRISK, energy_runs=1))
    assert recorded.measurement.energy is None
    assert recorded.measurement.missing["energy"] is Reason.NO_SENSOR
    assert len(recorded.samples) == 2
    process = recorded.measurement.processes[0]
    assert process.state["temp_max_c"] == {"cpu-thermal": 48.3}
    assert process.state["throttled_after"] == "0x0"
    assert process.invalid == ()


def test_a_pi_that_throttles_is_repeated_and_then_invalid(board, measured):
    pi, _, device = board()
    pi.throttle(0xE0008)
    recorded, _ = measured(device)
    processes = recorded.measurement.processes
    assert [process.repeats for process in processes] == [BRISK.repeats_max] * 2
    assert state_reasons(processes)[1] == (Reason.THROTTLED,)


def test_a_governor_that_may_not_be_set_is_said_and_nothing_is_touched(board, measured):
    pi, _, device = board()
    recorded, told = measured(device, replace(BRISK, governor="performance"))
    assert any(
        "not under governor performance" in line and "no permission" in line for line in told
    )
    assert pi.governor == "ondemand"
    assert Reason.PERMISSION in recorded.measurement.processes[0].suspect


def test_a_governor_stands_while_it_is_measured_and_is_back_afterwards(board, measured):
    pi, _, device = board()
    recorded, told = measured(root_device(device), replace(BRISK, governor="performance"))
    assert not any("not under" in line for line in told)
    assert {p.state["governor"] for p in recorded.measurement.processes} == {"performance"}
    assert pi.governor == "ondemand"
